"""The file of a load, and how it is to be read, as the options of a command say it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from orgbridge.cli.errors import UsageError
from orgbridge.cli.load_options import InputOptions
from orgbridge.cli.loading import LoadRequest
from orgbridge.wire.bulk import IngestOperation

_File = Annotated[
    str,
    typer.Argument(
        help="CSV, JSON, NDJSON, Parquet or XLSX file, gzip, zstd and zip unpacked; or s3://bucket/key or "
        "az://container/key, which the service fetches itself."
    ),
]
_Object = Annotated[str, typer.Option("--object", help="API name of the object, e.g. Account.")]
_Operation = Annotated[IngestOperation, typer.Option(help="What to do with each row.")]
_ExternalId = Annotated[str | None, typer.Option(help="External id field, for upsert.")]
_Encoding = Annotated[str | None, typer.Option(help="Encoding of the file when it cannot be told from its bytes.")]
_Delimiter = Annotated[
    str | None, typer.Option(help="Delimiter when it cannot be told from the header: , ; | ^ ` or a tab.")
]
_Sheet = Annotated[str | None, typer.Option(help="Sheet of a workbook; the first if not given.")]
_Mapping = Annotated[Path | None, typer.Option(help="Columns to fields: a JSON, CSV or .sdl file.")]
_Maps = Annotated[list[str] | None, typer.Option("--map", help="Column=Field; Column= leaves it out. Repeatable.")]
_Constants = Annotated[list[str] | None, typer.Option("--constant", help="Field=Value for every row. Repeatable.")]
_NullPolicy = Annotated[
    str | None, typer.Option(help="What blank cells mean: ignore, clear or error; or Phone:clear,*:ignore.")
]
_TimeZone = Annotated[str | None, typer.Option(help="Zone of instants that name none, e.g. Europe/Berlin.")]
_DateFormat = Annotated[str | None, typer.Option(help="Pattern of dates, e.g. dd.MM.yyyy.")]
_DatetimeFormat = Annotated[str | None, typer.Option(help="Pattern of instants, e.g. 'dd.MM.yyyy HH:mm'.")]
_DecimalMark = Annotated[str | None, typer.Option(help="A point or a comma; the other one separates thousands.")]
_PartRows = Annotated[int | None, typer.Option(min=1, help="Rows per part.")]
_OnServer = Annotated[bool, typer.Option("--on-server", help="FILE is a path on the service, inside DATA_PATH_INPUT.")]


#: What the service fetches from object storage. As a path it would lose a slash.
_ADDRESSES = ("s3://", "az://")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """A file, what it is to become at Salesforce, and how it is written."""

    file: _File
    object_name: _Object
    operation: _Operation = IngestOperation.INSERT
    external_id: _ExternalId = None
    encoding: _Encoding = None
    delimiter: _Delimiter = None
    sheet: _Sheet = None
    mapping: _Mapping = None
    maps: _Maps = None
    constants: _Constants = None
    null_policy: _NullPolicy = None
    time_zone: _TimeZone = None
    date_format: _DateFormat = None
    datetime_format: _DatetimeFormat = None
    decimal_mark: _DecimalMark = None
    part_rows: _PartRows = None
    on_server: _OnServer = False

    def request(
        self, *, strict: bool = False, preflight: bool = False, handling: Mapping[str, Any] | None = None
    ) -> LoadRequest:
        """Return what is to be loaded or looked at.

        Args:
            strict: Send nothing on any finding.
            preflight: Look at every row first.
            handling: How the load is carried out.

        Raises:
            UsageError: There is no such file, or an option is missing or has the wrong shape. Nothing was connected to.
        """
        fetched = self.on_server or self.file.startswith(_ADDRESSES)
        path = Path(self.file)
        if not fetched:
            if not path.exists():
                raise UsageError(f"There is no file {self.file}; check the path.")
            if not path.is_file():
                raise UsageError(f"{self.file} is not a file; name one file to load.")
        if self.operation is IngestOperation.UPSERT and not self.external_id:
            raise UsageError("An upsert needs --external-id: the field by which rows are found, e.g. External_Id__c.")
        request = LoadRequest(
            path=path,
            object_name=self.object_name,
            operation=self.operation,
            external_id=self.external_id,
            encoding=self.encoding,
            delimiter=self.delimiter,
            on_server=self.file if fetched else None,
            options=InputOptions(
                mapping=self.mapping,
                maps=tuple(self.maps or ()),
                constants=tuple(self.constants or ()),
                null_policy=self.null_policy,
                time_zone=self.time_zone,
                date_format=self.date_format,
                datetime_format=self.datetime_format,
                decimal_mark=self.decimal_mark,
                sheet=self.sheet,
                part_rows=self.part_rows,
                strict=strict,
                preflight=preflight,
                handling=handling or {},
            ),
        )
        # What is wrong with the options is said before anything is connected to.
        request.params()
        return request

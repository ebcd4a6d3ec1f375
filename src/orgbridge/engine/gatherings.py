"""The results file of an export that grows while its pages come in, so that little is left to do after the last one.

It only saves time: whatever goes wrong with it, the file is made of the kept pages once they are all there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from orgbridge.engine.exportfiles import GrowingCSV, PageDamaged
from orgbridge.engine.resources import Resources
from orgbridge.kit.errors import OrgbridgeError
from orgbridge.kit.logs import get_logger
from orgbridge.loads.columns import ExportFormat
from orgbridge.store.export_records import PageRecord
from orgbridge.store.files import StoredFile

_log = get_logger(__name__)


@dataclass(slots=True)
class Gathering:
    """Takes the pages of one export, in order, into its results file."""

    #: The worker's files and threads.
    resources: Resources
    #: The results file.
    key: str
    #: Its form; only a CSV grows page by page.
    form: ExportFormat
    _file: GrowingCSV | None = field(init=False)

    def __post_init__(self) -> None:
        self._file = GrowingCSV(self.resources.files, self.key) if self.form is ExportFormat.CSV else None

    async def take(self, page: PageRecord) -> None:
        """Append the next page, which was recorded."""
        if self._file is None:
            return
        try:
            await self.resources.split(partial(self._file.add, page))
        except (PageDamaged, OrgbridgeError, OSError) as error:
            _log.warning("engine.gathering_given_up", key=self.key, page=page.number, cause=str(error))
            await self.give_up()

    async def finish(self) -> StoredFile | None:
        """Make the file of all pages taken durable; None when the gathering was given up."""
        if self._file is None:
            return None
        file, self._file = self._file, None
        try:
            return await self.resources.split(file.finish)
        except (OrgbridgeError, OSError) as error:
            _log.warning("engine.gathering_given_up", key=self.key, page=None, cause=str(error))
            return None

    async def give_up(self) -> None:
        """Remove what is not finished."""
        file, self._file = self._file, None
        if file is not None:
            await self.resources.split(file.give_up)

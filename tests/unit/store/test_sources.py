"""Which addresses of object storage inputs may be taken from, and what is said when one cannot be had."""

from __future__ import annotations

import contextlib
import posixpath
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgbridge.kit.object_addresses import ObjectAddress
from orgbridge.store.errors import (
    FilesUnavailable,
    SourceChanged,
    SourceForbidden,
    SourceMissing,
    SourceRefused,
    SourceTooLarge,
    StoreError,
)
from orgbridge.store.files import ObjectAccess
from orgbridge.store.files.sources import Sources
from orgbridge.wiring.errors import SettingsError
from tests.support.local_house import lone_settings

_ALLOWED = ("s3://acme/in/daily", "s3://open", "az://box/in/")
_NOWHERE = Sources(allowed=_ALLOWED)
_SECRET = "never-tell-this-k3y"


@pytest.mark.parametrize(
    ("address", "form"),
    [
        ("s3://acme/in/daily/a.csv", "s3://acme/in/daily/a.csv"),
        ("s3://acme/in/daily/2026 11/Kunden für=x&y+z.csv", "s3://acme/in/daily/2026 11/Kunden für=x&y+z.csv"),
        ("s3://open/a.csv", "s3://open/a.csv"),
        ("az://box/in/deep/er/a.parquet", "az://box/in/deep/er/a.parquet"),
        ("s3://acme/in/daily/...", "s3://acme/in/daily/..."),
    ],
)
def test_addresses_below_an_allowed_one_may_be_read(address: str, form: str) -> None:
    """Any name of a key is taken as it stands, with or without a slash behind the setting."""
    assert str(_NOWHERE.check(address)) == form


@pytest.mark.parametrize(
    "address",
    [
        "s3://acme/in/dailyx/a.csv",
        "s3://acme/in/Daily/a.csv",
        "s3://acme/in/a.csv",
        "s3://acme/in/daily",
        "s3://acme/in/daily/",
        "s3://acme/in/daily/folder/",
        "s3://acme/in/daily/../../secret.csv",
        "s3://acme/in/daily/./a.csv",
        "s3://acme/in/daily//a.csv",
        "s3://acme/in/daily/%2e%2e/a.csv",
        "s3://acme/in/daily\\..\\a.csv",
        "s3://acme/in/daily/a.csv?versionId=1",
        "s3://acme/in/daily/a.csv#x",
        "s3://acme/in/daily/a\n.csv",
        "s3://acme/in/daily/a\0.csv",
        "s3://acme/in/daily/\ud800.csv",
        "s3://acme/in/daily/" + "x" * 1100,
        "az://acme/in/daily/a.csv",
        "s3://box/in/a.csv",
        "s3://acme.evil/in/daily/a.csv",
        "s3://user:pass@acme/in/daily/a.csv",
        "s3://acme:80/in/daily/a.csv",
        "s3:///in/daily/a.csv",
        "s3://open",
        "s3://open/",
        "S3://open/a.csv",
        "http://169.254.169.254/latest",
        "file:/etc/passwd",
        " s3://open/a.csv",
        "gs://open/a.csv",
    ],
)
def test_any_other_address_is_refused_without_a_connection(address: str) -> None:
    """Another bucket, a prefix that only looks alike, a way up, a folder, a query, another kind of storage."""
    with pytest.raises(SourceRefused):
        _NOWHERE.check(address)


def test_a_refusal_names_the_setting_and_no_allowed_address() -> None:
    """The remedy is told; which other places there are is not."""
    with pytest.raises(SourceRefused, match="ORGBRIDGE_IMPORT_URLS") as elsewhere:
        _NOWHERE.check("s3://other/a.csv")
    assert "acme" not in elsewhere.value.message
    with pytest.raises(SourceRefused, match=r"takes no inputs.*ORGBRIDGE_IMPORT_URLS"):
        Sources().check("s3://other/a.csv")


@settings(max_examples=60)
@given(st.text(st.sampled_from("./\\%ab ?2e")) | st.text(max_size=20))
def test_no_key_leads_out_of_its_prefix(rest: str) -> None:
    """Whatever follows the prefix, what is accepted stays below it however a path may be read."""
    with contextlib.suppress(SourceRefused):
        key = Sources(allowed=("s3://acme/in",)).check(f"s3://acme/in{rest}").key
        assert posixpath.normpath(key) == key
        assert key.startswith("in/")
        assert ObjectAddress.parse(f"s3://acme/{key}").key == key


@pytest.mark.parametrize("value", ["acme/in", "s3://acme/../in", "https://acme/in", "s3://key:secret@acme/in"])
def test_a_setting_that_is_no_address_stops_the_start(tmp_path: Path, value: str) -> None:
    """A typing error does not become a place that allows nothing, or too much."""
    with pytest.raises(SettingsError, match="ORGBRIDGE_IMPORT_URLS"):
        lone_settings(tmp_path, orgbridge_import_urls=value)


class _OddStorage(BaseHTTPRequestHandler):
    """S3 as far as reading goes, with the faults that a key names."""

    def do_HEAD(self) -> None:
        """Tell of an object of 100 bytes."""
        self._answer(b"", "one")

    def do_GET(self) -> None:
        """Give bytes: of another object, without heeding If-Match, for `replaced`; too few for `short`."""
        self._answer(b"x" * (100 if "short" not in self.path else 50), "two" if "replaced" in self.path else "one")

    def _answer(self, body: bytes, tag: str) -> None:
        status = {"denied": 403, "unknown": 401, "gone": 404}.get(self.path.rsplit("/", 1)[-1], 206 if body else 200)
        self.send_response(status)
        if status >= 400:
            body = f"<Error><AWSAccessKeyId>{_SECRET}</AWSAccessKeyId></Error>".encode() if body else b""
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Content-Length", str(len(body) or 100))
            self.send_header("ETag", f'"{tag}"')
            self.send_header("Last-Modified", "Sun, 22 Nov 2026 10:00:00 GMT")
        if status == 206:
            self.send_header("Content-Range", f"bytes 0-{len(body) - 1}/100")
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def odd() -> Iterator[Sources]:
    """Give places in a storage with faults."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _OddStorage) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield _sources(f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()


def _sources(endpoint: str, **more: int) -> Sources:
    access = ObjectAccess(
        endpoint=endpoint, region="us-east-1", access_key_id=_SECRET, secret_access_key=f"{_SECRET}-secret"
    )
    return Sources(allowed=("s3://odd",), access=access, **more)


async def _read(sources: Sources, name: str) -> bytes:
    return b"".join([block async for block in sources.read(f"s3://odd/{name}")])


@pytest.mark.parametrize(
    ("name", "expected", "remedy"),
    [
        ("gone", SourceMissing, "check bucket and key"),
        ("denied", SourceForbidden, "s3:GetObject"),
        ("unknown", SourceForbidden, "s3:GetObject"),
        ("replaced", SourceChanged, "Load it again"),
        ("short", FilesUnavailable, "try again"),
    ],
)
async def test_each_trouble_of_object_storage_has_a_name_and_a_remedy(
    odd: Sources, capfd: pytest.CaptureFixture[str], name: str, expected: type[StoreError], remedy: str
) -> None:
    """Also bytes of a new object under an old one's range, from a storage that does not heed If-Match."""
    with pytest.raises(expected, match=remedy) as caught:
        await _read(odd, name)
    # Neither the sentence, nor what a traceback in the log would show, nor the log has a key.
    shown = f"{caught.value.message} {caught.value.__cause__} {''.join(capfd.readouterr())}"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert _SECRET not in shown
    assert f"s3://odd/{name}" in shown


async def test_a_storage_that_does_not_answer_is_said_so() -> None:
    """An address where nothing listens is unavailable and may be tried again, and the settings to look at are named."""
    with pytest.raises(FilesUnavailable, match="ORGBRIDGE_FILES_ENDPOINT") as caught:
        await _read(_sources("http://127.0.0.1:9"), "a.csv")
    assert caught.value.retryable
    assert _SECRET not in caught.value.message


async def test_an_object_that_is_too_large_is_not_read(odd: Sources) -> None:
    """Its size is known before its first byte; a look at its beginning is allowed."""
    small = _sources(odd.access.endpoint or "", max_bytes=99)
    with pytest.raises(SourceTooLarge, match="100 bytes; ORGBRIDGE_IMPORT_MAX_BYTES allows 99"):
        await _read(small, "fine")
    assert small.first_bytes("s3://odd/fine", 10) == b"x" * 10
    assert await _read(odd, "fine") == b"x" * 100

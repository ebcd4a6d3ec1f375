"""Loads in the console: files taken in as they come, refusals at their fields, what is shown, what can be done."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.console_client import at_console, form_of, own, text_of
from tests.support.local_house import LocalHouse, house

__all__ = ["house"]

_SCRIPT = "<script>alert(1)</script>"
_FEW_BAD = f"Name,Industry,NumberOfEmployees\nAcme,Energy,12\n,Energy,3\nBeta,Energy,{_SCRIPT}\n"


@pytest.fixture(scope="module")
def engineer(house: LocalHouse) -> Iterator[httpx2.Client]:
    """Give somebody who may load, signed in."""
    with at_console(house, "bulk:read", "bulk:write", "records:read") as client:
        yield client


def _load(client: httpx2.Client, text: str = _FEW_BAD, name: str = "rows.csv", **fields: str) -> httpx2.Response:
    return client.post("/console/new-load", data=form_of(**fields), files={"file": (name, text.encode(), "text/csv")})


def _ended(client: httpx2.Client, house: LocalHouse, reply: httpx2.Response) -> str:
    """Wait for the load that a form made to end; return the address of its page."""
    assert reply.status_code == 303, text_of(reply.text)
    page = reply.headers["location"].partition("?")[0]
    house.wait(page.rsplit("/", 1)[1])
    return str(page)


def _tally(page: str) -> dict[str, str]:
    return dict(re.findall(r"<dt>([^<]+)</dt><dd>([\d,–]+)</dd>", page))


def test_a_file_is_loaded_and_accounted_for(house: LocalHouse, engineer: httpx2.Client) -> None:
    """The page of an ended load shows every count, the proof with its hashes, and what failed with its remedy."""
    page = engineer.get(_ended(engineer, house, _load(engineer))).text
    counts = _tally(page)
    assert [counts[name] for name in ("Read", "Sent", "Succeeded", "Failed", "Not processed")] == [
        "3",
        "3",
        "1",
        "2",
        "0",
    ]
    assert "Every row is accounted for" in page
    assert len(set(re.findall(r"\b[0-9a-f]{64}\b", page))) >= 3
    assert "/console/errors/REQUIRED_FIELD_MISSING" in page
    assert "Fill the named fields in these rows" in page


def test_what_was_typed_elsewhere_is_text_here(house: LocalHouse, engineer: httpx2.Client) -> None:
    """A file's name, a value in Salesforce's message and a filter that hold markup are shown as text, on every page."""
    page = _ended(engineer, house, _load(engineer, name=f"{_SCRIPT.replace('/', '∕')}.csv"))
    for path in (
        page,
        "/console",
        "/console/loads",
        f"/console/loads?object_name={_SCRIPT}",
        "/console/query?q=" + _SCRIPT,
    ):
        text = engineer.get(path).text
        assert "<script>alert" not in text, path
        assert "&lt;script&gt;alert" in text, path


def test_refusals_stand_at_their_fields(engineer: httpx2.Client) -> None:
    """What is wrong stands at its field, what was typed is kept, and nothing was made."""
    before = engineer.get("/console/loads").text.count("/console/loads/load_")
    reply = _load(
        engineer,
        object_name="Acc ount",
        operation_type="upsert",
        part_rows="many",
        mapping="{",
        delimiter=";",
        strict="true",
    )
    assert reply.status_code == 422
    faults = set(re.findall(r'id="(\w+)-fault"', reply.text))
    assert faults == {"object_name", "external_id_field", "part_rows", "mapping"}
    for name in faults:
        assert re.search(rf'name="{name}"[^>]*aria-invalid="true"[^>]*aria-describedby="{name}-fault', reply.text), name
    assert 'value="Acc ount"' in reply.text
    assert re.search(r'<option value=";" selected>', reply.text)
    assert re.search(r'name="strict"[^>]* checked', reply.text)
    assert engineer.get("/console/loads").text.count("/console/loads/load_") == before


@pytest.mark.parametrize(
    ("fields", "text", "field"),
    [
        ({"object_name": "Nothing__c"}, "Name\nA\n", "object_name"),
        ({}, "Name,Nonsense__c\nA,B\n", "file"),
        ({}, "", "file"),
        ({}, "Name\n", "file"),
        ({"object_name": ""}, "Name\nA\n", "object_name"),
    ],
    ids=["unknown object", "unknown column", "empty", "header only", "no object"],
)
def test_what_the_services_refuse_stands_at_its_field_too(
    engineer: httpx2.Client, fields: dict[str, str], text: str, field: str
) -> None:
    """A refusal that only the org or the file can give is told where it can be mended."""
    reply = _load(engineer, text, **fields)
    assert (reply.status_code, re.findall(r'id="(\w+)-fault"', reply.text)) == (422, [field]), text_of(reply.text)


def test_a_form_without_a_file_asks_for_one(engineer: httpx2.Client) -> None:
    """An untouched file field comes as an empty part without a name."""
    reply = engineer.post("/console/new-load", data=form_of(), files={"file": ("", b"", "application/octet-stream")})
    assert (reply.status_code, re.findall(r'id="(\w+)-fault"', reply.text)) == (422, ["file"])


def test_a_dry_run_tells_and_sends_nothing(house: LocalHouse, engineer: httpx2.Client) -> None:
    """The report names rows and fields, and no load is made."""
    before = engineer.get("/console/loads").text.count("/console/loads/load_")
    reply = _load(engineer, dry_run="true")
    assert reply.status_code == 200
    words = text_of(reply.text)
    assert "Nothing was sent" in words
    assert "REQUIRED_FIELD_MISSING" in words
    assert engineer.get("/console/loads").text.count("/console/loads/load_") == before


def test_a_file_is_taken_as_it_comes(house: LocalHouse, engineer: httpx2.Client) -> None:
    """More than any body of a call may have is kept as it arrives; the process grows by far less than the file."""
    # Of UTF-16 the first bytes tell no header: all of it is kept before its columns are looked at.
    chunk = "".join(f"Streamed {number:06},Energy\n" for number in range(20_000)).encode("utf-16-le")
    times, mark = 30, "--XyZ\r\nContent-Disposition: form-data; name="

    def body() -> Iterator[bytes]:
        for name, value in form_of().items():
            yield f'{mark}"{name}"\r\n\r\n{value}\r\n'.encode()
        yield f'{mark}"file"; filename="a.csv"\r\n\r\n'.encode()
        yield "\ufeffName,Nonsense__c\n".encode("utf-16-le")
        for _ in range(times):
            yield chunk
        yield b"\r\n--XyZ--\r\n"

    def most_memory() -> int:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{house.process.pid}/status").read_text())
        assert found is not None
        return int(found[1])

    before = most_memory()
    headers = {"Content-Type": "multipart/form-data; boundary=XyZ"}
    reply = engineer.post("/console/new-load", content=body(), headers=headers)
    assert (reply.status_code, re.findall(r'id="(\w+)-fault"', reply.text)) == (422, ["file"]), text_of(reply.text)
    assert "Nonsense__c" in reply.text
    assert len(chunk) * times > 25_000_000
    assert most_memory() - before < 14_000


def test_progress_comes_as_events(house: LocalHouse, engineer: httpx2.Client) -> None:
    """The stream says that something happened, to its end, and nothing of the rows; after the end nobody comes back."""
    text = "Name\n" + "".join(f"Event {number}\n" for number in range(40)) + '""\n'
    page = _load(engineer, text).headers["location"].partition("?")[0]
    with engineer.stream("GET", f"{page}/events", headers={"Accept": "text/event-stream"}) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        assert reply.headers["cache-control"] == "no-store"
        lines = list(reply.iter_lines())
    names = [line.partition(": ")[2] for line in lines if line.startswith("event:")]
    assert names[-1] == "end"
    assert {"state", "progress"} <= set(names)
    assert all(set(json.loads(line[5:])) == {"state"} for line in lines if line.startswith("data:"))
    assert engineer.get(f"{page}/events", headers={"Last-Event-ID": "end"}).status_code == 204


def test_a_stream_ends_with_the_sign_in(house: LocalHouse) -> None:
    """Who signs out hears no more of a load that goes on."""
    with at_console(house, "bulk:read", "bulk:write") as client:
        page = _load(client, "Name\n" + "Lasting\n" * 20_000).headers["location"].partition("?")[0]
        with client.stream("GET", f"{page}/events") as reply:
            lines = reply.iter_lines()
            next(lines)
            assert client.post("/console/sign-out").status_code == 303
            names = [line.partition(": ")[2] for line in lines if line.startswith("event:")]
    assert "end" not in names
    house.wait(page.rsplit("/", 1)[1])


def test_rows_and_receipt_are_downloads(house: LocalHouse, engineer: httpx2.Client) -> None:
    """Every link of the page gives a file: those that failed as they can be loaded again, and the proof."""
    page = _ended(engineer, house, _load(engineer, "Name,Description\nGood,=1+1\n,none\n"))
    links = re.findall(r'<a href="([^"]+)" download>([^<]+)<', engineer.get(page).text)
    files = {label: engineer.get(url.replace("&amp;", "&")) for url, label in links}
    assert {reply.status_code for reply in files.values()} == {200}
    assert all(reply.headers["content-disposition"].startswith("attachment") for reply in files.values())
    assert files["Failed, to mend and load again"].text == "Name,Description\n,none\n"
    assert ",=1+1" in files["All rows"].text
    assert ",'=1+1" in files["All rows, safe for spreadsheets"].text
    receipt = files["Receipt (JSON)"].json()
    assert (receipt["balanced"], receipt["rows"]["succeeded"], receipt["rows"]["failed"]) == (True, 1, 1)


def test_failed_rows_are_retried_and_a_load_is_undone(house: LocalHouse, engineer: httpx2.Client) -> None:
    """Each makes a load of its own, told by its page; what was retried is not offered again."""
    page = _ended(engineer, house, _load(engineer))
    assert {f"{page}/retry", f"{page}/undo"} <= set(re.findall(r'action="([^"]+)"', engineer.get(page).text))
    retried = _ended(engineer, house, engineer.post(f"{page}/retry", data={"rows": "all"}))
    assert page in engineer.get(retried).text
    again = engineer.get(page).text
    assert retried in again
    assert f"{page}/retry" not in again
    refused = engineer.post(f"{page}/retry", data={"rows": "all"})
    assert (refused.status_code, "load.sequel_exists" in refused.text) == (409, True)
    undone = _ended(engineer, house, engineer.post(f"{page}/undo"))
    assert _tally(engineer.get(undone).text)["Succeeded"] == "1"


def test_a_load_is_aborted(house: LocalHouse, engineer: httpx2.Client) -> None:
    """A load under way has a button that stops it, and its page says so."""
    reply = _load(engineer, "Name\n" + "Aborted\n" * 30_000, part_rows="2000")
    page = reply.headers["location"].partition("?")[0]
    aborted = engineer.post(f"{page}/abort")
    assert (aborted.status_code, aborted.headers["location"]) == (303, f"{page}?done=abort")
    assert house.wait(page.rsplit("/", 1)[1])["state"] == "Aborted"
    assert 'badge warn">Aborted' in engineer.get(page).text


def test_somebody_who_may_only_look_is_offered_nothing_else(house: LocalHouse, engineer: httpx2.Client) -> None:
    """Without the right to load there are no buttons, and their forms are refused."""
    page = _ended(engineer, house, _load(engineer))
    with at_console(house, "bulk:read") as reader:
        text = reader.get(page).text
        assert re.findall(r'action="([^"]+)"', text) == ["/console/sign-out"]
        assert reader.post(f"{page}/undo").status_code == 403
        assert _load(reader).status_code == 403


def test_lists_are_filtered_and_go_on(house: LocalHouse, engineer: httpx2.Client) -> None:
    """Filters hold over pages; a load that does not fit is not there."""
    _ended(engineer, house, _load(engineer, "LastName\nListed\n", object_name="Contact"))
    contacts = engineer.get("/console/loads", params={"object_name": "contact", "state": "JobComplete"}).text
    assert set(re.findall(r">(\w+ \w+)</a></td>", contacts)) == {"insert Contact"}
    assert "No load fits" in engineer.get("/console/loads", params={"object_name": "Lead"}).text


def test_the_overview_counts_and_points(house: LocalHouse, engineer: httpx2.Client) -> None:
    """Loads by state, those with rows to look at, the health of every part, and the budget of API requests."""
    page = _ended(engineer, house, _load(engineer))
    text = engineer.get("/console").text
    failures = text.partition('id="troubled"')[2].partition("</section>")[0]
    assert page in failures
    assert re.search(r'<a href="/console/loads\?state=JobComplete">\d+</a>', text)
    words = text_of(text)
    for part in ("Database", "Engine", "Salesforce", "used today"):
        assert part in words


def test_an_error_code_is_explained(engineer: httpx2.Client) -> None:
    """Cause and remedy of a code, and a page that says so for one that nobody knows."""
    assert "Fill the named fields" in engineer.get("/console/errors/REQUIRED_FIELD_MISSING").text
    assert engineer.get("/console/errors/NOBODY_KNOWS").status_code == 404


def test_an_upload_of_another_site_is_refused_before_it_is_read(house: LocalHouse, engineer: httpx2.Client) -> None:
    """The form with a file is checked for where it comes from as all are."""
    foreign = {**own(engineer), "Origin": "https://evil.example"}
    reply = engineer.post(
        "/console/new-load", data=form_of(), files={"file": ("a.csv", b"Name\nEvil\n", "text/csv")}, headers=foreign
    )
    assert (reply.status_code, "console.cross_site" in reply.text) == (403, True)

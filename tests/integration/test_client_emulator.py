"""The client against the emulated org over a socket: two beliefs about Salesforce, written apart, have to agree."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from orgbridge.client import (
    ClientCredentials,
    Credentials,
    IngestJobRequest,
    IngestResult,
    JobInfo,
    JWTCredentials,
    PasswordCredentials,
    RefreshCredentials,
    RetryPolicy,
    Salesforce,
    Secret,
    TokenConfig,
    TransportConfig,
    count_calls,
    errors,
)
from orgbridge.kit.clock import SystemClock
from orgbridge.wire.bulk import TERMINAL_JOB_STATES, IngestOperation, JobState, LineEnding, QueryOperation
from tests.support.emulator_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECURITY_TOKEN,
    USERNAME,
    EmulatorServer,
)

CLIENT = ClientCredentials(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET))
BY_PASSWORD = PasswordCredentials(
    client_id=CLIENT_ID,
    client_secret=Secret(CLIENT_SECRET),
    username=USERNAME,
    password=Secret(PASSWORD + SECURITY_TOKEN),
)
REFRESH_TOKEN = "a-refresh-token-of-the-org"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()


def certificate() -> str:
    """Return a certificate for the key, as an app in Setup holds one."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "orgbridge tests")])
    now = SystemClock().now()
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(now.replace(year=now.year - 1, day=1))
        .not_valid_after(now.replace(year=now.year + 1, day=1))
        .sign(KEY, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorServer]:
    """An org with a certificate and a refresh token, shared by the tests of this file."""
    folder = tmp_path_factory.mktemp("org")
    (folder / "certificate.pem").write_text(certificate())
    with EmulatorServer(
        folder / "org.sqlite", jwt_certificate=folder / "certificate.pem", refresh_token=REFRESH_TOKEN
    ) as server:
        yield server


@pytest.fixture
def troubled(emulator: EmulatorServer) -> Iterator[EmulatorServer]:
    """The same org, whose programmed faults end with the test."""
    yield emulator
    emulator.fault(kind="clear")


def connect(emulator: EmulatorServer, credentials: Credentials = CLIENT) -> Salesforce:
    """Return a client of the org."""
    return Salesforce(
        TokenConfig(credentials=credentials, token_url=f"{emulator.url}/services/oauth2/token", wait_initial=0.0),
        TransportConfig(retry=RetryPolicy(attempts=2, wait_initial=0.0, wait_jitter=0.0)),
    )


@pytest.fixture
async def salesforce(emulator: EmulatorServer) -> AsyncIterator[Salesforce]:
    """A client of the org."""
    async with connect(emulator) as salesforce:
        yield salesforce


async def finished(get: Callable[[str], Awaitable[JobInfo]], job_id: str) -> JobInfo:
    """Wait until a job has ended, thirty seconds at most."""
    async with asyncio.timeout(30):
        while True:
            job = await get(job_id)
            if job.state in TERMINAL_JOB_STATES:
                return job
            await asyncio.sleep(0.05)


async def load(salesforce: Salesforce, request: IngestJobRequest, text: str) -> JobInfo:
    """Run an ingest job to its end."""

    async def chunks() -> AsyncIterator[bytes]:
        yield text.encode()

    ingest = salesforce.bulk.ingest
    job = await ingest.create(request)
    assert job.state is JobState.OPEN
    await ingest.upload(job.id, chunks, len(text.encode()))
    assert (await ingest.close(job.id)).state is JobState.UPLOAD_COMPLETE
    return await finished(ingest.get, job.id)


async def rows(salesforce: Salesforce, job_id: str, which: IngestResult) -> list[dict[str, str]]:
    """Read a file of results."""
    async with salesforce.bulk.ingest.results(job_id, which) as chunks:
        text = b"".join([chunk async for chunk in chunks]).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize(
    "credentials",
    [
        pytest.param(CLIENT, id="client_credentials"),
        pytest.param(BY_PASSWORD, id="password"),
        pytest.param(JWTCredentials(client_id=CLIENT_ID, username=USERNAME, private_key=Secret(PEM)), id="jwt"),
        pytest.param(
            RefreshCredentials(
                client_id=CLIENT_ID,
                client_secret=Secret(CLIENT_SECRET),
                refresh_token=Secret(REFRESH_TOKEN),
            ),
            id="refresh",
        ),
    ],
)
async def test_pain_1_every_flow_signs_in(emulator: EmulatorServer, credentials: Credentials) -> None:
    """Each of the four flows gives a token for the org and its user."""
    async with connect(emulator, credentials) as salesforce:
        token = await salesforce.tokens.get()
        assert (await salesforce.limits.get())["DailyApiRequests"]["Max"] > 0
    assert token.org_id is not None
    assert token.access_token.reveal().startswith(token.org_id[:15])
    assert token.user_id is not None
    assert token.user_id.startswith("005")


@pytest.mark.parametrize(
    ("credentials", "cause"),
    [
        pytest.param(dataclasses.replace(CLIENT, client_id="nobody"), "consumer key", id="client id"),
        pytest.param(dataclasses.replace(CLIENT, client_secret=Secret("wrong")), "secret", id="secret"),
        pytest.param(dataclasses.replace(BY_PASSWORD, password=Secret("wrong")), "password", id="password"),
        pytest.param(
            RefreshCredentials(client_id=CLIENT_ID, client_secret=Secret(CLIENT_SECRET), refresh_token=Secret("x")),
            "refresh token",
            id="refresh token",
        ),
    ],
)
async def test_refused_sign_in_tells_the_cause(emulator: EmulatorServer, credentials: Credentials, cause: str) -> None:
    """Wrong credentials of each kind are refused with their own cause."""
    async with connect(emulator, credentials) as salesforce:
        with pytest.raises(errors.AuthenticationFailed) as caught:
            await salesforce.limits.get()
    assert cause in caught.value.cause


async def test_record_lives_and_dies(salesforce: Salesforce) -> None:
    """A record is created, read, changed, cleared, deleted, and then missing."""
    records = salesforce.records
    record_id = await records.create("Account", {"Name": "Äcme / Söhne", "Phone": "1"})
    record = await records.retrieve("Account", record_id, ["Name", "Phone"])
    assert (record["Name"], record["Phone"], record["Id"]) == ("Äcme / Söhne", "1", record_id)
    await records.update("Account", record_id, {"Phone": None, "NumberOfEmployees": 7})
    record = await records.retrieve("account", record_id)
    assert (record["Phone"], record["NumberOfEmployees"]) == (None, 7)
    await records.delete("Account", record_id)
    with pytest.raises(errors.NotFound):
        await records.retrieve("Account", record_id)
    with pytest.raises(errors.NotFound):
        await records.delete("Account", record_id)


async def test_refused_values_name_their_fields(salesforce: Salesforce) -> None:
    """A missing required field, an unknown field, an unknown object and a long text are typed errors."""
    with pytest.raises(errors.InvalidRequest) as missing:
        await salesforce.records.create("Account", {"Phone": "1"})
    assert (missing.value.error_code, missing.value.fields) == ("REQUIRED_FIELD_MISSING", ("Name",))
    with pytest.raises(errors.InvalidRequest) as unknown:
        await salesforce.records.create("Account", {"Name": "a", "Nope__c": 1})
    assert unknown.value.error_code == "INVALID_FIELD"
    with pytest.raises(errors.InvalidRequest) as long:
        await salesforce.records.create("Account", {"Name": "a" * 300})
    assert long.value.error_code == "STRING_TOO_LONG"
    with pytest.raises(errors.NotFound):
        await salesforce.records.create("Nope__c", {"Name": "a"})


async def external_id_of_account(salesforce: Salesforce) -> str:
    """Return the external-id field that the org's Account has."""
    described = await salesforce.describe.sobject("Account")
    return next(str(field["name"]) for field in described["fields"] if field["externalId"])


async def test_upsert_creates_then_updates(salesforce: Salesforce) -> None:
    """An upsert by external id creates once and updates from then on, also with a slash in the key."""
    key = await external_id_of_account(salesforce)
    first = await salesforce.records.upsert("Account", key, "A/1 ä", {"Name": "one"})
    second = await salesforce.records.upsert("Account", key, "A/1 ä", {"Name": "two"})
    assert (first.created, second.created, first.id == second.id) == (True, False, True)
    record = await salesforce.records.retrieve("Account", "A/1 ä", ["Name"], key)
    assert record["Name"] == "two"


async def test_collections_mix_success_and_failure(salesforce: Salesforce) -> None:
    """200 records are saved in one call; refused ones are values in their places."""
    key = await external_id_of_account(salesforce)
    batch = [{"Name": f"n{n}", key: f"k{n}"} if n % 50 else {key: f"k{n}"} for n in range(200)]
    with count_calls() as count:
        created = await salesforce.collections.create("Account", batch)
    assert count.calls == 1
    assert [n for n, result in enumerate(created) if not result.success] == [0, 50, 100, 150]
    assert created[0].errors[0].error_code == "REQUIRED_FIELD_MISSING"
    upserted = await salesforce.collections.upsert(
        "Account", key, [{key: "k1", "Name": "x"}, {key: "new", "Name": "y"}]
    )
    assert [result.created for result in upserted] == [False, True]
    updated = await salesforce.collections.update("Account", [{"Id": created[1].id, "Phone": "5"}])
    assert updated[0].success
    deleted = await salesforce.collections.delete([str(created[1].id), str(created[2].id), "001000000000000AAA"])
    assert [result.success for result in deleted] == [True, True, False]


async def test_query_pages_through_all_records(salesforce: Salesforce) -> None:
    """A query of 2,200 records comes in pages, each record once, in order."""
    for start in range(0, 2200, 200):
        await salesforce.collections.create("Account", [{"Name": f"q{start + n:05}"} for n in range(200)])
    soql = "SELECT Name FROM Account WHERE Name LIKE 'q%' ORDER BY Name"
    page = await salesforce.query.page(soql, batch_size=500)
    assert (page.total_size, page.done, len(page.records)) == (2200, False, 500)
    names = [record["Name"] async for record in salesforce.query.records(soql)]
    assert names == [f"q{n:05}" for n in range(2200)]
    assert (await salesforce.query.page("SELECT COUNT() FROM Account WHERE Name LIKE 'q%'")).total_size == 2200


async def test_refused_queries_are_typed(salesforce: Salesforce) -> None:
    """Bad SOQL, an unknown field and an unknown object are told as what they are."""
    with pytest.raises(errors.MalformedQuery):
        await salesforce.query.page("SELECT FROM Account")
    with pytest.raises(errors.InvalidRequest) as field:
        await salesforce.query.page("SELECT Nope__c FROM Account")
    assert field.value.error_code == "INVALID_FIELD"
    with pytest.raises(errors.InvalidRequest) as kind:
        await salesforce.query.page("SELECT Id FROM Nope__c")
    assert kind.value.error_code == "INVALID_TYPE"


async def test_describe_is_answered_with_304(salesforce: Salesforce) -> None:
    """A second client that knows the description pays for a 304, not for the whole."""
    described = await salesforce.describe.sobject("account")
    assert described["name"] == "Account"
    first = await salesforce.request("GET", "sobjects/Account/describe", idempotent=True)
    assert first.headers.get("Last-Modified") or first.headers.get("ETag")
    known = {"If-Modified-Since": first.headers["Last-Modified"]}
    again = await salesforce.request("GET", "sobjects/Account/describe", headers=known, idempotent=True)
    assert (again.status, again.body) == (304, b"")
    assert "Account" in {item["name"] for item in (await salesforce.describe.global_())["sobjects"]}


async def test_limit_header_counts_calls(salesforce: Salesforce) -> None:
    """The limit header moves with the calls that the client counts."""
    await salesforce.limits.get()
    before = salesforce.limits.last
    await salesforce.query.page("SELECT Id FROM Account LIMIT 1")
    after = salesforce.limits.last
    assert before is not None
    assert after is not None
    assert after.used == before.used + 1
    assert salesforce.calls == 2


async def test_ingest_job_end_to_end(salesforce: Salesforce) -> None:
    """An insert job with good and bad rows ends complete, and its three files account for every row."""
    request = IngestJobRequest(object="Account", operation=IngestOperation.INSERT, line_ending=LineEnding.CRLF)
    text = 'Name,Phone\r\n"Äcme, ""X""\r\nLtd",1\r\n,2\r\nplain,3\r\n'
    job = await load(salesforce, request, text)
    assert job.state is JobState.JOB_COMPLETE
    assert (job.number_records_processed, job.number_records_failed) == (3, 1)
    succeeded = await rows(salesforce, job.id, IngestResult.SUCCESSFUL)
    failed = await rows(salesforce, job.id, IngestResult.FAILED)
    assert {row["Name"] for row in succeeded} == {'Äcme, "X"\r\nLtd', "plain"}
    assert {row["sf__Created"] for row in succeeded} == {"true"}
    assert [row["Phone"] for row in failed] == ["2"]
    assert failed[0]["sf__Error"].startswith("REQUIRED_FIELD_MISSING:")
    assert await rows(salesforce, job.id, IngestResult.UNPROCESSED) == []
    record = await salesforce.records.retrieve("Account", succeeded[0]["sf__Id"], ["Name"])
    assert record["Name"] == succeeded[0]["Name"]
    assert job.id in {item.id for item in (await salesforce.bulk.ingest.list()).jobs}
    await salesforce.bulk.ingest.delete(job.id)
    with pytest.raises(errors.NotFound):
        await salesforce.bulk.ingest.get(job.id)


async def test_ingest_upsert_and_delete(salesforce: Salesforce) -> None:
    """An upsert job creates and updates; a delete job empties the org again."""
    key = await external_id_of_account(salesforce)
    await salesforce.records.upsert("Account", key, "u1", {"Name": "old"})
    request = IngestJobRequest(object="Account", operation=IngestOperation.UPSERT, external_id_field=key)
    job = await load(salesforce, request, f"{key},Name\nu1,new\nu2,two\n")
    assert job.external_id_field == key
    done = await rows(salesforce, job.id, IngestResult.SUCCESSFUL)
    assert {row[key]: row["sf__Created"] for row in done} == {"u1": "false", "u2": "true"}
    ids = "".join(f"{row['sf__Id']}\n" for row in done)
    delete = IngestJobRequest(object="Account", operation=IngestOperation.DELETE)
    gone = await load(salesforce, delete, f"Id\n{ids}")
    assert (gone.number_records_processed, gone.number_records_failed) == (2, 0)
    assert (await salesforce.query.page(f"SELECT COUNT() FROM Account WHERE {key} IN ('u1','u2')")).total_size == 0


async def test_job_that_fails_as_a_whole_says_why(salesforce: Salesforce) -> None:
    """An unknown column and a wrong line ending fail the job with Salesforce's reason; no row is written."""
    request = IngestJobRequest(object="Account", operation=IngestOperation.INSERT)
    job = await load(salesforce, request, "Name,Nope__c\nwhole job,b\n")
    assert (job.state, "Nope__c" in (job.error_message or "")) == (JobState.FAILED, True)
    job = await load(salesforce, request, "Name\r\nwhole job\r\n")
    assert (job.state, "LineEnding" in (job.error_message or "")) == (JobState.FAILED, True)
    assert (await salesforce.query.page("SELECT COUNT() FROM Account WHERE Name = 'whole job'")).total_size == 0


async def test_job_states_are_guarded(salesforce: Salesforce) -> None:
    """A second upload, results before the end, and aborting an aborted job are refused; unknown jobs are missing."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"Name\na\n"

    ingest = salesforce.bulk.ingest
    job = await ingest.create(IngestJobRequest(object="Account", operation=IngestOperation.INSERT))
    await ingest.upload(job.id, chunks, 7)
    with pytest.raises(errors.SalesforceError) as second:
        await ingest.upload(job.id, chunks, 7)
    assert second.value.status == 400
    with pytest.raises(errors.SalesforceError) as early:
        async with ingest.results(job.id, IngestResult.SUCCESSFUL):
            pass
    assert early.value.status == 400
    assert (await ingest.abort(job.id)).state is JobState.ABORTED
    with pytest.raises(errors.JobStateError):
        await ingest.abort(job.id)
    with pytest.raises(errors.NotFound):
        await ingest.get("750000000000000AAA")
    with pytest.raises(errors.ClientError):
        await ingest.create(IngestJobRequest(object="Nope__c", operation=IngestOperation.INSERT))


async def test_query_job_pages(salesforce: Salesforce) -> None:
    """A query job's pages hold every record once, each page with its header row; `resultPages` names the same pages."""
    text = "Name\n" + "".join(f"b{n:04}\n" for n in range(1000))
    await load(salesforce, IngestJobRequest(object="Account", operation=IngestOperation.INSERT), text)
    query = salesforce.bulk.query
    job = await query.create("SELECT Id, Name FROM Account WHERE Name LIKE 'b%'", QueryOperation.QUERY)
    job = await finished(query.get, job.id)
    assert (job.state, job.number_records_processed) == (JobState.JOB_COMPLETE, 1000)
    names: list[str] = []
    counts: list[int] = []
    async with aclosing(query.pages(job.id, max_records=300)) as pages:
        async for page in pages:
            text = b"".join([chunk async for chunk in page.chunks]).decode()
            read = list(csv.DictReader(io.StringIO(text)))
            assert len(read) == page.number_of_records
            counts.append(page.number_of_records)
            names += [row["Name"] for row in read]
    assert counts == [300, 300, 300, 100]
    assert sorted(names) == [f"b{n:04}" for n in range(1000)]
    listed = await query.result_pages(job.id)
    total = 0
    for locator in listed.locators:
        async with query.results(job.id, locator) as page:
            total += page.number_of_records
    assert (total, listed.next_records_url) == (1000, None)
    await query.delete(job.id)


async def test_bad_query_job_is_refused_at_once(salesforce: Salesforce) -> None:
    """Bad SOQL is refused when the job is created."""
    with pytest.raises(errors.InvalidRequest):
        await salesforce.bulk.query.create("SELECT Nope__c FROM Account")


async def test_ended_session_is_survived_everywhere(salesforce: Salesforce, emulator: EmulatorServer) -> None:
    """A session that ends before a call, an upload, a close or a download costs a sign-in and nothing else."""

    async def end_session() -> None:
        token = (await salesforce.tokens.get()).access_token.reveal()
        form = urlencode({"token": token}).encode()
        kind = "application/x-www-form-urlencoded"
        status, _ = await asyncio.to_thread(
            emulator.request, "POST", "/services/oauth2/revoke", form, **{"Content_Type": kind}
        )
        assert status == 200

    async def chunks() -> AsyncIterator[bytes]:
        yield b"Name\nlate\n"

    ingest = salesforce.bulk.ingest
    await end_session()
    record_id = await salesforce.records.create("Account", {"Name": "a"})
    await end_session()
    assert (await salesforce.records.retrieve("Account", record_id, ["Name"]))["Name"] == "a"
    job = await ingest.create(IngestJobRequest(object="Account", operation=IngestOperation.INSERT))
    await end_session()
    await ingest.upload(job.id, chunks, 10)
    await end_session()
    await ingest.close(job.id)
    assert (await finished(ingest.get, job.id)).number_records_failed == 0
    await end_session()
    assert [row["Name"] for row in await rows(salesforce, job.id, IngestResult.SUCCESSFUL)] == ["late"]
    assert salesforce.tokens.sign_ins == 6


async def count(salesforce: Salesforce, name: str) -> int:
    """Return how many accounts bear a name."""
    return (await salesforce.query.page(f"SELECT COUNT() FROM Account WHERE Name = '{name}'")).total_size


@pytest.mark.parametrize(("cut", "made"), [("before", 0), ("after", 1)])
async def test_cut_create_is_unknown_and_never_doubled(
    salesforce: Salesforce, troubled: EmulatorServer, cut: str, made: int
) -> None:
    """A create whose connection is cut is not repeated, whether or not it took effect."""
    troubled.fault(method="POST", path="/sobjects/Account", cut=cut)
    with pytest.raises(errors.ConnectionFailed) as caught:
        await salesforce.records.create("Account", {"Name": f"cut {cut}"})
    assert caught.value.sent is True
    assert await count(salesforce, f"cut {cut}") == made


@pytest.mark.parametrize(("cut", "created"), [("before", True), ("after", False)])
async def test_cut_upsert_is_repeated_without_doubling(
    salesforce: Salesforce, troubled: EmulatorServer, cut: str, created: bool
) -> None:
    """An upsert whose connection is cut is repeated, makes one record, and says that it was repeated."""
    key = await external_id_of_account(salesforce)
    troubled.fault(method="PATCH", path="/sobjects/Account", cut=cut)
    result = await salesforce.records.upsert("Account", key, f"cut-{cut}", {"Name": f"cut upsert {cut}"})
    assert (result.created, result.repeated) == (created, True)
    assert await count(salesforce, f"cut upsert {cut}") == 1


async def test_cut_delete_is_a_success(salesforce: Salesforce, troubled: EmulatorServer) -> None:
    """A delete that took effect and lost its reply ends well."""
    record_id = await salesforce.records.create("Account", {"Name": "cut delete"})
    troubled.fault(method="DELETE", path="/sobjects/Account", cut="after")
    await salesforce.records.delete("Account", record_id)
    assert await count(salesforce, "cut delete") == 0


async def test_cut_close_is_told_and_the_job_goes_on(salesforce: Salesforce, troubled: EmulatorServer) -> None:
    """A close that took effect and lost its reply is told as unknown; the job's state tells the truth."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"Name\ncut close\n"

    ingest = salesforce.bulk.ingest
    job = await ingest.create(IngestJobRequest(object="Account", operation=IngestOperation.INSERT))
    await ingest.upload(job.id, chunks, 15)
    troubled.fault(method="PATCH", path="/jobs/ingest", cut="after")
    with pytest.raises(errors.ConnectionFailed) as caught:
        await ingest.close(job.id)
    assert caught.value.sent is True
    assert (await finished(ingest.get, job.id)).number_records_processed == 1
    assert await count(salesforce, "cut close") == 1


async def test_moment_of_503_is_survived_by_reads_only(salesforce: Salesforce, troubled: EmulatorServer) -> None:
    """A 503 is passed over where a repetition is safe, and reported where it is not."""
    troubled.fault(path="/limits", status=503)
    assert (await salesforce.limits.get())["DailyApiRequests"]["Max"] > 0
    troubled.fault(method="POST", path="/sobjects/Account", status=503)
    with pytest.raises(errors.ServerUnavailable):
        await salesforce.records.create("Account", {"Name": "503"})


async def test_locked_row_is_tried_again(salesforce: Salesforce, troubled: EmulatorServer) -> None:
    """An update that meets a lock once goes through."""
    record_id = await salesforce.records.create("Account", {"Name": "locked"})
    troubled.fault(method="PATCH", path="/sobjects/Account", status=400, errorCode="UNABLE_TO_LOCK_ROW", message="x")
    await salesforce.records.update("Account", record_id, {"Phone": "1"})
    assert (await salesforce.records.retrieve("Account", record_id, ["Phone"]))["Phone"] == "1"


async def test_killed_org_is_told_and_found_again(tmp_path: Path) -> None:
    """A killed org is `ConnectionFailed` with nothing sent; restarted on its file, the same client goes on."""
    with EmulatorServer(tmp_path / "org.sqlite") as server:
        async with connect(server) as salesforce:
            record_id = await salesforce.records.create("Account", {"Name": "survivor"})
            server.kill()
            with pytest.raises(errors.ConnectionFailed) as caught:
                await salesforce.records.retrieve("Account", record_id)
            assert caught.value.sent is False
            server.start()
            assert (await salesforce.records.retrieve("Account", record_id))["Name"] == "survivor"

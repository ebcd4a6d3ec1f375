"""The service's HTTP contract from the caller's side: one method per call that a command makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack
from urllib.parse import quote, urlencode

import aiohttp

from orgbridge.cli.addresses import Address
from orgbridge.cli.errors import ServiceRefused, ServiceUnreachable
from orgbridge.cli.eventstreams import Event, parse_events
from orgbridge.kit import json

#: Bytes read from the input file at a time.
_CHUNK_BYTES = 256 * 1024
#: A call that moves no byte for so long has failed.
_SILENCE_SECONDS = 120.0
_CONNECT_SECONDS = 10.0
#: How long the service may copy an input that it fetches itself.
_COPY_SECONDS = 3_600.0

Params = Mapping[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A reply as it came."""

    #: HTTP status, below 400.
    status: int
    body: bytes
    #: Path below version 1 where the outcome is told.
    location: str | None
    #: Seconds after which there may be more to tell.
    retry_after: float | None


class _Sending(TypedDict, total=False):
    """What may go with a call."""

    params: Params | None
    #: Sent as JSON.
    json_body: json.JSON
    #: Sent as it is.
    data: object
    headers: Mapping[str, str] | None
    #: The path is below the service's own address, and not below version 1.
    root: bool
    #: Seconds without a byte after which the call has failed.
    silence: float


class Service:
    """One service, asked with one token.

    Args:
        address: Where it is and the token.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    # Bulk

    async def upload(
        self,
        *,
        name: str,
        chunks: AsyncIterator[bytes],
        params: Params,
    ) -> dict[str, Any]:
        """Send a file as a load and return `{success, message, job_id, ...}`.

        Args:
            name: The file's name; its ending tells the format.
            chunks: The file's bytes. Read once.
            params: `object_name`, `operation_type`, `external_id_field`, ...

        Raises:
            ServiceUnreachable: The connection failed; whether the load was taken is not known.
            ServiceRefused: The file or the request was refused; no load was made.
        """
        form = aiohttp.MultipartWriter("form-data")
        query = dict(params)
        if (mapping := query.pop("mapping", None)) is not None:
            # Too long for a URL, and before the file, where the service expects its fields.
            form.append(str(mapping)).set_content_disposition("form-data", name="mapping")
        part = form.append(chunks, {"Content-Type": "application/octet-stream"})
        part.set_content_disposition("form-data", name="file", filename=name)
        return await self._json("POST", "/bulk/dml-file-upload", params=query, data=form)

    async def local_file(self, body: dict[str, Any]) -> dict[str, Any]:
        """Have the service load a file of its own input folder, or an object of object storage.

        It answers once it has copied all of it, which moves no byte here.
        """
        return await self._json("POST", "/bulk/local-file-process", json_body=body, silence=_COPY_SECONDS)

    async def query_submit(
        self, object_name: str, soql: str, operation: str = "query", *, output_format: str | None = None
    ) -> dict[str, Any]:
        """Start a bulk query and return `{job_id, ...}`."""
        body = {"object_name": object_name, "soql_query": soql, "operation": operation}
        if output_format is not None:
            body["output_format"] = output_format
        return await self._json("POST", "/bulk/query-submit", json_body=body)

    async def job(self, job_id: str, *, is_query: bool = False) -> dict[str, Any]:
        """Return a job's status."""
        params = {"is_query_job": "true"} if is_query else {}
        return await self._json("GET", f"/bulk/job/{quote(job_id, safe='')}/status", params=params)

    @asynccontextmanager
    async def events(self, job_id: str, last_event_id: str = "") -> AsyncIterator[AsyncIterator[Event]]:
        """Open the stream of what happens to a job; it ends with the event `end`.

        Raises:
            ServiceRefused: The service does not know the job, or tells no events.
            ServiceUnreachable: The connection failed, also in the middle of the stream.
        """
        path = f"/bulk/job/{quote(job_id, safe='')}/events"
        headers = {"Accept": "text/event-stream", **({"Last-Event-ID": last_event_id} if last_event_id else {})}
        async with self._response("GET", path, headers=headers) as response:
            if response.content_type != "text/event-stream":
                raise ServiceRefused(response.status, {"detail": "The service tells no events."})
            yield parse_events(response.content)

    async def jobs(self, params: Params) -> dict[str, Any]:
        """Return one page of jobs, newest first."""
        return await self._json("GET", "/bulk/jobs", params=params)

    async def receipt(self, job_id: str) -> dict[str, Any]:
        """Return the proof of a finished load."""
        return await self._json("GET", f"/bulk/job/{quote(job_id, safe='')}/receipt")

    async def abort(self, job_id: str) -> dict[str, Any]:
        """Ask for a load to be stopped."""
        return await self._json("POST", f"/bulk/job/{quote(job_id, safe='')}/abort")

    async def retry(self, job_id: str, rows: str) -> dict[str, Any]:
        """Load the failed rows of a job again: `all`, `failed` or `unprocessed`."""
        return await self._json("POST", f"/bulk/job/{quote(job_id, safe='')}/retry", params={"rows": rows})

    async def undo(self, job_id: str) -> dict[str, Any]:
        """Take a load back."""
        return await self._json("POST", f"/bulk/job/{quote(job_id, safe='')}/undo")

    async def purchase_orders(self, params: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        """Return one page of purchase orders, newest first."""
        path = f"/salesforce_purchase_orders/me?{urlencode(params)}"
        async with self._response("GET", path) as response:
            return list(json.loads(await response.read()))

    async def purchase_order(self, key: str) -> dict[str, Any]:
        """Return a purchase order with all that is known of it."""
        return await self._json("GET", f"/salesforce_purchase_orders/{quote(key, safe='')}")

    async def decide_purchase_orders(self, decision: str, keys: list[str], comment: str) -> list[dict[str, Any]]:
        """Approve or reject purchase orders, and return what became of each."""
        body = {"ids": keys, "comment": comment}
        reply = await self._json("POST", f"/salesforce_purchase_orders/bulk/{decision}", json_body=body)
        return list(reply["results"])

    async def order_purchase(self, key: str) -> dict[str, Any]:
        """Order an approved purchase order, and return it."""
        return await self._json("POST", f"/salesforce_purchase_orders/{quote(key, safe='')}/order")

    async def checkout(self, checkout_id: str) -> dict[str, Any]:
        """Return where an order of a cart stands."""
        return await self._json("GET", f"/carts/me/checkouts/{quote(checkout_id, safe='')}")

    async def look_for_order(self, checkout_id: str) -> dict[str, Any]:
        """Have an order looked for whose outcome is unknown, and return where it stands then."""
        return await self._json("POST", f"/carts/me/checkouts/{quote(checkout_id, safe='')}/look")

    async def settle_order(self, checkout_id: str, outcome: str, order_id: str | None) -> dict[str, Any]:
        """Decide whether an order is there, and return where it stands then."""
        body = {"outcome": outcome, **({"order_id": order_id} if order_id else {})}
        return await self._json("POST", f"/carts/me/checkouts/{quote(checkout_id, safe='')}/settle", json_body=body)

    async def error_code(self, code: str) -> dict[str, Any]:
        """Return what the error catalogue knows of a code."""
        return await self._json("GET", f"/errors/{quote(code, safe='')}")

    @asynccontextmanager
    async def results(
        self, job_id: str, kind: str, *, accept: str = "text/csv", loadable: bool = False
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream of a job's results as CSV or NDJSON: `successful`, `failed`, `unprocessed` or `all`."""
        path = f"/bulk/job/{quote(job_id, safe='')}/results/{kind}"
        params = {"loadable": "true"} if loadable else {}
        async with self._response("GET", path, params=params, headers={"Accept": accept}) as response:
            yield response.content.iter_chunked(_CHUNK_BYTES)

    # Records

    async def query(self, soql: str, *, include_deleted: bool = False) -> dict[str, Any]:
        """Return the first page of a query."""
        return await self._json("POST", "/query", json_body={"q": soql, "include_deleted": include_deleted})

    @asynccontextmanager
    async def query_stream(
        self, soql: str, accept: str, *, include_deleted: bool = False
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a stream of all records of a query in the form that `accept` names."""
        body = {"q": soql, "include_deleted": include_deleted}
        async with self._response("POST", "/query", json_body=body, headers={"Accept": accept}) as response:
            yield response.content.iter_chunked(_CHUNK_BYTES)

    async def create_record(self, object_name: str, data: dict[str, Any]) -> dict[str, Any]:
        """Create one record."""
        return await self._json("POST", "/records/create", json_body={"object_name": object_name, "data": data})

    async def describe(self, object_name: str) -> dict[str, Any]:
        """Return an object's describe as Salesforce gives it."""
        return await self._json("GET", f"/sobjects/{quote(object_name, safe='')}/describe")

    async def limits(self) -> dict[str, Any]:
        """Return the org's limits and the service's own figures."""
        return await self._json("GET", "/limits")

    async def ready(self) -> tuple[bool, dict[str, Any]]:
        """Return whether the service can work, and what it says about its parts."""
        try:
            return True, await self._json("GET", "/health/ready", root=True)
        except ServiceRefused as refused:
            return False, refused.problem

    # Accounts of organizations

    async def map_account(self, organization_id: str, account: str, *, replace: bool) -> dict[str, Any]:
        """Map an organization to an account of Salesforce.

        Args:
            organization_id: Id of the organization.
            account: Salesforce id, external id or exact name.
            replace: Change the mapping that there is.

        Raises:
            ServiceRefused: There is no such account or several, or a mapping that is not to be replaced.
        """
        headers = {"If-Match": "*"} if replace else None
        path = f"/salesforce_account/mappings/{quote(organization_id, safe='')}"
        return await self._json("PUT", path, json_body={"account": account}, headers=headers)

    async def unmap_account(self, organization_id: str) -> None:
        """Take away the mapping of an organization."""
        path = f"/salesforce_account/mappings/{quote(organization_id, safe='')}"
        await self._json("DELETE", path, headers={"If-Match": "*"})

    async def mappings(self, cursor: str | None = None) -> dict[str, Any]:
        """Return one page of organizations with their mappings."""
        return await self._json("GET", "/salesforce_account/mappings", params={"cursor": cursor} if cursor else None)

    # Any call

    async def call(self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Make any call of version 1 and return the reply as it came.

        Raises:
            ServiceRefused: The reply is an error.
            ServiceUnreachable: The connection failed; whether the call was heard is not known.
        """
        async with self._response(method, path, data=content, headers=headers) as response:
            after = response.headers.get("Retry-After", "")
            return Answer(
                status=response.status,
                body=await response.read(),
                location=response.headers.get("Location", "").removeprefix(self.address.prefix) or None,
                retry_after=float(after) if after.isdigit() else None,
            )

    async def diagnosis(self, params: Params) -> dict[str, Any]:
        """Return the chain from a user to its cart, link by link."""
        return await self._json("GET", "/salesforce_account/diagnosis", params=params)

    # Transport

    async def _json(self, method: str, path: str, **sending: Unpack[_Sending]) -> dict[str, Any]:
        async with self._response(method, path, **sending) as response:
            body = await response.read()
        try:
            answer = json.loads(body) if body else {}
        except json.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            raise ServiceUnreachable(f"What answers at {self.address.url} is not Orgbridge; check ORGBRIDGE_URL.")
        return answer

    @asynccontextmanager
    async def _response(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json_body: json.JSON = None,
        data: object = None,
        headers: Mapping[str, str] | None = None,
        root: bool = False,
        silence: float = _SILENCE_SECONDS,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None, "use it as a context manager"
        sent = {"Authorization": f"Bearer {self.address.token}", "Accept": "application/json", **(headers or {})}
        if json_body is not None:
            data = json.dumps(json_body)
            sent["Content-Type"] = "application/json"
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS, sock_read=silence)
        url = self.address.url + ("" if root else self.address.prefix) + path
        try:
            async with self._session.request(
                method, url, params=params, data=data, headers=sent, timeout=timeout
            ) as response:
                if response.status >= 400:
                    raise ServiceRefused(response.status, _problem(await response.read()))
                yield response
        except (TimeoutError, aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            raise ServiceUnreachable(
                f"The service at {self.address.url} does not answer ({_cause(error)}); "
                "is it running? `orgbridge up` or `orgbridge serve` starts one."
            ) from error
        except aiohttp.InvalidURL as error:
            raise ServiceUnreachable(
                f"{self.address.url} is not an address; ORGBRIDGE_URL is like http://host:8000."
            ) from error


def _cause(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return (error.os_error.strerror or str(error.os_error)).lower()
    return str(error) or type(error).__name__


def _problem(body: bytes) -> dict[str, Any]:
    try:
        problem = json.loads(body)
    except json.JSONDecodeError:
        return {}
    return problem if isinstance(problem, dict) else {}


async def file_chunks(path: Path, advance: Callable[[int], None]) -> AsyncIterator[bytes]:
    """Yield a file's bytes, read in a thread, telling `advance` of each chunk's size."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
            yield chunk
            advance(len(chunk))
    finally:
        file.close()


async def sign_in(url: str, username: str, password: str) -> str:
    """Return a token for a user.

    Raises:
        ServiceUnreachable: Nothing answers there.
        ServiceRefused: Wrong name or password.
    """
    form = {"grant_type": "password", "username": username, "password": password}
    async with Service(Address(url=url, token="")) as service:
        answer = await service._json("POST", "/token", data=form, root=True)
    return str(answer["access_token"])

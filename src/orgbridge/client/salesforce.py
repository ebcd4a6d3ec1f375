"""One org, one user, one API version: the face of the client.

async with Salesforce(TokenConfig(credentials=..., token_url=...)) as salesforce:
    account_id = await salesforce.records.create("Account", {"Name": "Acme"})
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from orgbridge.client.auth.grants import GrantKeeper
from orgbridge.client.auth.tokens import SignInGuard, TokenConfig, TokenManager
from orgbridge.client.bulk.ingest import IngestJobs
from orgbridge.client.bulk.query import QueryJobs
from orgbridge.client.commerce.stores import Commerce
from orgbridge.client.composite import Collections, Composite
from orgbridge.client.describe import Describe, DescribeCache
from orgbridge.client.files import Files
from orgbridge.client.limits import Limits
from orgbridge.client.query import Query
from orgbridge.client.records import Records
from orgbridge.client.replication import Replication
from orgbridge.client.search import Search
from orgbridge.client.transport.exchange import Reply, Transport, TransportConfig
from orgbridge.client.transport.gates import Gate
from orgbridge.client.transport.requests import Chunks, Request, Resend, with_params
from orgbridge.client.transport.sessions import HTTPSession
from orgbridge.kit.clock import Clock, SystemClock
from orgbridge.kit.json import JSON, dumps


class Bulk:
    """Bulk API 2.0."""

    def __init__(self, transport: Transport) -> None:
        #: Jobs that write.
        self.ingest = IngestJobs(transport)
        #: Jobs that read.
        self.query = QueryJobs(transport)


class Salesforce:
    """A live client. Nothing is sent before the first call; close it, or use it as a context.

    Attributes:
        tokens: The shared token.
        records: Single records.
        collections: Up to 200 records a call.
        composite: Subrequests that refer to each other.
        query: SOQL page by page.
        replication: What was deleted.
        search: SOSL.
        describe: Descriptions of objects.
        limits: The org's limits.
        bulk: Bulk API 2.0.
        commerce: Webstores of B2B Commerce.
        files: Content versions, streamed.
    """

    def __init__(
        self,
        sign_in: TokenConfig,
        config: TransportConfig | None = None,
        *,
        clock: Clock | None = None,
        describes: DescribeCache | None = None,
        gate: Gate | None = None,
        guard: SignInGuard | None = None,
        keeper: GrantKeeper | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._http = HTTPSession()
        self.tokens = TokenManager(sign_in, session=self._http.get, clock=clock, guard=guard, keeper=keeper)
        self._transport = Transport(
            config or TransportConfig(), tokens=self.tokens, http=self._http, clock=clock, gate=gate
        )
        self.records = Records(self._transport)
        self.collections = Collections(self._transport)
        self.composite = Composite(self._transport)
        self.query = Query(self._transport)
        self.replication = Replication(self._transport)
        self.search = Search(self._transport)
        self.describe = Describe(self._transport, cache=describes or DescribeCache(), clock=clock)
        self.limits = Limits(self._transport)
        self.bulk = Bulk(self._transport)
        self.commerce = Commerce(self._transport, clock)
        self.files = Files(self._transport)

    @property
    def calls(self) -> int:
        """API requests made by this client, replays and retries included, sign-ins not."""
        return self._transport.calls

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: JSON = None,
        body: bytes | None = None,
        chunks: Chunks | None = None,
        length: int | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
        once: bool = False,
    ) -> Reply:
        """Make any call of the REST API.

        Args:
            method: HTTP method.
            path: Below `/services/data/vXX.X/`, or from the root with a leading slash; segments encoded.
            params: Query string, not yet encoded.
            json: A body as JSON; one of `json`, `body`, `chunks` at most.
            body: A body as bytes.
            chunks: A body as a source that can be opened again.
            length: Bytes of `chunks`, when known.
            headers: Further headers.
            idempotent: True when doing it twice ends in the same state as doing it once: then failures are retried.
            once: True when a failure is to be told at once, also one that was never sent.

        Raises:
            ValueError: More than one body was given, or the path is no path. Nothing was sent.
            ClientError: See `Transport.send`.
        """
        if sum(given is not None for given in (json, body, chunks)) > 1:
            raise ValueError("give one of json, body and chunks")
        if path.startswith("//") or "://" in path.partition("?")[0]:
            raise ValueError("give a path, not a URL: the token goes to the org's own host only")
        sent = dict(headers or {})
        if json is not None:
            sent.setdefault("Content-Type", "application/json")
        resend = Resend.NEVER if once else Resend.ALWAYS if idempotent else Resend.UNSENT
        return await self._transport.send(
            Request(
                method=method.upper(),
                target=with_params(self._transport.path(path), params),
                headers=sent,
                body=dumps(json) if json is not None else body if body is not None else chunks,
                body_bytes=length if chunks is not None else None,
                resend=resend,
            )
        )

    async def close(self) -> None:
        """Close all connections. The session stays alive at Salesforce: others may share it."""
        await self.tokens.close()
        await self._http.close()

    async def __aenter__(self) -> Salesforce:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

"""/query, /queryAll and the pages that follow.

Source: facts/salesforce/soql.md section 1.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.cursors import Page
from orgbridge.emulator.http.replies import raw_json_reply
from orgbridge.emulator.http.resources import listviews
from orgbridge.emulator.http.resources.explain import explain
from orgbridge.emulator.http.resources.querycolumns import query_columns
from orgbridge.emulator.query import results
from orgbridge.emulator.query.planner import plan_query
from orgbridge.emulator.query.plans import Feature
from orgbridge.emulator.query.viewing import mark_seen
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON, dumps
from orgbridge.wire.limits import QUERY_PAGE_DEFAULT, QUERY_PAGE_MAX, QUERY_PAGE_MIN

_BATCH_SIZE = re.compile(r"\s*batchSize\s*=\s*(\d{1,9})\s*\Z", re.IGNORECASE)


def _page_size(call: Call) -> int:
    """Return the wanted page size, brought into what the platform allows.

    Raises:
        SFError: `Sforce-Query-Options` says something else than `batchSize=N`.
    """
    header = call.header("sforce-query-options")
    if header is None:
        return QUERY_PAGE_DEFAULT
    found = _BATCH_SIZE.match(header)
    if found is None:
        # Assumed: code and text.
        raise SFError("INVALID_QUERY_OPTIONS", f"Sforce-Query-Options {header!r} is not understood", 400)
    return min(max(int(found.group(1)), QUERY_PAGE_MIN), QUERY_PAGE_MAX)


def _reply(call: Call, page: Page) -> Response:
    """Return a page; `nextRecordsUrl` names /query for queryAll too."""
    head = f'{{"totalSize":{page.total},"done":{"true" if page.next_locator is None else "false"}'
    if page.next_locator is not None:
        head += f',"nextRecordsUrl":{dumps(f"{call.data_path}/query/{page.next_locator}").decode()}'
    return raw_json_reply(head.encode() + b',"records":' + page.records + b"}", pretty=call.pretty)


async def query(call: Call) -> Response:
    """Answer GET /query."""
    return await _query(call, include_deleted=False)


async def query_all(call: Call) -> Response:
    """Answer GET /queryAll."""
    return await _query(call, include_deleted=True)


async def _query(call: Call, *, include_deleted: bool) -> Response:
    for name in call.request.query_params:
        if name not in ("q", "explain", "columns", "_HttpMethod"):
            raise SFError("FUNCTIONALITY_NOT_ENABLED", f"The emulated org does not know the parameter {name}")
    explained = call.query("explain")
    if explained and explained.startswith(listviews.PREFIX):
        return await listviews.explain_view(call, explained)
    if explained:
        return await explain(call, explained)
    soql = call.query("q")
    if not soql:
        raise SFError("MALFORMED_QUERY", "A query string has to be specified")
    if wants_columns(call):
        return await _columns(call, soql)
    return await answer(call, soql, include_deleted=include_deleted)


def wants_columns(call: Call) -> bool:
    """Tell whether a query is to be described instead of answered."""
    return (call.query("columns") or "").lower() == "true"


async def _columns(call: Call, soql: str) -> Response:
    view, now, user_id, version = call.parts.org.view(call.user_id), call.parts.clock.now(), call.user_id, call.version

    def work() -> JSON:
        plan = plan_query(view, soql, now=now, user_id=user_id, api_version=version)
        return query_columns(view, plan)

    return call.json(await call.thread(work))


async def answer(call: Call, soql: str, *, include_deleted: bool) -> Response:
    """Return the reply with the first page of a query's result.

    Raises:
        SFError: The query is refused.
    """
    size, parts, user_id, version = _page_size(call), call.parts, call.user_id, f"v{call.version}.0"

    def run() -> Page:
        plan = plan_query(
            parts.org.view(user_id),
            soql,
            include_deleted=include_deleted,
            now=parts.clock.now(),
            user_id=user_id,
            api_version=call.version,
        )
        page_size = min(size, QUERY_PAGE_MIN) if Feature.LONG_TEXTS in plan.features else size
        with parts.storage.read() as connection:
            if plan.is_count or plan.is_aggregate:
                whole = results.page(plan, connection, version=version, size=size)
                return Page(total=whole.total, records=dumps(whole.records), next_locator=None)
            total = results.total(plan, connection)
            found = results.records(plan, connection, version=version)
            if Feature.CHILDREN in plan.features:
                page = parts.cursors.open_with_children(found, total, page_size, user_id, f"{call.data_path}/query")
            else:
                page = parts.cursors.open(found, total, page_size, user_id)
        if plan.query.for_:
            with parts.storage.write() as connection:
                mark_seen(plan, connection, now=parts.clock.now())
        return page

    return _reply(call, await call.thread(run))


async def more(call: Call) -> Response:
    """Answer GET /query/{locator} and /queryAll/{locator}."""
    locator, user_id = call.args["locator"], call.user_id
    return _reply(call, await call.thread(lambda: call.parts.cursors.page(locator, user_id)))

"""Every address that the emulated org answers, in one table."""

from __future__ import annotations

from orgbridge.emulator.http.auth import identity, soap, tokens
from orgbridge.emulator.http.control.table import CONTROLS
from orgbridge.emulator.http.resources import (
    bulk_ingest,
    bulk_query,
    collections,
    describe,
    discovery,
    queries,
    records,
)
from orgbridge.emulator.http.routing import Access, Route, RouteTable

_DATA = "/services/data/{version}"
_OPEN = (
    Route(pattern="/services/data", handlers={"GET": discovery.versions}, access=Access.OPEN),
    Route(
        pattern="/services/oauth2/token",
        handlers={"POST": tokens.token, "GET": tokens.token_by_get},
        access=Access.OPEN,
    ),
    Route(
        pattern="/services/oauth2/revoke", handlers={"POST": tokens.revoke, "GET": tokens.revoke}, access=Access.OPEN
    ),
    Route(
        pattern="/services/oauth2/userinfo",
        handlers={"GET": identity.userinfo, "POST": identity.userinfo},
        access=Access.OPEN,
    ),
    Route(pattern="/id/{org}/{user}", handlers={"GET": identity.identity}, access=Access.OPEN),
    Route(pattern="/services/Soap/u/{version}", handlers={"POST": soap.partner_login}, access=Access.OPEN),
    Route(pattern="/services/Soap/c/{version}", handlers={"POST": soap.enterprise_login}, access=Access.OPEN),
)
_REST = (
    Route(pattern=_DATA, handlers={"GET": discovery.resources}),
    Route(pattern=f"{_DATA}/limits", handlers={"GET": discovery.limits}),
    Route(pattern=f"{_DATA}/limits/recordCount", handlers={"GET": discovery.record_count}),
    Route(pattern=f"{_DATA}/sobjects", handlers={"GET": describe.global_describe}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}", handlers={"GET": describe.basic_info, "POST": records.create}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/describe", handlers={"GET": describe.describe}),
    Route(
        pattern=f"{_DATA}/sobjects/{{sobject}}/{{id}}",
        handlers={
            "GET": records.retrieve,
            "PATCH": records.update,
            "DELETE": records.delete,
            "POST": records.create_by_id_path,
        },
    ),
    Route(
        pattern=f"{_DATA}/sobjects/{{sobject}}/{{field}}/{{value}}",
        handlers={"GET": records.retrieve_by_key, "PATCH": records.upsert, "DELETE": records.delete_by_key},
    ),
    Route(pattern=f"{_DATA}/query", handlers={"GET": queries.query}),
    Route(pattern=f"{_DATA}/query/{{locator}}", handlers={"GET": queries.more}),
    Route(pattern=f"{_DATA}/queryAll", handlers={"GET": queries.query_all}),
    Route(pattern=f"{_DATA}/queryAll/{{locator}}", handlers={"GET": queries.more}),
    Route(pattern=f"{_DATA}/composite", handlers={"GET": collections.overview}),
    Route(
        pattern=f"{_DATA}/composite/sobjects",
        handlers={"POST": collections.create, "PATCH": collections.update, "DELETE": collections.delete},
    ),
    Route(
        pattern=f"{_DATA}/composite/sobjects/{{sobject}}",
        handlers={"GET": collections.retrieve_by_get, "POST": collections.retrieve_by_post},
    ),
    Route(pattern=f"{_DATA}/composite/sobjects/{{sobject}}/{{field}}", handlers={"PATCH": collections.upsert}),
)
_BULK = (
    Route(
        pattern=f"{_DATA}/jobs/ingest",
        handlers={"GET": bulk_ingest.show_all, "POST": bulk_ingest.create},
        bulk=True,
    ),
    Route(
        pattern=f"{_DATA}/jobs/ingest/{{id}}",
        handlers={"GET": bulk_ingest.show, "PATCH": bulk_ingest.change, "DELETE": bulk_ingest.remove},
        bulk=True,
    ),
    Route(pattern=f"{_DATA}/jobs/ingest/{{id}}/batches", handlers={"PUT": bulk_ingest.upload}, bulk=True),
    Route(pattern=f"{_DATA}/jobs/ingest/{{id}}/{{results}}", handlers={"GET": bulk_ingest.results}, bulk=True),
    Route(pattern=f"{_DATA}/jobs/query", handlers={"GET": bulk_query.show_all, "POST": bulk_query.create}, bulk=True),
    Route(
        pattern=f"{_DATA}/jobs/query/{{id}}",
        handlers={"GET": bulk_query.show, "PATCH": bulk_query.change, "DELETE": bulk_query.remove},
        bulk=True,
    ),
    Route(pattern=f"{_DATA}/jobs/query/{{id}}/results", handlers={"GET": bulk_query.results}, bulk=True),
    Route(pattern=f"{_DATA}/jobs/query/{{id}}/resultPages", handlers={"GET": bulk_query.result_pages}, bulk=True),
)


def route_table() -> RouteTable:
    """Return the table of all routes."""
    return RouteTable([*_OPEN, *CONTROLS, *_REST, *_BULK])

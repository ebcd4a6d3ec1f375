"""Every address that the emulated org answers, in one table."""

from __future__ import annotations

from orgbridge.emulator.http.auth import routes as auth
from orgbridge.emulator.http.control.table import CONTROLS
from orgbridge.emulator.http.resources import (
    appearance,
    batch,
    blobs,
    bulk1,
    bulk_ingest,
    bulk_query,
    collections,
    composite,
    describe,
    discovery,
    graph,
    layouts,
    listviews,
    queries,
    recent,
    records,
    replication,
    search,
    tooling,
    traversal,
    tree,
)
from orgbridge.emulator.http.resources.commerce import routes as commerce
from orgbridge.emulator.http.resources.subrequests import Subrequests
from orgbridge.emulator.http.routing import Access, Route, RouteTable

_DATA = "/services/data/{version}"
_OPEN = (
    Route(pattern="/services/data", handlers={"GET": discovery.versions}, access=Access.OPEN),
    *auth.ROUTES,
)
_REST = (
    Route(pattern=_DATA, handlers={"GET": discovery.resources}),
    Route(pattern=f"{_DATA}/limits", handlers={"GET": discovery.limits}),
    Route(pattern=f"{_DATA}/limits/recordCount", handlers={"GET": discovery.record_count}),
    Route(pattern=f"{_DATA}/sobjects", handlers={"GET": describe.global_describe}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}", handlers={"GET": describe.basic_info, "POST": blobs.create}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/describe", handlers={"GET": describe.describe}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/describe/layouts", handlers={"GET": layouts.layouts}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/describe/layouts/{{id}}", handlers={"GET": layouts.layout}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/describe/compactLayouts", handlers={"GET": layouts.compact_layouts}),
    Route(
        pattern=f"{_DATA}/sobjects/{{sobject}}/describe/compactLayouts/{{id}}",
        handlers={"GET": layouts.compact_layout},
    ),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/describe/approvalLayouts", handlers={"GET": layouts.approval_layouts}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/defaultValues", handlers={"GET": layouts.default_values}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/listviews", handlers={"GET": listviews.list_views}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/listviews/{{id}}", handlers={"GET": listviews.list_view}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/listviews/{{id}}/describe", handlers={"GET": listviews.describe}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/listviews/{{id}}/results", handlers={"GET": listviews.show}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/quickActions", handlers={"GET": layouts.quick_actions}),
    Route(
        pattern=f"{_DATA}/sobjects/{{sobject}}/quickActions/{{name}}",
        handlers={"GET": appearance.quick_action, "POST": appearance.quick_action},
    ),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/deleted", handlers={"GET": replication.deleted}),
    Route(pattern=f"{_DATA}/sobjects/{{sobject}}/updated", handlers={"GET": replication.updated}),
    Route(
        pattern=f"{_DATA}/sobjects/{{sobject}}/{{id}}",
        handlers={
            "GET": records.retrieve,
            "PATCH": blobs.update,
            "DELETE": records.delete,
            "POST": records.create_by_id_path,
        },
    ),
    Route(
        pattern=f"{_DATA}/sobjects/{{sobject}}/{{field}}/{{value}}",
        handlers={
            "GET": traversal.retrieve,
            "PATCH": traversal.change,
            "DELETE": traversal.remove,
            "POST": traversal.post,
        },
    ),
    Route(pattern=f"{_DATA}/query", handlers={"GET": queries.query}),
    Route(pattern=f"{_DATA}/query/{{locator}}", handlers={"GET": queries.more}),
    Route(pattern=f"{_DATA}/queryAll", handlers={"GET": queries.query_all}),
    Route(pattern=f"{_DATA}/queryAll/{{locator}}", handlers={"GET": queries.more}),
    Route(pattern=f"{_DATA}/search", handlers={"GET": search.search}),
    Route(
        pattern=f"{_DATA}/parameterizedSearch",
        handlers={"GET": search.parameterized_by_get, "POST": search.parameterized_by_post},
    ),
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
_EXTRAS = (
    Route(pattern=f"{_DATA}/recent", handlers={"GET": recent.recent}),
    Route(pattern=f"{_DATA}/tabs", handlers={"GET": appearance.tabs}),
    Route(pattern=f"{_DATA}/theme", handlers={"GET": appearance.theme}),
    Route(pattern=f"{_DATA}/quickActions", handlers={"GET": appearance.quick_actions}),
    Route(pattern=f"{_DATA}/process/rules", handlers={"GET": appearance.rules, "POST": appearance.run_rules}),
    Route(
        pattern=f"{_DATA}/process/approvals",
        handlers={"GET": appearance.approvals, "POST": appearance.request_approval},
    ),
    Route(pattern=f"{_DATA}/compactLayouts", handlers={"GET": layouts.many_compact_layouts}),
    Route(pattern=f"{_DATA}/tooling", handlers={"GET": tooling.overview}),
    Route(pattern=f"{_DATA}/tooling/query", handlers={"GET": tooling.query}),
    Route(pattern=f"{_DATA}/tooling/sobjects", handlers={"GET": tooling.global_describe}),
    Route(
        pattern=f"{_DATA}/tooling/sobjects/{{sobject}}", handlers={"GET": tooling.basic_info, "POST": tooling.change}
    ),
    Route(pattern=f"{_DATA}/tooling/sobjects/{{sobject}}/describe", handlers={"GET": tooling.describe}),
    Route(
        pattern=f"{_DATA}/tooling/sobjects/{{sobject}}/{{id}}",
        handlers={"GET": tooling.retrieve, "PATCH": tooling.change, "DELETE": tooling.change},
    ),
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


def _below(*starts: str) -> Subrequests:
    """Return what runs subrequests to the REST addresses that begin so."""
    return Subrequests(route for route in _REST if route.pattern.removeprefix(_DATA).startswith(starts))


#: What may stand in each kind of composite call. Source: facts/salesforce/composite.md sections 1, 2 and 4.
_COMPOSITE = (
    Route(
        pattern=f"{_DATA}/composite",
        handlers={
            "GET": composite.overview,
            "POST": composite.Composite(_below("/sobjects", "/query", "/composite/sobjects")).answer,
        },
    ),
    Route(
        pattern=f"{_DATA}/composite/batch",
        handlers={"POST": batch.CompositeBatch(_below("/limits", "/sobjects", "/query", "/search")).answer},
    ),
    Route(pattern=f"{_DATA}/composite/graph", handlers={"POST": graph.CompositeGraph(_below("/sobjects")).answer}),
    Route(pattern=f"{_DATA}/composite/tree/{{sobject}}", handlers={"POST": tree.create}),
)


def route_table() -> RouteTable:
    """Return the table of all routes."""
    return RouteTable([*_OPEN, *CONTROLS, *_REST, *_EXTRAS, *_COMPOSITE, *_BULK, *bulk1.ROUTES, *commerce.ROUTES])

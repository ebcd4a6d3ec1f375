"""Whatever is sent to the composite family, the org answers, and never with 500."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orgbridge.emulator.http.resources.references import BadReferenceError, fill, fill_url
from tests.unit.emulator.http.conftest import Caller, V

TEXTS = st.sampled_from(
    ["", "a", "@{a.id}", "@{a[0].id}", "@{b.records[0].Id}", "@{", "@{}", "x@{a}y", "Account", "\u0000", "Ä", "%zz"]
)
SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.just("records"), inner, max_size=3),
    max_leaves=6,
)
URLS = st.sampled_from(
    [
        f"{V}/sobjects/Account", f"{V}/sobjects/Account/@{{a.id}}", f"{V}/sobjects/Account/@{{a.id}}/Contacts",
        f"{V}/sobjects/Account/External_Id__c/@{{a.id}}", f"{V}/query?q=SELECT Id FROM Account WHERE Name='@{{a.id}}'",
        f"{V}/composite/sobjects", f"{V}/composite", f"{V}/nothing/%", "@{a.attributes.url}", "v62.0/limits", "",
    ]
)  # fmt: skip
ROWS = st.fixed_dictionaries(
    {}, optional={"Name": SCALARS, "Phone": SCALARS, "attributes": VALUES, "records": VALUES, "allOrNone": SCALARS}
)
SUBREQUESTS = st.fixed_dictionaries(
    {"method": st.sampled_from(["GET", "POST", "PATCH", "DELETE", "PUT", "get"]), "url": URLS},
    optional={
        "referenceId": st.sampled_from(["a", "b", "c", "_"]),
        "body": ROWS | VALUES,
        "richInput": ROWS,
        "httpHeaders": st.dictionaries(st.sampled_from(["If-Match", "x", "Accept", "If-Modified-Since"]), SCALARS),
    },
)
LISTS = st.lists(SUBREQUESTS | VALUES, max_size=4)
BODIES = {
    "/composite": st.fixed_dictionaries({"compositeRequest": LISTS}, optional={"allOrNone": SCALARS}),
    "/composite/batch": st.fixed_dictionaries({"batchRequests": LISTS}, optional={"haltOnError": SCALARS}),
    "/composite/graph": st.fixed_dictionaries(
        {"graphs": st.lists(st.fixed_dictionaries({"graphId": TEXTS, "compositeRequest": LISTS}), max_size=2)}
    ),
    "/composite/tree/Account": st.fixed_dictionaries({"records": st.lists(ROWS, max_size=3) | VALUES}),
}
CALLS = st.sampled_from(list(BODIES)).flatmap(lambda path: st.tuples(st.just(path), BODIES[path]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CALLS)
def test_no_body_breaks_the_org(call: Caller, sent: tuple[str, Any]) -> None:
    """Every reply is 200, 201 or 400, and no part of it tells of an unexpected error."""
    path, body = sent
    reply = call("POST", path, json=body)
    assert reply.status_code in (200, 201, 400), reply.text
    assert "UNKNOWN_EXCEPTION" not in reply.text


@given(VALUES, VALUES)
def test_a_reference_is_filled_or_refused(value: Any, result: Any) -> None:
    """There is no third way: no other error, and no good reference stays in a text."""
    with contextlib.suppress(BadReferenceError):
        fill(value, {"a": result}, 62)
    with contextlib.suppress(BadReferenceError):
        filled = fill_url(str(value), {"a": result}, 62)
        assert "@{a.id}" not in filled or "@{a.id}" in str(result)

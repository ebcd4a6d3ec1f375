"""The flaws of the public service that had this job before: for each of the 25, tests that show ours has not got it.

Numbers are those of section 5 of the list. The table names every test; those about signing in and safety stand here,
the others with their rooms.
"""

from __future__ import annotations

import ast
import re
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from orgbridge.services.key_rotation import SigningKeys
from orgbridge.soql import quote
from tests.integration.test_api_contract import check_problem
from tests.support.local_house import LoneService, lone_service

_PASSWORD = "correct horse battery"
_ROOT = Path(__file__).parents[2]
_HERE = "integration/test_seed_flaws.py"
#: By number: what was wrong there, and the tests below `tests` that show that it is not here.
FLAWS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "the account is lost on the way",
        (
            "integration/test_carts.py::test_flaw_01_every_call_names_the_account",
            "unit/client/test_commerce.py::test_flaw_01_the_account_goes_with_every_call",
        ),
    ),
    2: (
        "the first page only",
        (
            "integration/test_carts.py::test_flaw_02_no_line_is_lost_to_paging",
            "unit/client/test_commerce.py::test_flaw_02_all_pages_are_read",
            "integration/test_salesforce_machines.py::test_flaw_02_all_pages_of_machines_come",
            "integration/test_api_purchase_orders.py::test_lists_are_read_page_by_page",
        ),
    ),
    3: (
        "ids of callers are believed",
        (
            f"{_HERE}::test_flaw_03_grants_are_read_from_the_store_and_not_from_the_token",
            "integration/test_carts.py::test_flaw_03_nobody_reaches_another_account_or_cart",
            "integration/test_placements.py::test_flaw_3_nobody_orders_anothers_cart",
            "integration/test_salesforce_accounts.py::test_flaw_03_an_account_of_another_organization_is_refused",
            "integration/test_salesforce_machines.py::test_flaw_03_machines_of_another_organization_are_refused",
            "integration/test_api_purchase_orders.py::test_flaw_03_nobody_outside_sees_or_does_anything",
            "properties/test_commerce_walls.py::test_nothing_of_another_organization_ever_comes_out",
        ),
    ),
    4: (
        "queries put together from what callers say",
        (
            f"{_HERE}::test_flaw_04_text_cannot_leave_its_quotes",
            "integration/test_salesforce_accounts.py::test_flaw_04_a_name_is_never_read_as_soql",
            "integration/test_salesforce_machines.py::test_flaw_04_filters_are_values",
        ),
    ),
    5: (
        "price books found by price",
        (
            "unit/engine/orders/test_books.py::test_flaw_5_an_entry_is_found_by_product_and_price_book_never_by_price",
            "unit/engine/orders/test_books.py::test_flaw_5_a_line_without_an_entry_is_named_and_nothing_is_ordered",
        ),
    ),
    6: (
        "charges and lines without a price crash",
        ("unit/engine/orders/test_books.py::test_flaw_6_charges_and_lines_without_a_price_are_refused_in_words",),
    ),
    7: (
        "partial and double orders",
        (
            "integration/test_placements.py::test_flaw_7_the_same_key_is_the_same_order",
            "integration/test_orders.py::test_flaw_7_lost_replies_and_failures_of_an_order_leave_one",
            "integration/test_orders.py::test_several_price_books_are_several_orders_all_or_none",
            "integration/test_purchase_placing.py::test_a_process_that_dies_while_ordering_leaves_one_order",
        ),
    ),
    8: (
        "quantities written past the rules",
        (
            "integration/test_carts.py::test_flaw_08_quantity_rules_hold_for_every_way_of_changing",
            f"{_HERE}::test_flaw_08_no_row_of_a_cart_line_is_written_directly",
        ),
    ),
    9: (
        "a local copy that drifts",
        (
            "integration/test_cart_outcomes.py::test_flaw_09_the_mirror_says_what_salesforce_says",
            "integration/test_cart_outcomes.py::test_the_sweep_mends_what_changed_behind_our_back",
        ),
    ),
    10: (
        "the loop is blocked, sessions leak",
        (f"{_HERE}::test_flaw_10_nothing_that_blocks_is_imported_where_requests_are_served",),
    ),
    11: (
        "broken tokens are a 500",
        (
            f"{_HERE}::test_flaw_11_a_broken_token_is_a_401_and_never_a_500",
            f"{_HERE}::test_flaw_11_a_user_who_is_gone_is_a_401",
            "integration/test_machine_parts.py::test_flaw_11_a_buyer_whom_salesforce_refuses_is_told_so",
        ),
    ),
    12: (
        "a sign-in a minute, two hosts",
        (
            "integration/test_buyers.py::test_many_calls_at_once_are_one_sign_in",
            "integration/test_buyers.py::test_sessions_are_bounded_and_go_when_idle",
        ),
    ),
    13: ("keys in clear", (f"{_HERE}::test_flaw_13_a_made_key_is_its_owners_alone_and_made_once",)),
    14: (
        "refusals of Salesforce handed on",
        (
            f"{_HERE}::test_flaw_14_what_salesforce_refuses_to_us_is_not_the_callers_401",
            "integration/test_cart_outcomes.py::test_flaw_14_salesforces_refusals_are_told_by_the_contract",
            "integration/test_commerce_sockets.py::test_flaw_14_salesforces_refusals_are_not_the_callers",
        ),
    ),
    15: (
        "failures kept as answers",
        (
            f"{_HERE}::test_flaw_15_a_refused_sign_in_is_not_kept_as_an_answer",
            "integration/test_api_purchase_orders.py::test_a_pdf_is_stored_once_and_comes_back",
        ),
    ),
    16: (
        "a body after 204",
        (
            f"{_HERE}::test_flaw_16_a_204_has_no_body",
            "integration/test_carts.py::test_a_second_addition_grows_the_line_and_a_change_sets_it",
        ),
    ),
    17: ("two functions of one name", (f"{_HERE}::test_flaw_17_no_name_is_defined_twice",)),
    18: (
        "two versions of the API",
        (
            "integration/test_commerce_stories.py::test_every_route_once_in_one_story",
            f"{_HERE}::test_flaw_18_no_version_of_the_api_stands_in_a_path",
        ),
    ),
    19: ("imports that need a database", (f"{_HERE}::test_flaw_19_importing_needs_nothing_alive",)),
    20: (
        "any scope will do, grants go stale",
        (
            f"{_HERE}::test_flaw_20_every_scope_of_a_route_is_needed",
            "integration/test_purchase_orders.py::test_another_organization_is_told_that_there_is_none",
        ),
    ),
    21: (
        "orders of colleagues are missing",
        (
            "integration/test_orders.py::test_history_shows_own_orders_and_with_leave_those_of_colleagues",
            "integration/test_purchase_orders.py::test_flaw_21_colleagues_see_each_others_orders",
        ),
    ),
    22: (
        "values kept across tenants",
        (f"{_HERE}::test_flaw_22_no_function_keeps_what_a_tenant_was_told",),
    ),
    23: (
        "a password to sign in with",
        (
            "integration/test_commerce_stories.py::test_every_route_once_in_one_story",
            "integration/test_buyers.py::test_each_acts_as_oneself",
        ),
    ),
    24: (
        "dates that are no JSON",
        ("integration/test_api_purchase_orders.py::test_flaw_24_salesforce_is_told_of_each_state_once",),
    ),
    25: (
        "an owner who may not be set",
        (
            "integration/test_api_purchase_orders.py::test_a_pdf_is_stored_once_and_comes_back",
            f"{_HERE}::test_flaw_25_no_owner_is_ever_set",
        ),
    ),
}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[LoneService]:
    """Give a service over a fresh folder."""
    async with lone_service(tmp_path) as running:
        yield running


def _app(service: LoneService) -> Any:
    return service.client._transport.app  # type: ignore[attr-defined] # the transport we made


async def test_flaw_03_grants_are_read_from_the_store_and_not_from_the_token(service: LoneService) -> None:
    """The token names no organization, plant or machine: nobody keeps what was taken away."""
    claims = jwt.decode(await service.token("records:read"), options={"verify_signature": False})
    assert not {"organizations", "plants", "machines"} & set(claims)


@pytest.mark.parametrize("text", ["x' OR Name != '", "\\' OR Id != null --", "a\nb", "%_"])
def test_flaw_04_text_cannot_leave_its_quotes(text: str) -> None:
    """What a caller says becomes one literal of a query, whatever is in it."""
    literal = quote(text)
    inner = literal[1:-1].replace("\\\\", "").replace("\\'", "")
    assert literal[0] == literal[-1] == "'"
    assert "'" not in inner
    assert "\n" not in literal


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "e30.e30.", "null", "Bearer", "é" * 40, "." * 5000])
async def test_flaw_11_a_broken_token_is_a_401_and_never_a_500(service: LoneService, token: str) -> None:
    """Nothing that stands where a token should makes the service stumble."""
    headers = {"Authorization": f"Bearer {token}".encode()}
    reply = await service.client.get("/api/v1/users/me", headers=headers)  # type: ignore[arg-type] # bytes are fine
    check_problem(reply, 401, "identity.not_signed_in")


async def test_flaw_11_a_user_who_is_gone_is_a_401(service: LoneService) -> None:
    """A good token of nobody is refused as any other."""
    identity = _app(service).state.services.identity
    user = await identity.create_user("ann", _PASSWORD, scopes=["records:read"])
    token = (await identity.sign_in("ann", _PASSWORD)).token
    async with identity._database.unit() as unit:
        await unit.users.update(user.id, disabled=True)
    identity.principals.forget()
    headers = {"Authorization": f"Bearer {token}"}
    check_problem(await service.client.get("/api/v1/users/me", headers=headers), 401, "identity.not_signed_in")


async def test_flaw_13_a_made_key_is_its_owners_alone_and_made_once(service: LoneService) -> None:
    """Mode 0600 in a folder of 0700, PEM read by a parser; no key stands in the source."""
    keys: SigningKeys = _app(service).state.services.identity.keys
    path = keys._config.path
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    root = Path(__file__).parents[2] / "src"
    hits = [file for file in root.rglob("*.py") if "-----BEGIN PRIVATE KEY-----\n" in file.read_text()]
    assert hits == []


async def test_flaw_14_what_salesforce_refuses_to_us_is_not_the_callers_401(service: LoneService) -> None:
    """Our sign-in fails: the caller, who is signed in well, gets a 503 that says so."""
    headers = {"Authorization": f"Bearer {await service.token('records:read')}"}
    reply = await service.client.get("/api/v1/limits", headers=headers)
    check_problem(reply, 503, "salesforce.sign_in_unavailable")


async def test_flaw_15_a_refused_sign_in_is_not_kept_as_an_answer(service: LoneService) -> None:
    """A failure is an error each time and never becomes an empty value."""
    headers = {"Authorization": f"Bearer {await service.token('records:read')}"}
    for _ in range(2):
        assert (await service.client.get("/api/v1/sobjects", headers=headers)).status_code == 503


async def test_flaw_16_a_204_has_no_body(service: LoneService) -> None:
    """Nor a length, nor a media type."""
    identity = _app(service).state.services.identity
    await identity.create_user("ann", _PASSWORD, scopes=["records:read"])
    headers = {"Authorization": f"Bearer {(await identity.sign_in('ann', _PASSWORD)).token}", "Idempotency-Key": "k"}
    reply = await service.client.delete("/api/v1/users/me/sessions", headers=headers)
    assert (reply.status_code, reply.content) == (204, b"")
    assert "content-type" not in reply.headers


def test_flaw_19_importing_needs_nothing_alive() -> None:
    """No module opens a database, a vault or a socket when it is imported."""
    program = (
        "import socket, sys\n"
        "def refuse(event, arguments):\n"
        "    if event in ('socket.connect', 'sqlite3.connect'): raise SystemExit(event)\n"
        "sys.addaudithook(refuse)\n"
        "import importlib, pkgutil\n"
        "import orgbridge.wiring.service, orgbridge.wiring.vault, orgbridge.wiring.worker\n"
        "import orgbridge.cli.main, orgbridge.cli.commands as commands\n"
        "for one in pkgutil.iter_modules(commands.__path__, commands.__name__ + '.'):\n"
        "    importlib.import_module(one.name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def test_flaw_20_every_scope_of_a_route_is_needed(service: LoneService) -> None:
    """Having some other scope is not enough, and a scope that was taken away is gone although the token has it."""
    identity = _app(service).state.services.identity
    user = await identity.create_user("ann", _PASSWORD, scopes=["records:read", "bulk:read"])
    headers = {"Authorization": f"Bearer {(await identity.sign_in('ann', _PASSWORD)).token}"}
    body = {"object_name": "Account", "data": {"Name": "x"}}
    reply = await service.client.post("/api/v1/records/create", json=body, headers=headers)
    check_problem(reply, 403, "identity.scope_missing")
    assert (await service.client.get("/api/v1/bulk/jobs", headers=headers)).status_code == 200
    async with identity._database.unit() as unit:
        await unit.users.update(user.id, scopes=["records:read"])
    identity.principals.forget()
    check_problem(await service.client.get("/api/v1/bulk/jobs", headers=headers), 403, "identity.scope_missing")


async def test_flaw_refresh_an_access_token_is_no_refresh_token(service: LoneService) -> None:
    """Section 3 of the list: there, any access token could be refreshed, by disabled users too."""
    form = {"grant_type": "refresh_token", "refresh_token": await service.token("records:read")}
    check_problem(await service.client.post("/token", data=form), 400, "identity.refresh_token_invalid")


def _modules(*rooms: str) -> Iterator[tuple[Path, str]]:
    """Give the modules of some rooms with their source, those of all rooms when none is named."""
    source = _ROOT / "src" / "orgbridge"
    for folder in (source / room for room in rooms) if rooms else (source,):
        for path in sorted(folder.rglob("*.py")):
            yield path, path.read_text()


def test_every_flaw_has_a_test_that_shows_it_is_not_here() -> None:
    """All 25 numbers are in the table, and each test that it names exists and has been written to say what it shows."""
    assert sorted(FLAWS) == list(range(1, 26))
    known: dict[str, set[str]] = {}
    for number, (what, tests) in FLAWS.items():
        assert what, number
        assert tests, f"flaw {number} has no test"
        for name in tests:
            file, _, function = name.partition("::")
            if file not in known:
                tree = ast.parse((_ROOT / "tests" / file).read_text())
                defined = [one for one in tree.body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
                known[file] = {one.name for one in defined if ast.get_docstring(one)}
            assert function in known[file], f"flaw {number}: there is no {name}"


def test_every_test_of_a_flaw_is_in_the_table() -> None:
    """A test that bears a flaw's number in its name, outside of the emulator's own, is named for that number."""
    for path in sorted((_ROOT / "tests").rglob("test_*.py")):
        file = path.relative_to(_ROOT / "tests").as_posix()
        if file.startswith("unit/emulator/"):
            continue
        for found in re.finditer(r"def (test_flaw_(\d+)_\w+)\(", path.read_text()):
            assert f"{file}::{found[1]}" in FLAWS[int(found[2])][1], found[1]


def test_flaw_08_no_row_of_a_cart_line_is_written_directly() -> None:
    """Lines of carts are changed by the Connect API alone: nothing writes rows of CartItem."""
    for path, text in _modules("services", "engine", "client"):
        for call in ast.walk(ast.parse(text)):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                writes = call.func.attr in ("create", "update", "upsert", "delete")
                first = call.args[0] if call.args else None
                assert not (writes and isinstance(first, ast.Constant) and first.value == "CartItem"), path


def test_flaw_10_nothing_that_blocks_is_imported_where_requests_are_served() -> None:
    """No blocking client of HTTP or databases stands in a room that serves, and every query has its own unit."""
    blocking = {"requests", "urllib3", "http.client", "psycopg2", "simple_salesforce", "urllib.request"}
    for path, text in _modules("api", "services", "engine", "orgs", "client", "store"):
        for node in ast.walk(ast.parse(text)):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not blocking & set(names), path


def test_flaw_17_no_name_is_defined_twice() -> None:
    """No function hides another one of its name, in no module and no class."""
    for path, text in _modules():
        for scope in ast.walk(ast.parse(text)):
            if not isinstance(scope, ast.Module | ast.ClassDef):
                continue
            seen: set[str] = set()
            for one in scope.body:
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
                    several = {ast.unparse(mark).rpartition(".")[2] for mark in one.decorator_list}
                    assert one.name not in seen or several & {"setter", "deleter"}, (path, one.name)
                    seen |= set() if "overload" in several else {one.name}


def test_flaw_18_no_version_of_the_api_stands_in_a_path() -> None:
    """The version is a setting: no path of ours names one."""
    for path, text in _modules("client", "services", "engine", "orgs"):
        assert re.search(r"services/data/v\d", re.sub(r"#.*", "", text)) is None, path


def test_flaw_22_no_function_keeps_what_a_tenant_was_told() -> None:
    """No method and no coroutine is cached by a decorator where callers or orgs are served."""
    for path, text in _modules("api", "services", "orgs", "client", "store"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                marks = {ast.unparse(mark).partition("(")[0].rpartition(".")[2] for mark in node.decorator_list}
                arguments = {one.arg for one in node.args.args}
                kept = marks & {"lru_cache", "cache"}
                assert not (kept and (arguments & {"self", "caller"} or not arguments)), (path, node.name)


def test_flaw_25_no_owner_is_ever_set() -> None:
    """Purchase orders, their documents and orders are written without an owner: no right over other users is needed."""
    for path, text in _modules("services/commerce", "engine/orders", "client/commerce"):
        for node in ast.walk(ast.parse(text)):
            keys = (
                [one.value for one in node.keys if isinstance(one, ast.Constant)] if isinstance(node, ast.Dict) else []
            )
            assert not {"OwnerId", "OwnerID"} & set(keys), path

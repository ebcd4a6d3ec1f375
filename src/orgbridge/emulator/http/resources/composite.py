"""Several calls in one: POST /composite, and what composite graphs share with it.

Source: facts/salesforce/composite.md section 1. Assumed, unless the docstring says otherwise: codes and texts with
which the whole call is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call, Parts
from orgbridge.emulator.http.resources.references import BadReferenceError, fill, fill_url, is_reference_id, plain_url
from orgbridge.emulator.http.resources.subrequests import Result, Subrequest, Subrequests
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.storage.joined import JoinedStorage
from orgbridge.kit.json import JSON
from orgbridge.wire.limits import COMPOSITE_QUERIES, COMPOSITE_SUBREQUESTS

_METHODS = ("POST", "PUT", "PATCH", "GET", "DELETE")
_KEYS = frozenset({"method", "url", "referenceId", "body", "httpHeaders"})
#: Headers that only the whole call may have. Source: composite.md section 1.
_OUTER_HEADERS = frozenset({"accept", "authorization", "content-type"})
#: First version that refuses the whole call for an id out of form. Source: the same.
_IDS_CHECKED_SINCE = 52
#: Levels that a body may have: no record needs more, and whoever walks it needs a bound. Assumed.
_LEVELS = 100
_ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One subrequest as it was sent: references not yet filled in."""

    #: In upper case.
    method: str
    #: Begins with `/services/data/`, or is a reference.
    url: str
    #: What others call its result.
    reference_id: str
    #: JSON, or None for none.
    body: JSON = None
    #: Headers of its own.
    headers: Mapping[str, str] = field(default_factory=dict)


class Composite:
    """Answers /composite.

    Args:
        subrequests: Runs what may stand in a composite call.
    """

    def __init__(self, subrequests: Subrequests) -> None:
        self._subrequests = subrequests

    async def answer(self, call: Call) -> Response:
        """Answer POST /composite: 200 whatever became of the subrequests."""
        body = await call.json_object()
        refuse_keys(body, ("allOrNone", "collateSubrequests", "compositeRequest"))
        all_or_none = flag(body, "allOrNone")
        # Collating may change how the platform batches its work, not what a caller sees.
        flag(body, "collateSubrequests")
        nodes = read_nodes(body.get("compositeRequest"), call.version)
        self._check_counts(nodes)
        results = await call.thread(lambda: self._run(call, nodes, all_or_none=all_or_none))
        return call.json({"compositeResponse": results})

    def _check_counts(self, nodes: Sequence[Node]) -> None:
        if len(nodes) > COMPOSITE_SUBREQUESTS:
            refuse(f"The request contains {len(nodes)} subrequests. The limit is {COMPOSITE_SUBREQUESTS}.")
        patterns = [self._subrequests.pattern(node.url) or "" for node in nodes]
        heavy = sum(is_heavy(pattern) for pattern in patterns)
        if heavy > COMPOSITE_QUERIES:
            refuse(f"The request contains {heavy} query or collection subrequests. The limit is {COMPOSITE_QUERIES}.")

    def _run(self, call: Call, nodes: Sequence[Node], *, all_or_none: bool) -> list[JSON]:
        if all_or_none:
            return run_whole(self._subrequests, call, nodes)[0]
        runner = Runner(self._subrequests, call, call.parts)
        return [shown(node, runner.run(node)) for node in nodes]


class Runner:
    """Runs the nodes of one call or graph after each other and keeps what they gave for those that refer to it."""

    def __init__(self, subrequests: Subrequests, call: Call, parts: Parts) -> None:
        self._subrequests = subrequests
        self._call = call
        self._parts = parts
        self._values: dict[str, JSON] = {}

    def run(self, node: Node) -> Result:
        """Return what a node gives; PROCESSING_HALTED when it refers to nothing."""
        version = self._call.version
        try:
            url = fill_url(node.url, self._values, version)
            body = fill(node.body, self._values, version)
        except BadReferenceError as error:
            return halted(str(error))
        asked = Subrequest(method=node.method, url=url, body=body, headers=node.headers)
        result = self._subrequests.run(self._call, self._parts, asked)
        if not result.failed and is_reference_id(node.reference_id):
            self._values[node.reference_id] = result.body
        return result


class _Undo(Exception):
    """Ends a transaction that must not stay."""


def run_whole(subrequests: Subrequests, call: Call, nodes: Sequence[Node]) -> tuple[list[JSON], bool]:
    """Run nodes in one transaction that stays only if all succeed; return what each gave, and whether it stayed.

    The first that fails keeps its own result and ends the work; all others are told of the rollback.
    """
    results: list[Result] = []
    try:
        with call.parts.storage.write() as connection:
            runner = Runner(subrequests, call, call.parts.through(JoinedStorage(call.parts.storage, connection)))
            for node in nodes:
                results.append(runner.run(node))
                if results[-1].failed or _has_failed_item(results[-1]):
                    raise _Undo
    except _Undo:
        last = len(results) - 1
        told = [results[place] if place == last else halted(_ROLLED_BACK) for place in range(len(nodes))]
        return [shown(node, result) for node, result in zip(nodes, told, strict=True)], False
    return [shown(node, result) for node, result in zip(nodes, results, strict=True)], True


def _has_failed_item(result: Result) -> bool:
    """Tell whether a collection reports a failed record: under allOrNone that fails the whole call."""
    items = result.body if isinstance(result.body, list) else []
    return any(isinstance(item, dict) and item.get("success") is False for item in items)


def halted(text: str) -> Result:
    """Return the result of a node that was not run, or whose work was undone."""
    return Result(status=400, body=[{"errorCode": "PROCESSING_HALTED", "message": text}])


def shown(node: Node, result: Result) -> JSON:
    """Return a result as the reply shows it, keys in the recorded order."""
    return {
        "body": result.body,
        "httpHeaders": dict(result.headers),
        "httpStatusCode": result.status,
        "referenceId": node.reference_id,
    }


def is_heavy(pattern: str) -> bool:
    """Tell whether a route counts as a query or a collection, of which a call may hold only a few."""
    return any(f"/{word}" in pattern for word in ("query", "queryAll", "composite/sobjects"))


def refuse(text: str, code: str = "INVALID_INPUT") -> None:
    """Refuse the whole call.

    Raises:
        SFError: Always, with status 400.
    """
    raise SFError(code, text, 400)


def refuse_keys(body: Mapping[str, JSON], known: Sequence[str] | frozenset[str]) -> None:
    """Refuse an object with a key that nobody knows.

    Raises:
        SFError: There is one.
    """
    for key in body:
        if key not in known:
            refuse(f'Unrecognized field "{key}" at [line:1, column:1]', "JSON_PARSER_ERROR")


def flag(body: Mapping[str, JSON], name: str, default: bool = False) -> bool:
    """Return a boolean of a request.

    Raises:
        SFError: It is something else.
    """
    value = body.get(name, default)
    if not isinstance(value, bool):
        refuse(f"{name} must be a boolean at [line:1, column:1]", "JSON_PARSER_ERROR")
    return bool(value)


def read_nodes(items: JSON, version: int, check: Callable[[Node], None] | None = None) -> list[Node]:
    """Return the subrequests of a call or graph.

    Args:
        items: What the request holds.
        version: API version of the whole call.
        check: Looks at each and may refuse the call.

    Raises:
        SFError: They are out of form: the whole call is refused, nothing was run.
    """
    if not isinstance(items, list) or not items:
        raise SFError("JSON_PARSER_ERROR", "compositeRequest must be a list of subrequests at [line:1, column:1]")
    nodes = [_read_node(item, version) for item in items]
    seen: set[str] = set()
    for node in nodes:
        if node.reference_id in seen:
            refuse(f"Duplicate referenceId ('{node.reference_id}') provided in the request.")
        seen.add(node.reference_id)
        if check is not None:
            check(node)
    return nodes


def _read_node(item: JSON, version: int) -> Node:
    if not isinstance(item, dict):
        raise SFError("JSON_PARSER_ERROR", "a subrequest must be an object at [line:1, column:1]")
    refuse_keys(item, _KEYS)
    method, url, reference_id = item.get("method"), item.get("url"), item.get("referenceId")
    headers = item.get("httpHeaders") or {}
    if not isinstance(method, str) or method not in _METHODS:
        raise SFError("JSON_PARSER_ERROR", f"{method!r} is no method of a subrequest at [line:1, column:1]")
    if not isinstance(url, str) or not url.startswith(("/services/data/", "@{")):
        raise SFError("JSON_PARSER_ERROR", "The url of a subrequest must begin with /services/data/vXX.X/")
    if not isinstance(reference_id, str):
        raise SFError("JSON_PARSER_ERROR", "referenceId is required in every subrequest at [line:1, column:1]")
    if version >= _IDS_CHECKED_SINCE and not is_reference_id(reference_id):
        refuse(
            f"Provided referenceId ('{reference_id}') must start with a letter or a number, and it can contain only "
            "letters, numbers and underscores ('_')."
        )
    if not isinstance(headers, dict) or not all(isinstance(value, str) for value in headers.values()):
        raise SFError("JSON_PARSER_ERROR", "httpHeaders must be an object of strings at [line:1, column:1]")
    if _is_deeper(item.get("body"), _LEVELS):
        raise SFError("JSON_PARSER_ERROR", "the body of a subrequest is nested too deeply")
    for name in headers:
        if name.lower() in _OUTER_HEADERS:
            refuse(f"The header {name} is not allowed in a subrequest")
    return Node(method=method, url=plain_url(url), reference_id=reference_id, body=item.get("body"), headers=headers)


def _is_deeper(value: JSON, levels: int) -> bool:
    layer = [value]
    for _ in range(levels):
        layer = [inner for outer in layer for inner in _inside(outer)]
        if not layer:
            return False
    return True


def _inside(value: JSON) -> Iterable[JSON]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


async def overview(call: Call) -> Response:
    """Answer GET /composite."""
    kinds = ("tree", "batch", "sobjects", "graph")
    return call.json({kind: f"{call.data_path}/composite/{kind}" for kind in kinds})

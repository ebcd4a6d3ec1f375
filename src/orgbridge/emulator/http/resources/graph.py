"""Graphs of dependent calls, each graph whole or not at all: POST /composite/graph.

Source: facts/salesforce/composite.md section 4 and its table. Assumed: codes and texts of what refuses the whole call,
and that a graph which is not run any more shows its nodes as halted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.composite import (
    Node,
    halted,
    read_nodes,
    refuse,
    refuse_keys,
    run_whole,
    shown,
)
from orgbridge.emulator.http.resources.references import names_in
from orgbridge.emulator.http.resources.subrequests import Subrequests
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON
from orgbridge.wire.limits import GRAPH_DEPTH, GRAPH_FAILURES, GRAPH_KINDS, GRAPH_NODES, GRAPHS

_GRAPH_ID = re.compile(r"[A-Za-z0-9][^.]{0,38}\Z")
_URL = re.compile(r"/services/data/v(\d{1,3})\.0/sobjects/([^/?]+)(?:/[^?]*)?(?:\?.*)?\Z", re.IGNORECASE | re.DOTALL)
_METHODS = ("POST", "GET", "PATCH", "DELETE")
_SINCE = 50


class CompositeGraph:
    """Answers /composite/graph.

    Args:
        subrequests: Runs what may stand in a graph.
    """

    def __init__(self, subrequests: Subrequests) -> None:
        self._subrequests = subrequests

    async def answer(self, call: Call) -> Response:
        """Answer POST /composite/graph: 200 whatever became of the graphs."""
        if call.version < _SINCE:
            raise SFError("NOT_FOUND", "The requested resource does not exist")
        body = await call.json_object()
        refuse_keys(body, ("graphs",))
        graphs = _read(body.get("graphs"), call.version)
        return call.json({"graphs": await call.thread(lambda: self._run(call, graphs))})

    def _run(self, call: Call, graphs: Sequence[tuple[str, Sequence[Node]]]) -> list[JSON]:
        replies: list[JSON] = []
        failures = 0
        for graph_id, nodes in graphs:
            if failures >= GRAPH_FAILURES:
                text = f"The graph was not processed because {GRAPH_FAILURES} graphs failed before it."
                results: list[JSON] = [shown(node, halted(text)) for node in nodes]
                good = False
            else:
                results, good = run_whole(self._subrequests, call, nodes)
                failures += not good
            response = {"compositeResponse": results}
            replies.append({"graphId": graph_id, "graphResponse": response, "isSuccessful": good})
        return replies


def _read(items: JSON, version: int) -> list[tuple[str, Sequence[Node]]]:
    """Return the graphs of a request.

    Raises:
        SFError: They are out of form or too many: the whole call is refused, nothing was run.
    """
    if not isinstance(items, list) or not items:
        raise SFError("JSON_PARSER_ERROR", "graphs must be a list at [line:1, column:1]")
    if len(items) > GRAPHS:
        refuse(f"The request contains {len(items)} graphs. The limit is {GRAPHS}.")
    graphs: dict[str, Sequence[Node]] = {}
    for item in items:
        if not isinstance(item, dict):
            raise SFError("JSON_PARSER_ERROR", "a graph must be an object at [line:1, column:1]")
        refuse_keys(item, ("graphId", "compositeRequest"))
        graph_id = item.get("graphId")
        if not isinstance(graph_id, str) or not _GRAPH_ID.match(graph_id):
            refuse(f"Provided graphId ('{graph_id}') must start with a letter or a number, be shorter than 40 "
                   "characters, and hold no period.")  # fmt: skip
        if graph_id in graphs:
            refuse(f"Duplicate graphId ('{graph_id}') provided in the request.")
        nodes = read_nodes(item.get("compositeRequest"), version, _check_node)
        _check_graph(str(graph_id), nodes)
        graphs[str(graph_id)] = nodes
    count = sum(map(len, graphs.values()))
    if count > GRAPH_NODES:
        refuse(f"The request contains {count} nodes. The limit is {GRAPH_NODES}.")
    return list(graphs.items())


def _check_node(node: Node) -> None:
    found = _URL.match(node.url)
    if found is None or int(found.group(1)) < _SINCE:
        refuse(f"The url {node.url} is not supported in a composite graph")
    if node.method not in _METHODS:
        refuse(f"The method {node.method} is not supported in a composite graph")


def _check_graph(graph_id: str, nodes: Sequence[Node]) -> None:
    depths: dict[str, int] = {}
    kinds: set[tuple[str, str]] = set()
    for node in nodes:
        behind = {*names_in(node.url), *names_in(node.body)}
        depths[node.reference_id] = 1 + max((depths.get(name, 0) for name in behind), default=0)
        found = _URL.match(node.url)
        if found:
            kinds.add((found.group(1), found.group(2).lower()))
    if max(depths.values()) > GRAPH_DEPTH:
        refuse(f"The depth of graph '{graph_id}' is greater than {GRAPH_DEPTH}.")
    if len(kinds) > GRAPH_KINDS:
        refuse(f"Graph '{graph_id}' has more than {GRAPH_KINDS} different nodes.")

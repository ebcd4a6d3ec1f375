"""Independent calls in one: POST /composite/batch.

Source: facts/salesforce/composite.md section 2. Assumed: texts, and that a call counts as many API calls as it has
subrequests.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.resources.composite import flag, refuse, refuse_keys
from orgbridge.emulator.http.resources.subrequests import Result, Subrequest, Subrequests
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON
from orgbridge.wire.limits import BATCH_SUBREQUESTS

_KEYS = frozenset({"method", "url", "richInput"})
_BLOB_KEYS = ("binaryPartName", "binaryPartNameAlias")
_METHODS = ("POST", "PUT", "PATCH", "GET", "DELETE")
#: Documented: relative to /services/data; real orgs take the whole path too.
_URL = re.compile(r"(?:/?services/data/|/)?(v(\d{1,3})\.0/.+)\Z", re.DOTALL)
_OLDEST = 34
_HALTED = Result(
    status=412,
    body=[{"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}],
)
_SPENT = Result(status=403, body=[{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}])


class CompositeBatch:
    """Answers /composite/batch.

    Args:
        subrequests: Runs what may stand in a batch.
    """

    def __init__(self, subrequests: Subrequests) -> None:
        self._subrequests = subrequests

    async def answer(self, call: Call) -> Response:
        """Answer POST /composite/batch: 200 whatever became of the subrequests, each saved on its own."""
        body = await call.json_object()
        refuse_keys(body, ("haltOnError", "batchRequests"))
        halt = flag(body, "haltOnError")
        items = body.get("batchRequests")
        if not isinstance(items, list) or not items:
            raise SFError("JSON_PARSER_ERROR", "batchRequests must be a list of subrequests at [line:1, column:1]")
        if len(items) > BATCH_SUBREQUESTS:
            refuse(f"The request contains {len(items)} subrequests. The limit is {BATCH_SUBREQUESTS}.")
        asked = [_read(item, call.version) for item in items]
        results = await call.thread(lambda: self._run(call, asked, halt=halt))
        return call.json(
            {
                "hasErrors": any(result.failed for result in results),
                "results": [{"statusCode": result.status, "result": result.body} for result in results],
            }
        )

    def _run(self, call: Call, asked: list[Subrequest], *, halt: bool) -> list[Result]:
        results: list[Result] = []
        for place, one in enumerate(asked):
            if halt and any(result.failed for result in results):
                results.append(_HALTED)
            elif place and not call.parts.usage.count():
                # The first is counted already: it is the call itself.
                results.append(_SPENT)
            else:
                results.append(self._subrequests.run(call, call.parts, one))
        return results


def _read(item: JSON, version: int) -> Subrequest:
    """Return one subrequest.

    Raises:
        SFError: It is out of form: the whole call is refused, nothing was run.
    """
    if not isinstance(item, dict):
        raise SFError("JSON_PARSER_ERROR", "a subrequest must be an object at [line:1, column:1]")
    if any(key in item for key in _BLOB_KEYS):
        raise SFError("FUNCTIONALITY_NOT_ENABLED", "The emulated org takes no binary parts in a batch")
    refuse_keys(item, _KEYS)
    method, url = item.get("method"), item.get("url")
    if not isinstance(method, str) or method not in _METHODS:
        raise SFError("JSON_PARSER_ERROR", f"{method!r} is no method of a subrequest at [line:1, column:1]")
    found = _URL.match(url) if isinstance(url, str) else None
    if found is None:
        raise SFError("JSON_PARSER_ERROR", f"{url!r} is no url of a subrequest at [line:1, column:1]")
    if not _OLDEST <= int(found.group(2)) <= version:
        refuse(f"The version of a subrequest must lie between {_OLDEST}.0 and {version}.0, that of the batch")
    return Subrequest(method=method, url=f"/services/data/{found.group(1)}", body=item.get("richInput"))

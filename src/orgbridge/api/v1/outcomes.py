"""Replies that records and bulk share: a batch's results, and a load that was taken in."""

from __future__ import annotations

from fastapi import Request
from starlette.responses import Response

from orgbridge.api.replies import json_reply
from orgbridge.api.security import services_of
from orgbridge.kit.json import JSON
from orgbridge.services.batches import BatchOutcome
from orgbridge.services.errors import fault_json
from orgbridge.services.loads import Accepted
from orgbridge.services.scopes import Caller


def batch_reply(done: BatchOutcome) -> Response:
    """Return the reply of a batch."""
    total = len(done.results)
    return json_reply(
        {
            "success": done.failed == 0,
            "message": f"{done.succeeded} of {total} records succeeded.",
            "job_id": None,
            "results": [
                {
                    "success": result.success,
                    "id": result.id,
                    "created": result.created,
                    "errors": [fault_json(fault) for fault in result.errors],
                }
                for result in done.results
            ],
            "records_succeeded": done.succeeded,
            "records_failed": done.failed,
        }
    )


async def accepted(request: Request, caller: Caller, load: Accepted) -> Response:
    """Return the reply for a load that was taken in, and have the address told that the request named."""
    notify: dict[str, JSON] | None = None
    if url := getattr(request.state, "notify_url", None):
        made = await services_of(request).webhooks.notify(caller, load.job_id, url)
        notify = {"url": url, "secret": made.secret, "id": made.subscription.id}
    status_url = str(request.app.url_path_for("job_status", job_id=load.job_id))
    return json_reply(
        {
            "success": True,
            "message": "The query was accepted." if load.is_query else "The load was accepted.",
            "job_id": load.job_id,
            "results": None,
            "status_url": status_url,
            "receipt_url": str(request.app.url_path_for("job_receipt", job_id=load.job_id)),
            "results_url": str(request.app.url_path_for("job_results", job_id=load.job_id, kind="all")),
            "input": load.input,
            "notify": notify,
        },
        status=202,
        headers={"Location": status_url, **({"Cache-Control": "no-store"} if notify else {})},
    )

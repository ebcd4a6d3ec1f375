"""What pages show around rows: tabs, themes, quick actions, and the rules and approvals that could run.

An emulated org has the tabs of its objects and nothing that anybody designed. Source: the REST API guide, resources
Tabs, Themes, Quick Actions, Process Rules and Process Approvals, for addresses and keys. Assumed: that lists without
colours and icons will do, and the texts of what is refused.
"""

from __future__ import annotations

from starlette.responses import Response

from orgbridge.emulator.http.calls import Call
from orgbridge.emulator.http.errors import not_found
from orgbridge.emulator.schema.errors import SFError
from orgbridge.emulator.schema.model import SObject


def _shown(call: Call) -> list[SObject]:
    return [sobject for sobject in call.parts.org.view(call.user_id).sobjects() if sobject.layoutable]


async def tabs(call: Call) -> Response:
    """Answer GET /tabs: one for each object with pages."""
    return call.json(
        [
            {
                "colors": [],
                "custom": sobject.custom,
                "iconUrl": None,
                "icons": [],
                "label": sobject.label_plural,
                "miniIconUrl": None,
                "name": sobject.name if sobject.custom else f"standard-{sobject.name}",
                "sobjectName": sobject.name,
                "url": f"{call.base_url}/{sobject.key_prefix}/o",
            }
            for sobject in _shown(call)
        ]
    )


async def theme(call: Call) -> Response:
    """Answer GET /theme: every object with pages, without colours and icons."""
    return call.json({"themeItems": [{"colors": [], "icons": [], "name": sobject.name} for sobject in _shown(call)]})


async def quick_actions(call: Call) -> Response:
    """Answer GET /quickActions: there are none."""
    return call.json([])


async def quick_action(_call: Call) -> Response:
    """Answer everything below /quickActions/{name}: there is no such action."""
    raise not_found()


async def rules(call: Call) -> Response:
    """Answer GET /process/rules: there are none."""
    return call.json({"rules": {}})


async def approvals(call: Call) -> Response:
    """Answer GET /process/approvals: there are none."""
    return call.json({"approvals": {}})


async def run_rules(_call: Call) -> Response:
    """Answer POST /process/rules: workflow rules are not emulated."""
    raise SFError("FUNCTIONALITY_NOT_ENABLED", "The emulated org has no workflow rules", 400)


async def request_approval(_call: Call) -> Response:
    """Answer POST /process/approvals: no object has an approval process."""
    raise SFError("NO_APPLICABLE_PROCESS", "No applicable approval process found.", 400)

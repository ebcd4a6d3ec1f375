"""The addresses of the controls."""

from __future__ import annotations

from orgbridge.emulator.http.control import commerce, faults, objects, states, watching
from orgbridge.emulator.http.requestlog import CONTROL_PATH
from orgbridge.emulator.http.routing import Access, Handler, Route

_HANDLERS: dict[str, dict[str, Handler]] = {
    "health": {"GET": watching.health},
    "stats": {"GET": watching.stats},
    "requests": {"GET": watching.requests, "DELETE": watching.clear_requests},
    "faults": {"GET": faults.show, "POST": faults.program, "DELETE": faults.clear},
    "faults/{id}": {"DELETE": faults.clear_one},
    "snapshots": {"GET": states.snapshots, "POST": states.snapshot},
    "snapshots/{name}": {"DELETE": states.drop},
    "restore": {"POST": states.restore},
    "reset": {"POST": states.reset},
    "branches": {"GET": states.branches, "POST": states.switch},
    "clock": {"GET": states.show_clock, "POST": states.move_clock},
    "seed": {"POST": states.seed},
    "commerce": {"GET": commerce.show, "PATCH": commerce.change, "DELETE": commerce.reset},
    "objects": {"GET": objects.show_all, "POST": objects.make},
    "objects/{name}": {"GET": objects.show, "PATCH": objects.change, "DELETE": objects.drop},
    "objects/{name}/fields": {"GET": objects.show_fields, "POST": objects.make_field},
    "objects/{name}/fields/{field}": {
        "GET": objects.show_field,
        "PATCH": objects.change_field,
        "DELETE": objects.drop_field,
    },
}
#: One route per control.
CONTROLS = tuple(
    Route(pattern=f"{CONTROL_PATH}/{name}", handlers=handlers, access=Access.LOCAL)
    for name, handlers in _HANDLERS.items()
)

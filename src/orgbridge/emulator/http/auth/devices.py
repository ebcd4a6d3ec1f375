"""The page where a user lets a device in that showed a code.

Source: facts/salesforce/auth.md section 1 for the flow; Assumed: the page and its address, `/setup/connect`.
"""

from __future__ import annotations

from urllib.parse import quote

from starlette.responses import Response

from orgbridge.emulator.http.auth.browser import ask_to_log_in, browser_user, is_sealed, seal
from orgbridge.emulator.http.auth.clients import read_form
from orgbridge.emulator.http.auth.pages import approval_page, device_page, message_page
from orgbridge.emulator.http.calls import Call

PATH = "/setup/connect"


async def connect(call: Call) -> Response:
    """Answer GET and POST /setup/connect: ask for the code, then for consent, then say that it is done."""
    form = await read_form(call) if call.request.method == "POST" else {}
    name = form.get("user_code") or call.query("user_code") or ""
    user = await call.thread(lambda: browser_user(call))
    if user is None:
        return ask_to_log_in(f"{PATH}?user_code={quote(name, safe='')}" if name else PATH)
    if not name:
        return device_page()
    found = await call.thread(lambda: call.parts.grants.find_device(name))
    client = call.parts.directory.client(found["client_id"]) if found else None
    if found is None or client is None or not client.permits(user.username):
        return device_page(code=name, alert="This code is not valid or has expired.")
    scopes, decision = found["scope"].split(), form.get("decision")
    if decision is None or not is_sealed(call, form.get("seal", "")):
        hidden = {"user_code": name, "seal": seal(call)}
        return approval_page(client.client_id, user.username, scopes, PATH, hidden)
    allow, user_id, grants = decision == "allow", user.id, call.parts.grants
    if allow:
        await call.thread(lambda: grants.approve(user_id, client.client_id, found["scope"]))
    if not await call.thread(lambda: grants.decide_device(name, user_id, allow=allow)):
        return device_page(code=name, alert="This code is not valid or has expired.")
    return message_page("Device connected" if allow else "Device refused", "You may close this window.")

"""A few calls to an emulated org from beside the service, as another program would make them."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections import defaultdict
from typing import Any

from tests.support.emulator_server import CLIENT_ID, CLIENT_SECRET

_VERSION = "v61.0"


class OrgCalls:
    """One session of another program.

    Args:
        url: Root of the org.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
        request = urllib.request.Request(
            f"{url}/services/oauth2/token", data=urllib.parse.urlencode(form).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=20) as reply:
            self._token = json.loads(reply.read())["access_token"]

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Make one call below the version's root and return its JSON."""
        request = urllib.request.Request(
            f"{self._url}/services/data/{_VERSION}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as reply:
            text = reply.read()
        return json.loads(text) if text else None

    def call_text(self, path: str, *, version: str) -> str:
        """Read what lies below a version's root as text."""
        request = urllib.request.Request(
            f"{self._url}/services/data/{version}{path}", headers={"Authorization": f"Bearer {self._token}"}
        )
        with urllib.request.urlopen(request, timeout=20) as reply:
            text: str = reply.read().decode()
        return text

    def query(self, soql: str) -> list[dict[str, Any]]:
        """Return the records of a query's first page."""
        records: list[dict[str, Any]] = self.call("GET", "/query?q=" + urllib.parse.quote(soql))["records"]
        return records

    def count(self, sobject: str, where: str = "") -> int:
        """Return how many records there are."""
        soql = f"SELECT COUNT() FROM {sobject} {where}"
        return int(self.call("GET", "/query?q=" + urllib.parse.quote(soql))["totalSize"])

    def create(self, sobject: str, values: dict[str, Any]) -> str:
        """Create a record and return its id."""
        return str(self.call("POST", f"/sobjects/{sobject}", values)["id"])

    def update(self, sobject: str, record_id: str, values: dict[str, Any]) -> None:
        """Change a record."""
        self.call("PATCH", f"/sobjects/{sobject}/{record_id}", values)

    def delete(self, sobject: str, record_id: str) -> None:
        """Delete a record."""
        self.call("DELETE", f"/sobjects/{sobject}/{record_id}")

    def open_job(self, sobject: str, operation: str) -> str:
        """Create an ingest job, leave it open and return its id."""
        body = {"object": sobject, "operation": operation, "contentType": "CSV", "lineEnding": "LF"}
        return str(self.call("POST", "/jobs/ingest", body)["id"])

    def jobs(self) -> dict[str, list[str]]:
        """Return ids of ingest jobs by state."""
        found: dict[str, list[str]] = defaultdict(list)
        for job in self.call("GET", "/jobs/ingest")["records"]:
            found[job["state"]].append(job["id"])
        return found

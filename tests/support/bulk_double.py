"""A small stand-in for Salesforce's Bulk API 2.0, for tests that kill things. State lies in a SQLite file.

    python -m tests.support.bulk_double PORT FILE [SECONDS]

It knows one object, Account (Name, Key__c, Note__c). A row whose Name begins with `BAD` fails, every other one is
written. A job is processed SECONDS after its commit. It keeps every row that a committed job wrote, so that a test can
count what was lost and what came twice. `POST /control` {"put": n, "unavailable": seconds} makes uploads or all calls
fail for a while, {"page_seconds": s} makes pages of query results slow, {"lie": "job" or "page"} makes the job or each
page announce one record too many, {"listed": true} gives it the list of result pages; `GET /report` tells what was
seen.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web

_KINDS = ("successfulResults", "failedResults", "unprocessedrecords")
_FIELDS = [
    ("Id", False, False),
    ("Name", True, True),
    ("Key__c", True, True),
    ("Note__c", True, True),
    ("CreatedDate", False, False),
]


class Double:
    """The stand-in's handlers."""

    def __init__(self, file: Path, seconds: float) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        self._seconds = seconds
        self._failing_puts = 0
        self._away_until = 0.0
        self._page_seconds = 0.0
        self._pages = 0
        self._lie = ""
        self._listed = False
        self._db.executescript(
            "PRAGMA journal_mode=WAL; PRAGMA busy_timeout=5000;"
            "CREATE TABLE IF NOT EXISTS job(id TEXT PRIMARY KEY, kind TEXT, body TEXT, state TEXT, data BLOB, at REAL,"
            " processed INT DEFAULT 0, failed INT DEFAULT 0, error TEXT, successfulResults TEXT, failedResults TEXT,"
            " unprocessedrecords TEXT);"
            "CREATE TABLE IF NOT EXISTS account(id TEXT, job TEXT, name TEXT, key TEXT);"
        )

    def application(self) -> web.Application:
        """Return the application."""
        app = web.Application(client_max_size=1 << 30, middlewares=[self._gate])
        base = "/services/data/{version}"
        app.add_routes(
            [
                web.post("/services/oauth2/token", self.token),
                web.get(base + "/sobjects/{name}/describe", self.describe),
                web.post(base + "/jobs/{kind}", self.create),
                web.get(base + "/jobs/{kind}/{id}", self.get),
                web.patch(base + "/jobs/{kind}/{id}", self.patch),
                web.put(base + "/jobs/ingest/{id}/batches", self.put),
                web.get(base + "/jobs/query/{id}/results", self.query_results),
                web.get(base + "/jobs/query/{id}/{pages:result[pP]ages}", self.result_pages),
                web.get(base + "/jobs/ingest/{id}/{results}", self.results),
                web.post("/control", self.control),
                web.get("/report", self.report),
            ]
        )
        return app

    @web.middleware
    async def _gate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path.startswith("/services/data") and time.time() < self._away_until:
            return _error(503, "SERVER_UNAVAILABLE", "The service is unavailable.")
        response: web.StreamResponse = await handler(request)
        return response

    async def control(self, request: web.Request) -> web.Response:
        """Make things fail."""
        wanted = await request.json()
        self._failing_puts = wanted.get("put", 0)
        self._away_until = time.time() + wanted.get("unavailable", 0)
        self._page_seconds = wanted.get("page_seconds", 0.0)
        self._lie = wanted.get("lie", "")
        self._listed = wanted.get("listed", self._listed)
        if "seconds" in wanted:
            self._seconds = wanted["seconds"]
        return web.json_response({})

    async def report(self, request: web.Request) -> web.Response:
        """Tell what was written, and what was left."""
        keys = [row[0] for row in self._db.execute("SELECT key FROM account")]
        jobs = self._db.execute("SELECT state, count(*) FROM job WHERE kind='ingest' GROUP BY 1").fetchall()
        return web.json_response({"keys": keys, "jobs": dict(jobs), "pages": self._pages})

    async def token(self, request: web.Request) -> web.Response:
        """Sign anybody in, but one client."""
        form = await request.post()
        if form.get("client_id") == "refused":
            body = {"error": "invalid_client_id", "error_description": "client identifier invalid"}
            return web.json_response(body, status=400)
        return web.json_response(
            {
                "access_token": "00DOb0000000001!token",
                "instance_url": f"http://{request.host}",
                "id": f"http://{request.host}/id/00DOb0000000001EAA/005Ob0000000001EAA",
                "token_type": "Bearer",
                "issued_at": "1700000000000",
                "signature": "x",
            }
        )

    async def describe(self, request: web.Request) -> web.Response:
        """Describe Account."""
        if request.match_info["name"].lower() != "account":
            return _error(404, "NOT_FOUND", "The requested resource does not exist")
        fields = [
            {
                "name": name,
                "createable": createable,
                "updateable": updateable,
                "relationshipName": None,
                "externalId": name == "Key__c",
                "idLookup": name in ("Id", "Key__c"),
            }
            for name, createable, updateable in _FIELDS
        ]
        return web.json_response({"name": "Account", "fields": fields})

    async def create(self, request: web.Request) -> web.Response:
        """Create a job."""
        body = await request.json()
        kind = request.match_info["kind"]
        if kind == "query" and "FROM Account" not in body["query"]:
            return _error(400, "INVALID_TYPE", "sObject type is not supported.")
        number = self._db.execute("SELECT count(*) FROM job").fetchone()[0]
        identifier = _id18(f"750Ob0{number:09d}")
        state = "Open" if kind == "ingest" else "UploadComplete"
        self._db.execute(
            "INSERT INTO job(id, kind, body, state, at) VALUES(?,?,?,?,?)",
            (identifier, kind, json.dumps(body), state, time.time()),
        )
        return web.json_response(self._info(identifier))

    async def get(self, request: web.Request) -> web.Response:
        """Return a job, processed if its time has come."""
        identifier = request.match_info["id"]
        self._process(identifier)
        info = self._info(identifier)
        return web.json_response(info) if info else _error(404, "NOT_FOUND", "The requested resource does not exist")

    async def patch(self, request: web.Request) -> web.Response:
        """Commit or abort a job."""
        identifier, wanted = request.match_info["id"], (await request.json())["state"]
        self._process(identifier)
        state, data = self._db.execute("SELECT state, data FROM job WHERE id=?", (identifier,)).fetchone()
        if wanted == "Aborted" and state in ("Open", "UploadComplete", "InProgress"):
            header = _header(data)
            self._db.execute(
                "UPDATE job SET state='Aborted', successfulResults=?, failedResults=?, unprocessedrecords=? WHERE id=?",
                (f'"sf__Id","sf__Created",{header}', f'"sf__Id","sf__Error",{header}', _quoted(data), identifier),
            )
        elif wanted == "UploadComplete" and state == "Open":
            self._db.execute(
                "UPDATE job SET state='UploadComplete', at=? WHERE id=?", (time.time() + self._seconds, identifier)
            )
        else:
            return _error(400, "INVALIDJOBSTATE", f"{wanted} from {state} not allowed")
        return web.json_response(self._info(identifier))

    async def put(self, request: web.Request) -> web.Response:
        """Take the data of a job, once."""
        identifier = request.match_info["id"]
        data = await request.read()
        if self._failing_puts:
            self._failing_puts -= 1
            return _error(503, "SERVER_UNAVAILABLE", "The service is unavailable.")
        state, known = self._db.execute("SELECT state, data FROM job WHERE id=?", (identifier,)).fetchone()
        if state != "Open" or known is not None:
            return _error(400, "INVALIDJOBSTATE", f"Found multiple contents for job: <{identifier}>")
        self._db.execute("UPDATE job SET data=? WHERE id=?", (data, identifier))
        return web.Response(status=201)

    async def results(self, request: web.Request) -> web.Response:
        """Return one of the three files of results."""
        kind = request.match_info["results"]
        if kind not in _KINDS:
            return _error(404, "NOT_FOUND", "The requested resource does not exist")
        row = self._db.execute(f"SELECT {kind} FROM job WHERE id=?", (request.match_info["id"],)).fetchone()
        return web.Response(text=row[0] or "", content_type="text/csv")

    async def query_results(self, request: web.Request) -> web.Response:
        """Return a page of three records."""
        start = int(request.query.get("locator", "0"))
        names = [row[0] for row in self._db.execute("SELECT name FROM account ORDER BY rowid")]
        page = names[start : start + 3]
        following = str(start + 3) if start + 3 < len(names) else "null"
        text = '"Name"\n' + "".join('"' + name.replace('"', '""') + '"\n' for name in page)
        self._pages += 1
        await asyncio.sleep(self._page_seconds)
        announced = len(page) + (self._lie == "page")
        headers = {"Sforce-Locator": following, "Sforce-NumberOfRecords": str(announced)}
        return web.Response(text=text, content_type="text/csv", headers=headers)

    async def result_pages(self, request: web.Request) -> web.Response:
        """Name five pages at a time, when there is such a list at all."""
        if not self._listed:
            return _error(404, "NOT_FOUND", "The requested resource does not exist")
        start = int(request.query.get("locator", "0"))
        count = self._db.execute("SELECT count(*) FROM account").fetchone()[0]
        places = list(range(start, max(count, 1), 3))
        path = request.path.rsplit("/", 1)[0]
        body: dict[str, Any] = {
            "resultPages": [{"resultUrl": f"{path}/results" + (f"?locator={p}" if p else "")} for p in places[:5]],
            "nextRecordsUrl": f"{path}/resultpages?locator={places[5]}" if places[5:] else None,
            "done": not places[5:],
        }
        return web.json_response(body)

    def _info(self, identifier: str) -> dict[str, Any]:
        row = self._db.execute(
            "SELECT body, state, processed, failed, error, kind FROM job WHERE id=?", (identifier,)
        ).fetchone()
        if row is None:
            return {}
        return {
            **json.loads(row[0]),
            "id": identifier,
            "state": row[1],
            "numberRecordsProcessed": row[2],
            "numberRecordsFailed": row[3],
            "errorMessage": row[4],
            "jobType": "V2Ingest" if row[5] == "ingest" else "V2Query",
        }

    def _process(self, identifier: str) -> None:
        row = self._db.execute("SELECT state, data, at, kind FROM job WHERE id=?", (identifier,)).fetchone()
        if row is None or row[0] != "UploadComplete" or time.time() < row[2]:
            return
        if row[3] == "query":
            count = self._db.execute("SELECT count(*) FROM account").fetchone()[0] + (self._lie == "job")
            self._db.execute("UPDATE job SET state='JobComplete', processed=? WHERE id=?", (count, identifier))
            return
        records = list(csv.DictReader(io.StringIO((row[1] or b"").decode("utf-8"), newline="")))
        header = _header(row[1])
        good, bad = [f'"sf__Id","sf__Created",{header}'], [f'"sf__Id","sf__Error",{header}']
        # Not in the order of the upload, as at Salesforce.
        self._db.execute("BEGIN IMMEDIATE")
        for number, record in enumerate(reversed(records)):
            values = ",".join('"' + value.replace('"', '""') + '"' for value in record.values())
            if record["Name"].startswith("BAD"):
                bad.append(f'"","REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --",{values}\n')
                continue
            record_id = _id18(f"001{identifier[11:15]}{number:08d}")
            self._db.execute(
                "INSERT INTO account VALUES(?,?,?,?)", (record_id, identifier, record["Name"], record["Key__c"])
            )
            good.append(f'"{record_id}","true",{values}\n')
        self._db.execute(
            "UPDATE job SET state='JobComplete', processed=?, failed=?, successfulResults=?, failedResults=?,"
            " unprocessedrecords=? WHERE id=?",
            (len(records), len(bad) - 1, "".join(good), "".join(bad), header, identifier),
        )
        self._db.execute("COMMIT")


def _header(data: bytes | None) -> str:
    names = next(csv.reader(io.StringIO((data or b"Name,Key__c\n").decode("utf-8"), newline="")))
    return ",".join(f'"{name}"' for name in names) + "\n"


def _quoted(data: bytes | None) -> str:
    rows = csv.reader(io.StringIO((data or b"Name,Key__c\n").decode("utf-8"), newline=""))
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _id18(fifteen: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
    checks = (sum(1 << i for i, c in enumerate(fifteen[b : b + 5]) if c.isupper()) for b in (0, 5, 10))
    return fifteen + "".join(alphabet[check] for check in checks)


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response([{"errorCode": code, "message": message}], status=status)


if __name__ == "__main__":
    web.run_app(
        Double(Path(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 0.3).application(),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        print=None,
        access_log=None,
    )

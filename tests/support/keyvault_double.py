"""A stand-in for Azure Key Vault and its sign-in, over https on loopback, for what the service asks of them.

As the real one: a challenge to who brings no token, tokens of its own sign-in only, versions, pages of names.
"""

from __future__ import annotations

import json
import re
import secrets
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.certificates import loopback_certificate

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT_ID, CLIENT_SECRET = "vault-reader", "vault-reader-s3cret"
_PAGE = 3


class KeyVaultDouble:
    """A vault; `secrets` maps names to values and may be changed at any time.

    Attributes:
        secrets: What is in it.
        refusals: So many of the next requests are answered 403.
        reads: Names that were read, in order.
    """

    def __init__(self, folder: Path) -> None:
        self.secrets: dict[str, str] = {}
        self.refusals = 0
        self.reads: list[str] = []
        self._tokens: set[str] = set()
        self.authority, key = loopback_certificate(folder)
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                self._answer(*double._get(self.path, self.headers.get("Authorization", "")))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._answer(*double._post(self.path, body))

            def _answer(self, status: int, value: dict[str, Any], headers: dict[str, str] | None = None) -> None:
                data = json.dumps(value).encode()
                self.send_response(status)
                sent = {"Content-Type": "application/json", "Content-Length": str(len(data)), **(headers or {})}
                for name, text in sent.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.authority, key)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> KeyVaultDouble:
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self) -> dict[str, str]:
        """Return the environment of a machine that may read the vault."""
        return {
            "AZURE_KEY_VAULT_URL": self.url,
            "ORGBRIDGE_KEY_VAULT_CA": str(self.authority),
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT_ID,
            "AZURE_CLIENT_SECRET": CLIENT_SECRET,
            "AZURE_AUTHORITY_HOST": self.url,
        }

    def _post(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if not path.endswith("/oauth2/v2.0/token") or form.get("client_secret") != CLIENT_SECRET:
            return 401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret."}
        token = secrets.token_urlsafe(16)
        self._tokens.add(token)
        return 200, {"token_type": "Bearer", "access_token": token, "expires_in": 3600}

    def _get(self, target: str, authorization: str) -> tuple[int, dict[str, Any], dict[str, str]]:
        parts = urlsplit(target)
        query, path = parse_qs(parts.query), parts.path
        if path.endswith("/.well-known/openid-configuration"):
            base = f"{self.url}/{TENANT}"
            document = {"issuer": f"{base}/v2.0", "jwks_uri": f"{base}/keys"}
            document |= {f"{name}_endpoint": f"{base}/oauth2/v2.0/{name}" for name in ("authorization", "token")}
            return 200, document, {}
        if authorization.removeprefix("Bearer ") not in self._tokens:
            challenge = f'Bearer authorization="{self.url}/{TENANT}", resource="https://vault.azure.net"'
            return 401, _error("Unauthorized"), {"WWW-Authenticate": challenge}
        if self.refusals:
            self.refusals -= 1
            return 403, _error("Forbidden"), {}
        if path.rstrip("/") == "/secrets":
            begin = int(query.get("$skiptoken", ["0"])[0])
            names = sorted(self.secrets)
            listed = [{"id": f"{self.url}/secrets/{name}", "attributes": {"enabled": True}} for name in names]
            following = f"{self.url}/secrets?api-version=7.5&$skiptoken={begin + _PAGE}"
            more = begin + _PAGE < len(names)
            return 200, {"value": listed[begin : begin + _PAGE], "nextLink": following if more else None}, {}
        found = re.fullmatch(r"/secrets/([0-9A-Za-z-]+)/?", path)
        if found is None or found.group(1) not in self.secrets:
            return 404, _error("SecretNotFound"), {}
        name = found.group(1)
        self.reads.append(name)
        identifier = f"{self.url}/secrets/{name}/{secrets.token_hex(16)}"
        return 200, {"value": self.secrets[name], "id": identifier, "attributes": {"enabled": True}}, {}


def _error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": code}}

"""Where the service is and with which token it is asked: the environment's words, else the file that `up` wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orgbridge.cli.errors import NotSignedIn, UsageError
from orgbridge.kit import json

FILE_NAME = "cli.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One service and the right to use it."""

    #: Root address without a trailing slash, e.g. `http://127.0.0.1:8000`.
    url: str
    #: Bearer token.
    token: str
    #: Path under which version 1 of the API lies.
    prefix: str = "/api/v1"


def read_address(*, url: str | None, token: str | None, folder: Path, prefix: str = "/api/v1") -> Address:
    """Return the address given, else the one that `up` left in the data folder.

    Args:
        url: Value of ORGBRIDGE_URL, if set.
        token: Value of ORGBRIDGE_TOKEN, if set.
        folder: The data folder that holds `cli.json`.
        prefix: Used with a given address; the file names its own.

    Raises:
        NotSignedIn: Neither is there, or only half of it.
        UsageError: The file is there and is not what `up` writes.
    """
    if url and token:
        return Address(url=url.rstrip("/"), token=token, prefix=prefix)
    path = folder / FILE_NAME
    if url or token:
        missing = "ORGBRIDGE_TOKEN" if url else "ORGBRIDGE_URL"
        if not path.exists():
            raise NotSignedIn(f"{missing} is not set and {path} is not there; set both, or start `orgbridge up`.")
    try:
        data = json.loads(path.read_bytes())
        return Address(
            url=str(url or data["url"]).rstrip("/"),
            token=str(token or data["token"]),
            prefix=str(data.get("prefix", prefix)),
        )
    except FileNotFoundError:
        raise NotSignedIn(
            f"No service is known: set ORGBRIDGE_URL and ORGBRIDGE_TOKEN, or start `orgbridge up`, which writes {path}."
        ) from None
    except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{path} is not the file that `orgbridge up` writes; delete it and start `up` again."
        ) from error

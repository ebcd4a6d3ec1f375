"""What stops a command, and the exit code of each kind of trouble.

OrgbridgeError
+-- CLIError
    +-- UsageError          the command line itself
    +-- NotSignedIn         no address or no token to talk to
    +-- ServiceUnreachable  nothing answers at the address
    +-- ServiceRefused      the service answered with problem JSON
    +-- DemoFailed          the demo's own checks
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from orgbridge.kit.errors import ErrorKind, OrgbridgeError


class ExitCode(IntEnum):
    """What a shell script learns."""

    #: Every row succeeded, or the command did what it was asked.
    ALL = 0
    #: Some rows failed, or a check found a fault.
    SOME_FAILED = 1
    #: Nothing was done: bad usage, bad input, no service, no right.
    NONE = 2


#: Every kind of error means that the command's own work was not done; rows that failed are values, not errors.
EXIT_CODES: dict[ErrorKind, ExitCode] = dict.fromkeys(ErrorKind, ExitCode.NONE)


class CLIError(OrgbridgeError):
    """The command could not do its work."""

    code = "cli"
    kind = ErrorKind.INVALID


class UsageError(CLIError):
    """The command line asks for something that cannot be done."""

    code = "cli.usage"


class NotSignedIn(CLIError):
    """No service address or token is known.

    Start one with `orgbridge up`, or set ORGBRIDGE_URL and ORGBRIDGE_TOKEN.
    """

    code = "cli.not_signed_in"
    kind = ErrorKind.UNAUTHENTICATED


class ServiceUnreachable(CLIError):
    """Nothing answers at the service's address."""

    code = "cli.unreachable"
    kind = ErrorKind.UNAVAILABLE
    retryable = True


class ServiceRefused(CLIError):
    """The service answered with an error.

    Attributes:
        status: HTTP status.
        problem: The problem JSON as it came; empty when the answer was none.
    """

    code = "cli.refused"

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        self.status = status
        self.problem = problem
        sentence = str(problem.get("detail") or problem.get("title") or f"The service answered {status}")
        for upstream in problem.get("upstream") or []:
            message = str(upstream.get("message", ""))
            if message and message not in sentence:
                sentence += f" (Salesforce: {upstream.get('errorCode', '')} {message})"
        super().__init__(sentence, details=[e for e in problem.get("errors") or [] if isinstance(e, dict)])


class DemoFailed(CLIError):
    """The demo could not run to its end."""

    code = "cli.demo_failed"
    kind = ErrorKind.INTERNAL


def exit_code(error: OrgbridgeError) -> ExitCode:
    """Return the exit code that an error ends a command with."""
    return EXIT_CODES[error.kind]


def describe_detail(detail: dict[str, Any]) -> str:
    """Return one line for one item of an error's details: where, then what."""
    where = []
    if detail.get("line") is not None:
        where.append(f"line {detail['line']}")
    if detail.get("offset") is not None:
        where.append(f"byte {detail['offset']}")
    location = detail.get("loc") or detail.get("pointer")
    if isinstance(location, list | tuple):
        location = ".".join(map(str, location))
    where += [str(name) for name in (detail.get("field"), detail.get("setting"), location) if name]
    what = str(detail.get("message") or detail.get("msg") or detail.get("code") or "")
    return f"{', '.join(where)}: {what}" if where else what


def untold_places(message: str, details: list[dict[str, Any]]) -> list[str]:
    """Return one line per item of an error's details, without those that the message has told already."""
    told = message.lower()
    if len(details) == 1:
        # A single fault is often the message itself; only its place may be news.
        what = str(details[0].get("message") or details[0].get("msg") or "").lower()
        if what and what in told:
            return []
    return [text for text in map(describe_detail, details) if text and text.lower() not in told]

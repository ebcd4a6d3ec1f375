"""What stops a process before it serves.

OrgbridgeError
+-- SettingsError    settings.*   one line per fault
+-- PortInUse        port.in_use
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from orgbridge.kit.errors import ErrorKind, OrgbridgeError


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingFault:
    """One setting that is missing or wrong. Never holds the value that was given."""

    #: The setting's name as it is written in the environment.
    name: str
    #: What is the matter, and how to mend it, in one line.
    reason: str

    def __str__(self) -> str:
        """Return the line a person reads."""
        return f"{self.name}: {self.reason}"


class SettingsError(OrgbridgeError):
    """Settings are missing or wrong."""

    code: ClassVar[str] = "settings.invalid"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID

    def __init__(self, faults: list[SettingFault]) -> None:
        self.faults = faults
        super().__init__(
            "\n".join(str(fault) for fault in faults),
            details=[{"setting": fault.name, "message": fault.reason} for fault in faults],
        )


class PortInUse(OrgbridgeError):
    """The port to listen on is taken."""

    code: ClassVar[str] = "port.in_use"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        super().__init__(
            f"Port {port} on {host} is in use by another program: stop it, or choose another with --port "
            "or ORGBRIDGE_PORT."
        )

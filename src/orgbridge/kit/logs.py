"""Structured logs over the standard library's handlers. Knows how to keep a secret out; knows nothing of Salesforce."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from orgbridge.kit.logfiles import SharedFileHandler

#: Libraries that at DEBUG tell the values bound to each statement: records, hashes of passwords, tokens.
_TELLS_VALUES = ("aiosqlite",)
#: Keys whose values never reach a log, whoever logs them.
SECRET_KEYS = frozenset(
    {
        "password",
        "client_secret",
        "access_token",
        "refresh_token",
        "assertion",
        "authorization",
        "token",
        "security_token",
        "private_key",
        "secret",
    }
)
_PATTERNS = (
    re.compile(r"00D\w{12,15}![\w.]+"),  # Salesforce session id
    re.compile(r"(?i)(bearer|oauth)\s+[\w.!~+/=-]{8,}"),
    re.compile(r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*"),  # JWT
    re.compile(r"(?i)(client_secret|password|refresh_token|assertion|access_token)=([^&\s\"']+)"),
    re.compile(r"(?<=://)[^/@\s:]+:[^/@\s]+(?=@)"),  # user:password in a connection string
)
#: Without one of these a text has nothing that the patterns look for; most texts have none, and one search is cheap.
_HINT = re.compile(r"00D|eyJ|=|://|(?i:bearer|oauth)")
REDACTED = "[redacted]"
#: The redactor of the logs as they are configured, which are the process's own, as its loggers are.
_present: list[Redactor] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """How the process logs."""

    #: DEBUG, INFO, WARNING, ERROR or CRITICAL.
    level: str = "INFO"
    #: Level of what goes to standard error, when it is less than what goes to the file.
    terminal_level: str | None = None
    #: Where the rotating file lies; None logs to standard error only.
    filename: Path | None = None
    #: Size at which the file is rotated.
    max_bytes: int = 10 * 1024 * 1024
    #: Rotated files kept.
    backup_count: int = 5
    #: JSON lines when true, aligned text for people otherwise. With a `terminal_level` the file has JSON lines and
    #: standard error text.
    json: bool = True


class Redactor:
    """Takes known secrets and things shaped like secrets out of text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: list[str] = []
        self.learn(secrets)

    def learn(self, secrets: Iterable[str]) -> None:
        """Take these out from now on, too; former ones are still good somewhere, and stay known."""
        known = {*self._secrets, *(secret for secret in secrets if len(secret) >= 4)}
        self._secrets = sorted(known, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return the text with every secret replaced by `[redacted]`."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        if _HINT.search(text) is None:
            return text
        for pattern in _PATTERNS:
            text = pattern.sub(REDACTED, text)
        return text

    def value(self, value: Any) -> Any:
        """Return the value with secrets replaced, through dicts, lists and tuples."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {k: REDACTED if str(k).lower() in SECRET_KEYS else self.value(v) for k, v in value.items()}
            case list() | tuple():
                return [self.value(item) for item in value]
            case _:
                return value

    def __call__(self, _logger: Any, _method: str, event: Any) -> Any:
        """Serve as a structlog processor."""
        return self.value(dict(event))


def configure_logs(config: LogConfig, secrets: Iterable[str] = ()) -> None:
    """Send structlog and the standard library's logs through one redacting formatter.

    Args:
        config: Level, file and form.
        secrets: Secret values of the settings; none of them is ever written.

    Raises:
        OSError: The log file cannot be opened; nothing was changed.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    if config.filename is not None:
        config.filename.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(
            SharedFileHandler(config.filename, max_bytes=config.max_bytes, backup_count=config.backup_count)
        )
    redactor = Redactor(secrets)
    _present[:] = [redactor]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    for handler in handlers:
        as_json = config.json
        if config.terminal_level is not None:
            as_json = handler is not handlers[0]
            handler.setLevel(config.level if as_json else config.terminal_level)
        handler.setFormatter(_formatter(shared, redactor, as_json=as_json))
        root.addHandler(handler)
    root.setLevel(config.level)
    for name in _TELLS_VALUES:
        logging.getLogger(name).setLevel(logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def learn_secrets(secrets: Iterable[str]) -> None:
    """Let the logs of this process write none of these from now on: they were rotated while it ran."""
    for redactor in _present:
        redactor.learn(secrets)


def _formatter(shared: list[Any], redactor: Redactor, *, as_json: bool) -> logging.Formatter:
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redactor,
            renderer,
        ],
    )


def get_logger(name: str) -> Any:
    """Return the structured logger of a module."""
    return structlog.stdlib.get_logger(name)

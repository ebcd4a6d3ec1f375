"""What holds for every test: a clean environment, and no network beyond this machine."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.forks import ForkServer, use_fork_server
from tests.support.leaks import leaks
from tests.support.parts import OPTIONAL_PARTS

_PREFIXES = ("SALESFORCE_", "SFCC_", "ORGBRIDGE_", "DATA_PATH_", "PSQL_", "AZURE_", "JWT_", "LOG_", "BACKEND_CORS_")
_NAMES = {"DEBUG_MODE", "APP_NAME", "APP_VERSION", "API_V1_STR", "WEBSTORE_ID"}
_FORKS = pytest.StashKey[ForkServer]()
_PROXIES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


def _refuse_strangers(event: str, arguments: tuple[Any, ...]) -> None:
    """Let no test speak to another machine, whatever library it uses."""
    if event != "socket.connect":
        return
    address = arguments[1]
    host = address[0] if isinstance(address, tuple) else ""
    if host and not (host.startswith("127.") or host in ("::1", "localhost")):
        raise RuntimeError(f"a test tried to reach {host}")


sys.addaudithook(_refuse_strangers)

# A property is about what holds, not about how fast a busy machine finds out: pytest's own timeout bounds the time.
settings.register_profile("orgbridge", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("orgbridge")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make chaos` ask for more kills and rows than `make test` has time for."""
    parser.addoption("--kills", type=int, default=5, help="SIGKILLs per chaos test")
    parser.addoption("--rows", type=int, default=20_000, help="rows of the faulty demo")
    parser.addoption("--chaos-seed", type=int, default=20261122, help="seed of the killer's dice")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give all workers of `pytest -n` one fork server, which starts while they collect."""
    config: pytest.Config = node.config
    if _FORKS not in config.stash:
        config.stash[_FORKS] = ForkServer()
        config.add_cleanup(config.stash[_FORKS].close)
    node.workerinput["fork_server"] = config.stash[_FORKS].address


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest, so that no worker is left with one when all others are done."""
    items.sort(key=lambda item: not any(item.iter_markers("chaos")) and not any(item.iter_markers("system")))


def pytest_configure(config: pytest.Config) -> None:
    """Take settings of the developer's shell out of sight, also of processes that tests start."""
    # At DEBUG the driver tells every value; that `configure_logs` silences it has a test of its own.
    logging.getLogger("aiosqlite").setLevel(logging.INFO)
    for name in list(os.environ):  # noqa: TID251 - to clean it, not to read it
        if name.startswith(_PREFIXES) or name in _NAMES or name.lower() in _PROXIES:
            del os.environ[name]  # noqa: TID251
    given = getattr(config, "workerinput", {})
    if "fork_server" in given:
        use_fork_server(given["fork_server"])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Fail every test in whose output or logs a secret is, whatever else it claims."""
    report = yield
    if report.when != "setup" and report.passed:
        folder = getattr(item, "funcargs", {}).get("tmp_path")
        found = leaks(report.sections, folder if isinstance(folder, Path) else None)
        if found:
            report.outcome = "failed"
            report.longrepr = f"secrets came out: {'; '.join(sorted(set(found)))}"
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say in a closing line which optional parts this run had to do without."""
    absent = [f"{part.name} ({part.remedy})" for part in OPTIONAL_PARTS if not part.present()]
    terminalreporter.write_line(f"absent optional parts: {'; '.join(absent) or 'none'}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail CI when a part is absent: a test that was skipped there has proven nothing."""
    in_ci = os.environ.get("CI") == "true"  # noqa: TID251 - CI's own word
    if in_ci and exitstatus == 0 and not all(part.present() for part in OPTIONAL_PARTS):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED

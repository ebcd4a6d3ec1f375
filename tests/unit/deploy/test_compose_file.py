"""docker-compose.yml as a file: no shared password, least rights, names that are settings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from orgbridge.wiring.settings import Settings, load_settings

_ROOT = Path(__file__).parents[3]
_TEXT = (_ROOT / "docker-compose.yml").read_text()
_SERVICES: dict[str, Any] = yaml.safe_load(_TEXT)["services"]
_OURS = ("migrate", "api", "worker", "org")
_SETTINGS = {name.upper() for name in Settings.model_fields}


def emulated() -> dict[str, str]:
    """Return the settings for the emulated org."""
    lines = (_ROOT / ".env.emulated").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_no_user_comes_with_the_file() -> None:
    """Neither the file nor the emulated org's settings name a user of the service or a password of one."""
    assert "ADMIN_PASSWORD:" not in _TEXT
    assert not any("ADMIN" in name or "JWT" in name for name in emulated())


def test_every_name_that_our_processes_get_is_a_setting() -> None:
    """What stands under `environment` and in the emulated org's file is read by somebody."""
    assert set(emulated()) <= _SETTINGS
    for name in _OURS:
        assert set(_SERVICES[name]["environment"]) <= _SETTINGS


def test_the_emulated_org_may_be_spoken_to_in_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the emulated org, and those of its overlay for Kubernetes, start a service."""
    overlay = yaml.safe_load((_ROOT / "kubernetes-overlays" / "emulated" / "config.yaml").read_text())["data"]
    for given in (emulated(), {**emulated(), **overlay}):
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        assert load_settings(env_file=None).plain_host == "org"


def test_names_of_compose_are_not_names_of_settings() -> None:
    """What compose fills in itself begins otherwise, so that no process warns of a setting it does not know."""
    filled = set(re.findall(r"\$\{([A-Z_]+)", _TEXT))
    assert not any(name.startswith("ORGBRIDGE_") for name in filled)
    told = (_ROOT / "docs" / "deploy.md").read_text()
    assert {name for name in filled if f"`{name}`" not in told} == set()


def test_our_processes_have_the_least_rights() -> None:
    """Read-only root, no capability, no new rights; only the service has a port, and it is bound to loopback."""
    for name in _OURS:
        service = _SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert {name for name, service in _SERVICES.items() if "ports" in service} == {"api", "prometheus"}
    published = [port for service in _SERVICES.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_of_others_have_a_version() -> None:
    """No image is whatever is newest today."""
    for name in set(_SERVICES) - set(_OURS):
        default = re.search(r":-(.*)\}$", _SERVICES[name]["image"])
        assert default is not None
        assert re.search(r":v?\d+", default[1])


def test_the_service_has_its_database_before_it_starts() -> None:
    """Service and workers wait for the tables, and those for the database."""
    assert _SERVICES["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for name in ("api", "worker"):
        assert _SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"

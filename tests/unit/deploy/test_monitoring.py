"""Rules, alerts and dashboard: checked by Prometheus' own tool, and about metrics that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orgbridge.kit.metrics import CATALOGUE
from tests.support.metrics_reference import REFERENCE, reference, series
from tests.support.parts import PROMETHEUS

_ROOT = Path(__file__).parents[3]
_RULES = _ROOT / "deploy" / "prometheus" / "rules.yml"
_TESTS = _ROOT / "deploy" / "prometheus" / "rules.test.yml"
_DASHBOARD = json.loads((_ROOT / "deploy" / "grafana" / "orgbridge.json").read_text())
_GROUPS: list[dict[str, Any]] = yaml.safe_load(_RULES.read_text())["groups"]
_ALERTS = [rule for group in _GROUPS for rule in group["rules"] if "alert" in rule]
_RECORDED = {rule["record"] for group in _GROUPS for rule in group["rules"] if "record" in rule}
_NAME = re.compile(r"\b(?:orgbridge|process)_[a-z0-9_]+\b|\borgbridge:[a-z0-9_:]+")
needs_prometheus = pytest.mark.skipif(not PROMETHEUS.present(), reason=PROMETHEUS.remedy)


def _promtool(*words: str | Path, text: str | None = None) -> None:
    done = subprocess.run(
        ["promtool", *map(str, words)], input=text, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _drawn() -> Iterator[str]:
    for panel in _DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for annotation in _DASHBOARD["annotations"]["list"]:
        yield annotation["expr"]


@needs_prometheus
def test_rules_and_alerts_are_right_and_fire_as_their_own_tests_say() -> None:
    """promtool takes the rules, and every case of rules.test.yml comes out."""
    _promtool("check", "rules", _RULES)
    _promtool("test", "rules", _TESTS)


def test_every_alert_is_tried_and_explained() -> None:
    """No alert is without a case in which it fires, a severity, a summary, and a line in the documentation."""
    tried, told = _TESTS.read_text(), (_ROOT / "docs" / "observability.md").read_text()
    for alert in _ALERTS:
        assert f'alertname="{alert["alert"]}", alertstate="firing"' in tried, alert["alert"]
        assert f"`{alert['alert']}`" in told
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert set(alert["annotations"]) == {"summary", "description"}


@needs_prometheus
def test_every_expression_of_the_dashboard_is_one(tmp_path: Path) -> None:
    """The panels' expressions, with the dashboard's variables filled in, are rules that promtool takes."""
    variables = {
        f"${one['name']}": one["query"] for one in _DASHBOARD["templating"]["list"] if one["type"] == "constant"
    }
    rules = []
    for number, expression in enumerate(_drawn()):
        for name, value in variables.items():
            expression = expression.replace(name, value)
        assert "$" not in expression
        rules.append({"record": f"panel:{number}", "expr": expression})
    assert len(rules) > 40
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    _promtool("check", "rules", file)


def test_rules_and_dashboard_speak_of_metrics_that_exist() -> None:
    """Every name in an expression is one that the code declares, or a recording rule."""
    known = {name for metric in CATALOGUE.values() for name in series(metric)} | _RECORDED
    expressions = [*_drawn(), *(rule["expr"] for group in _GROUPS for rule in group["rules"])]
    for expression in expressions:
        spoken = set(_NAME.findall(expression))
        assert spoken <= known, spoken - known
        assert spoken or "ALERTS" in expression or "up{" in expression


def test_every_metric_is_drawn_or_watched() -> None:
    """Whatever the service tells has a place in the dashboard or in a rule: nothing is told for nobody."""
    spoken = " ".join([*_drawn(), *(rule["expr"] for group in _GROUPS for rule in group["rules"])])
    names = set(_NAME.findall(spoken))
    unseen = {metric.name for metric in CATALOGUE.values() if not series(metric) & names}
    assert unseen == {"process_max_fds"}


@needs_prometheus
def test_the_scraper_of_compose_has_these_rules(tmp_path: Path) -> None:
    """The configuration in docker-compose.yml is one that Prometheus takes, and its rules are these."""
    configs = yaml.safe_load((_ROOT / "docker-compose.yml").read_text())["configs"]
    assert (_ROOT / configs["rules"]["file"]).samefile(_RULES)
    shutil.copy(_RULES, tmp_path / "rules.yml")
    (tmp_path / "prometheus.yml").write_text(re.sub(r"\$\{[A-Z_]+:-\}", "x", configs["prometheus"]["content"]))
    _promtool("check", "config", tmp_path / "prometheus.yml")


def test_the_reference_of_metrics_is_that_of_the_code() -> None:
    """docs/reference/metrics.md is what the declarations say; python -m tests.support.metrics_reference writes it."""
    assert REFERENCE.read_text() == reference()

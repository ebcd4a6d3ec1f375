"""Run all benchmarks, or those named, print one table and write results.json. Exit 1 when a target is missed."""

from __future__ import annotations

import importlib
import json
import pkgutil
import platform
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure

_FOLDER = Path(__file__).parent
_MARKS = {True: "met", False: "MISSED", None: ""}


def main(names: list[str]) -> int:
    """Run and tell."""
    results: dict[str, list[Figure]] = {}
    for module in pkgutil.iter_modules([str(_FOLDER)]):
        if names and module.name not in names:
            continue
        loaded = importlib.import_module(f"benchmarks.{module.name}")
        if hasattr(loaded, "figures") and callable(loaded.figures):
            print(f"running {module.name} ...", file=sys.stderr)
            results[module.name] = loaded.figures()
            for figure in results[module.name]:
                print(f"  {figure.name}: {figure.value:,.4g} {figure.unit}", file=sys.stderr)
    table = Table("benchmark", "figure", "value", "target", "", box=None, header_style="bold")
    for name, figures in results.items():
        for figure in figures:
            sign = "≥" if figure.more_is_better else "≤"
            target = "" if figure.target is None else f"{sign} {figure.target:,g} {figure.unit}"
            table.add_row(name, figure.name, f"{figure.value:,.4g} {figure.unit}", target, _MARKS[figure.met])
    # Wide enough for the longest name also where there is no terminal.
    Console(width=max(140, Console().width)).print(table)
    file = _FOLDER / "results.json"
    # Benchmarks that were not asked for keep the figures of their last run.
    kept = json.loads(file.read_text())["figures"] if names and file.exists() else {}
    document = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "figures": kept
        | {
            name: [
                {"name": f.name, "value": f.value, "unit": f.unit, "target": f.target, "met": f.met} for f in figures
            ]
            for name, figures in results.items()
        },
    }
    file.write_text(json.dumps(document, indent=2) + "\n")
    return int(any(figure.met is False for figures in results.values() for figure in figures))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The workflow's steps that need an engine, carried out as the runner would: the image, and what it is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.containers.engine import ROOT, Engine
from tests.support.containers.images import Images
from tests.support.workflow import carry_out, checkout, installed, scripts

pytestmark = [pytest.mark.system, pytest.mark.timeout(1000)]
_IMAGE = "orgbridge:ci"


@pytest.fixture(scope="module")
def made(engine: Engine, images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout in which the job's own steps have run, up to the one that asks a registry; its layers were there."""
    if not installed():
        pytest.skip("these tests do not run in the environment that the Makefile makes")
    copy = checkout(tmp_path_factory.mktemp("workflow"))
    ours = [step for step in scripts() if step.job == "image" and step.script.endswith(f"IMAGE={_IMAGE}")]
    assert [step.script.split()[1] for step in ours] == ["image", "sbom", "scan"]
    try:
        for step in ours[:2]:
            done = carry_out(step, copy, engine.settings, timeout=900)
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        yield copy
    finally:
        engine.docker("image", "rm", "--force", _IMAGE)


def test_the_image_is_made(engine: Engine, images: Images, made: Path) -> None:
    """The step leaves the image under the name that the next ones use, of the same layers as the Dockerfile's."""
    layers = ("image", "inspect", "--format", "{{json .RootFS.Layers}}")
    assert len(json.loads(engine.said(*layers, _IMAGE))) == len(json.loads(engine.said(*layers, images.service)))


def test_the_document_names_what_is_in_the_image(made: Path) -> None:
    """Every pinned distribution is there in its pinned version, Debian's packages are, and nothing unpinned is."""
    told = json.loads((made / "dist/sbom.spdx.json").read_text())
    assert told["spdxVersion"] == "SPDX-2.3"
    purls = [one["externalRefs"][0]["referenceLocator"] for one in told["packages"]]
    ours = dict(one.removeprefix("pkg:pypi/").split("@") for one in purls if one.startswith("pkg:pypi/"))
    # One name may have a version for each Python.
    pins = set(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    del ours["orgbridge"]
    assert ours.items() <= pins
    assert {"fastapi", "dbos", "pyarrow", "uvloop"} <= set(ours)
    assert any(re.match(r"pkg:deb/debian/libc6@2\.", one) for one in purls)
    assert len({one["SPDXID"] for one in told["packages"]}) == len(told["packages"])
    related = {one["relatedSpdxElement"] for one in told["relationships"]}
    assert related == {one["SPDXID"] for one in told["packages"]}

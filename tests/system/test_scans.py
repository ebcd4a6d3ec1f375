"""Scanners over Dockerfile, compose, manifests and workflow: each finding is mended, or stands here with a reason."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.containers.places import kubectl
from tests.support.manifests import BASE, OVERLAYS, ROOT
from tests.support.parts import KUBECTL, SCANNERS, SCANNERS_FOLDER

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not SCANNERS.present(), reason=SCANNERS.remedy),
    pytest.mark.skipif(not KUBECTL.present(), reason=KUBECTL.remedy),
]
#: What is a choice, and why; a line that no finding needs any more is a fault.
_CHOSEN = {
    "CKV_K8S_15": "versions are not moved; with the digest of docs/deploy.md, step 1, the policy is moot",
    "CKV_K8S_35": "ORGBRIDGE_SECRETS_DIR takes files for who wants them; variables are what the first document names",
    "CKV_K8S_43": "a digest is that of the reader's own registry (docs/deploy.md, step 1)",
    "CKV_DOCKER_7": "the base is an ARG that has a version; the check cannot read it",
}
#: In the example of secrets, to be copied and filled in.
_CHOSEN_EXAMPLE = {
    "CKV_K8S_21": "its namespace is given when it is applied (docs/deploy.md, step 3)",
    "CKV_SECRET_4": "the word PASSWORD, which is to be filled in",
}
#: In the overlay for one machine alone, whose passwords guard nothing.
_CHOSEN_EMULATED = {
    "CKV_K8S_40": "70 is the user of the image postgres:17-alpine, and its files are that user's",
    "CKV_SECRET_6": "passwords of a demonstration without a port outside of its namespace, as its head says",
}
_ENVIRONMENT = dict(os.environ)  # noqa: TID251 - the scanners' own


def _scanner(name: str, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(SCANNERS_FOLDER / name), *words],
        cwd=folder,
        env={**_ENVIRONMENT, "HOME": str(folder)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is deployed, by itself: both overlays as they are applied, and the files that stand for themselves."""
    folder = tmp_path_factory.mktemp("scanned")
    program = kubectl()
    assert program is not None
    for overlay in ("production", "emulated"):
        words = [program, "kustomize", str(OVERLAYS / overlay)]
        (folder / f"{overlay}.yaml").write_text(subprocess.check_output(words, text=True, timeout=60))
    for name in ("Dockerfile", "docker-compose.yml", ".env.emulated", ".env.example"):
        shutil.copy(ROOT / name, folder)
    for name in ("pv.yaml", "secrets.yaml.example", "servicemonitor.yaml"):
        shutil.copy(BASE / name, folder / name.removesuffix(".example"))
    shutil.copytree(ROOT / ".github", folder / ".github")
    return folder


@pytest.fixture(scope="module")
def findings(scanned: Path) -> dict[str, set[str]]:
    """What checkov finds, by file; in `weak` lies what is known to be wrong, for one run costs seconds."""
    weak = scanned / "weak"
    flow = weak / ".github/workflows/ci.yml"
    flow.parent.mkdir(parents=True)
    text = (scanned / ".github/workflows/ci.yml").read_text()
    flow.write_text(text.replace("permissions:\n  contents: read", "permissions: write-all"))
    text = (scanned / "production.yaml").read_text()
    weak.joinpath("weak.yaml").write_text(
        text.replace("readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false").replace("drop:", "add:")
    )
    frameworks = ("--framework", "kubernetes", "dockerfile", "github_actions", "secrets")
    words = ("--directory", str(scanned), *frameworks, "--output", "json", "--skip-download")
    done = _scanner("checkov", *words, folder=scanned)
    assert done.stdout, done.stderr
    reports = json.loads(done.stdout)
    assert {report["check_type"] for report in reports} == {"kubernetes", "dockerfile", "github_actions", "secrets"}
    assert not any(report["summary"]["parsing_errors"] for report in reports)
    told: dict[str, set[str]] = {}
    for report in reports:
        for one in report["results"]["failed_checks"]:
            told.setdefault(one["file_path"].removeprefix("/"), set()).add(one["check_id"])
    return told


def test_every_finding_of_checkov_is_mended_or_chosen(findings: dict[str, set[str]]) -> None:
    """What checkov says against the deployed files is exactly what is chosen, each with its reason."""
    own = {Path(name).name: found for name, found in findings.items() if "weak" not in Path(name).parts}
    emulated, example = own.pop("emulated.yaml"), own.pop("secrets.yaml")
    assert set().union(*own.values()) == set(_CHOSEN)
    assert emulated - set(_CHOSEN) == set(_CHOSEN_EMULATED)
    assert example == set(_CHOSEN_EXAMPLE)


def test_a_weakness_is_found(findings: dict[str, set[str]]) -> None:
    """A container that may do everything, and a workflow that may write, are told."""
    weak = [found for name, found in findings.items() if "weak" in Path(name).parts]
    assert {"CKV_K8S_22", "CKV_K8S_37", "CKV2_GHA_1"} <= set().union(*weak)


def test_zizmor_has_nothing_against_the_workflow(scanned: Path, tmp_path: Path) -> None:
    """zizmor finds nothing, and does find an action that is pinned by its tag."""
    flow = scanned / ".github/workflows/ci.yml"
    done = _scanner("zizmor", "--offline", "--no-progress", str(flow), folder=scanned)
    assert done.returncode == 0, done.stdout + done.stderr
    loose = tmp_path / "ci.yml"
    text = flow.read_text()
    start = text.index("actions/checkout@") + len("actions/checkout@")
    loose.write_text(text[:start] + "v7" + text[start + 40 :])
    assert "unpinned-uses" in _scanner("zizmor", "--offline", "--no-progress", str(loose), folder=scanned).stdout


def test_the_workflow_fits_its_schema(scanned: Path, tmp_path: Path) -> None:
    """GitHub's schema takes the workflow, and refuses one with a misspelt key."""
    flow = scanned / ".github/workflows/ci.yml"
    words = ("--builtin-schema", "vendor.github-workflows")
    done = _scanner("check-jsonschema", *words, str(flow), folder=scanned)
    assert done.returncode == 0, done.stdout + done.stderr
    wrong = tmp_path / "ci.yml"
    wrong.write_text(flow.read_text().replace("timeout-minutes:", "timeout-minute:", 1))
    assert _scanner("check-jsonschema", *words, str(wrong), folder=scanned).returncode == 1

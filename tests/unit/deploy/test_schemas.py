"""Every manifest is what Kubernetes' own schemas ask for: no misspelt field passes unseen."""

from __future__ import annotations

import copy

import kubernetes_validate
import pytest

from tests.support.manifests import BASE, Manifest, base, find, read, rendered

_VERSION = "1.31"
#: A custom resource: its schema is its operator's.
_FOREIGN = {"ServiceMonitor", "PodMonitor"}


def faults(objects: list[Manifest]) -> list[str]:
    """Return what the schemas say against each object."""
    found = []
    for one in objects:
        if one["kind"] in _FOREIGN:
            continue
        try:
            kubernetes_validate.validate(copy.deepcopy(one), _VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{one['kind']}/{one['metadata']['name']}: {error.message}")
    return found


@pytest.mark.parametrize("overlay", ["production", "emulated"])
def test_overlays_fit_the_schemas(overlay: str) -> None:
    """What kubectl would send of an overlay fits, field by field."""
    found = rendered(overlay)
    if found is None:
        pytest.skip("there is no kubectl to render overlays with")
    assert faults(found) == []


def test_every_file_of_the_base_fits_the_schemas() -> None:
    """The base, and the files that are applied by hand."""
    by_hand = [one for name in ("pv.yaml", "secrets.yaml.example") for one in read((BASE / name).read_text())]
    assert faults([*base(), *by_hand]) == []


def test_a_misspelt_field_is_found() -> None:
    """A field that no schema knows is told, as is a value of the wrong type."""
    objects = copy.deepcopy(base())
    find(objects, "Deployment", "orgbridge")[0]["spec"]["replica"] = 2
    find(objects, "PodDisruptionBudget")[0]["spec"]["selector"] = "orgbridge"
    assert len(faults(objects)) == 2

"""Write what an image is made of as SPDX 2.3: every package of Debian's and every distribution of Python's in it.

It runs inside the image, whose name it is told, and needs nothing but Python: `make sbom` feeds it to `docker run`.
"""

from __future__ import annotations

import json
import platform
import re
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import quote

_STATUS = Path("/var/lib/dpkg/status")
_RELEASE = Path("/etc/os-release")
_LICENSE = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")


def package(kind: str, name: str, version: str, declared: str | None, purl: str) -> dict[str, Any]:
    """Return one package in SPDX's words; a license that is no expression of SPDX is not asserted."""
    return {
        "SPDXID": f"SPDXRef-{kind}-{re.sub(r'[^A-Za-z0-9.-]', '-', name)}",
        "name": name,
        "versionInfo": version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": declared if declared and _LICENSE.fullmatch(declared) else "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}],
    }


def debian() -> Iterator[dict[str, Any]]:
    """Yield what dpkg says is installed."""
    release = dict(line.split("=", 1) for line in _RELEASE.read_text().splitlines() if "=" in line)
    distribution = release.get("ID", "debian").strip('"')
    for block in _STATUS.read_text(errors="replace").split("\n\n"):
        told = dict(line.split(": ", 1) for line in block.splitlines() if re.match(r"[A-Z][A-Za-z-]*: ", line))
        if told.get("Status", "").endswith(" installed"):
            name, version = told["Package"], told["Version"]
            purl = f"pkg:deb/{distribution}/{quote(name)}@{quote(version)}?arch={told['Architecture']}"
            yield package("deb", name, version, None, purl)


def python() -> Iterator[dict[str, Any]]:
    """Yield the interpreter, and every distribution that it finds, once."""
    version = platform.python_version()
    yield package("generic", "cpython", version, "PSF-2.0", f"pkg:generic/cpython@{version}")
    found = {re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower(): each for each in metadata.distributions()}
    for name, each in sorted(found.items()):
        yield package(
            "pypi", name, each.version, each.metadata.get("License-Expression"), f"pkg:pypi/{name}@{each.version}"
        )


def document(image: str, now: datetime) -> dict[str, Any]:
    """Return the whole document.

    Args:
        image: The name under which the image was asked for.
        now: When the document is made.
    """
    packages = [*debian(), *python()]
    whole = package("image", image, now.strftime("%Y-%m-%d"), None, f"pkg:oci/{quote(image, safe='')}")
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", whole)] + [(whole["SPDXID"], "CONTAINS", each) for each in packages]
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": image,
        "documentNamespace": f"urn:uuid:{uuid.uuid4()}",
        "creationInfo": {"created": now.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: orgbridge-sbom"]},
        "packages": [whole, *packages],
        "relationships": [
            {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other["SPDXID"]}
            for one, kind, other in relations
        ],
    }


if __name__ == "__main__":
    json.dump(document(sys.argv[1], datetime.now(UTC)), sys.stdout, indent=1)

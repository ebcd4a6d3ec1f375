"""The pages of documentation that hold commands: every one is run, and writes what the page says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from orgbridge.wiring.hosting import HostedOrg, OrgHost
from tests.support.cosmos_server import cosmos_server
from tests.support.guides import DOCS, Guide, GuideError, fences
from tests.support.keyvault_double import KeyVaultDouble
from tests.support.object_servers import s3_server
from tests.support.postgres import Server

#: Pages that need nothing but a folder.
_PAGES = ("guide/first-load.md", "guide/records-and-queries.md", "guide/commerce.md", "guide/console.md")
#: What is not run, by page: whoever adds to it says so here too.
_SKIPPED = {
    "../README.md": 4,
    "guide/console.md": 1,
    "guide/first-load.md": 1,
    "how-to/connect-a-real-org.md": 1,
    "how-to/cosmos.md": 1,
    "how-to/key-vault.md": 2,
    "how-to/s3-and-azure-blob.md": 1,
}
#: Whole houses start here; on a busy machine that takes its time.
pytestmark = pytest.mark.timeout(300)
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="the pages use curl")


@pytest.fixture
def org() -> Iterator[HostedOrg]:
    """An emulated org that stands in for somebody's."""
    with OrgHost() as host, host.org() as running:
        yield running


def _acme(org: HostedOrg) -> dict[str, str]:
    return {
        "https://acme.my.salesforce.com": org.url,
        "the-consumer-key": org.client_id,
        "the-consumer-secret": org.client_secret,
    }


def _walk(
    page: str,
    folder: Path,
    stand_ins: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> None:
    with Guide(DOCS / page, folder / "guide", stand_ins=stand_ins, settings=settings) as guide:
        guide.walk()
    assert guide.ran >= 4
    assert len(guide.skipped) == _SKIPPED.get(page, 0)


@needs_curl
def test_the_readme_does_what_it_says(tmp_path: Path) -> None:
    """The tour of the README works as it is printed there."""
    _walk("../README.md", tmp_path)


@needs_curl
@pytest.mark.parametrize("page", _PAGES)
def test_a_page_does_what_it_says(page: str, tmp_path: Path) -> None:
    """Each command of the page, run in the page's order in one shell, ends and writes as the page shows."""
    _walk(page, tmp_path)


def test_an_org_is_connected_as_the_page_says(org: HostedOrg, tmp_path: Path) -> None:
    """The settings of the page sign in, doctor says what the page says, also of a wrong secret."""
    _walk("how-to/connect-a-real-org.md", tmp_path, _acme(org))


def test_secrets_come_from_a_vault_as_the_page_says(org: HostedOrg, tmp_path: Path) -> None:
    """Nothing but the vault's address is set, and the sign-in works; a vault that refuses is told of."""
    with KeyVaultDouble(tmp_path) as vault:
        vault.secrets = {"SALESFORCE-CLIENT-ID": org.client_id, "SALESFORCE-CLIENT-SECRET": org.client_secret}
        settings = {name: text for name, text in vault.environment().items() if name != "AZURE_KEY_VAULT_URL"}
        _walk("how-to/key-vault.md", tmp_path, {**_acme(org), "https://acme.vault.azure.net": vault.url}, settings)


def test_a_house_is_scaled_out_as_the_page_says(org: HostedOrg, postgres: Server, tmp_path: Path) -> None:
    """Two services and two workers of the page share one PostgreSQL, and each tells of the other's load."""
    database = {"postgresql://orgbridge:secret@db.acme.example/orgbridge": postgres.create_database()}
    _walk("how-to/scale-out.md", tmp_path, {**_acme(org), **database})


def test_files_lie_in_a_bucket_as_the_page_says(tmp_path: Path) -> None:
    """A load of the page goes through the bucket, and nothing is read from another one."""
    with s3_server(tmp_path) as server:
        given = server.settings(server.url())
        settings = {name: text for name, text in given.items() if name not in ("ORGBRIDGE_FILES_URL",)}
        stand_ins = {"s3://acme-loads/orgbridge": given["ORGBRIDGE_FILES_URL"], "eu-central-1": "us-east-1"}
        _walk("how-to/s3-and-azure-blob.md", tmp_path, stand_ins, settings)


@needs_curl
def test_documents_lie_in_cosmos_as_the_page_says(tmp_path: Path) -> None:
    """The health of the page's service names Cosmos DB, and a document that is written is read again."""
    with cosmos_server(tmp_path) as server:
        given = server.settings()
        settings = {name: given[name] for name in ("AZURE_COSMOS_KEY", "ORGBRIDGE_COSMOS_CA")}
        stand_ins = {"https://acme.documents.azure.com": given["AZURE_COSMOS_ENDPOINT"]}
        _walk("how-to/cosmos.md", tmp_path, stand_ins, settings)


def test_every_guide_is_walked() -> None:
    """No page below guide or how-to is left out here, and none hides commands in a fence that nobody runs."""
    source = Path(__file__).read_text()
    pages = sorted([*(DOCS / "guide").glob("*.md"), *(DOCS / "how-to").glob("*.md")])
    assert len(pages) >= 8
    for page in pages:
        assert f'"{page.relative_to(DOCS)}"' in source, page
        found = fences(page.read_text())
        assert not [fence.line for fence in found if fence.is_shell and fence.verb != "file"], page


def test_a_page_that_lies_is_found_out(tmp_path: Path) -> None:
    """A wrong output, a wrong id, a failing command and a skip without a reason each end the walk with their line."""
    ids = "$ echo 801Ob00000000aaIAA 801Ob00000000abIAA\n801Ob0000000001IAA 801Ob0000000001IAA"
    lies = {
        f"```console\n{ids}\n```\n": "wrote",
        "```console\n$ echo one\ntwo\n```\n": "wrote",
        "```console\n$ false\n```\n": "ended with 1",
        "<!-- guide: skip -->\n```console\n$ true\n```\n": "says why",
        "```sh\ntrue\n```\n": "console",
    }
    for number, (text, told) in enumerate(lies.items()):
        page = tmp_path / f"{number}.md"
        page.write_text(text)
        with Guide(page, tmp_path / str(number)) as guide, pytest.raises(GuideError, match=told):
            guide.walk()

"""Configured orgs: found by name, lazy, sharing one client and its descriptions."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from orgbridge.client import ClientCredentials, Secret, errors
from orgbridge.orgs.connections import OrgConfig, Orgs
from orgbridge.orgs.errors import UnknownOrg
from tests.support.clocks import HandClock
from tests.support.salesforce_double import Answer, SalesforceDouble

DESCRIBE = {
    "name": "Account",
    "fields": [
        {"name": "Id", "idLookup": True, "externalId": False},
        {"name": "Name", "idLookup": False, "externalId": False},
        {"name": "Ext__c", "idLookup": True, "externalId": True},
    ],
}


@pytest.fixture
async def double() -> AsyncIterator[SalesforceDouble]:
    """A scripted Salesforce."""
    async with SalesforceDouble() as double:
        yield double


@pytest.fixture
def config(double: SalesforceDouble) -> OrgConfig:
    """The default org, at the double."""
    return OrgConfig(
        credentials=ClientCredentials(client_id="key", client_secret=Secret("s3cret!")),
        token_url=double.token_url,
        api_version="58",
    )


async def test_nothing_is_sent_before_the_first_call(double: SalesforceDouble, config: OrgConfig) -> None:
    """Building and closing the orgs costs no request, so that a service starts while Salesforce is away."""
    async with Orgs([config], HandClock()) as orgs:
        assert orgs.get("default") is orgs.get()
    assert (double.requests, double.token_forms) == ([], [])


async def test_unknown_org_names_the_known_ones(config: OrgConfig) -> None:
    """An org that nobody configured is an error that tells what there is."""
    async with Orgs([config], HandClock()) as orgs:
        assert orgs.names == ("default",)
        with pytest.raises(UnknownOrg, match="default") as caught:
            orgs.get("sandbox")
    assert caught.value.name == "sandbox"


def test_two_orgs_of_one_name_are_refused(config: OrgConfig) -> None:
    """One name stands for one org."""
    with pytest.raises(ValueError, match="default"):
        Orgs([config, config], HandClock())


async def test_describe_finds_fields_in_any_case(double: SalesforceDouble, config: OrgConfig) -> None:
    """The field map finds fields in any case, keeps their own, and is fetched once."""
    double.script("GET", "/services/data/v58.0/sobjects/account/describe", Answer(json=DESCRIBE))
    async with Orgs([config], HandClock()) as orgs:
        fields = await orgs.get().describe("account")
        again = await orgs.get().describe("account")
    assert (fields.sobject, fields.names, fields.keys()) == ("Account", ("Id", "Name", "Ext__c"), ("Id", "Ext__c"))
    assert "NAME" in fields
    assert fields.get("EXT__C") == DESCRIBE["fields"][2]
    assert (fields.get("Nope"), 7 in fields) == (None, False)
    assert again.names == fields.names
    assert len(double.requests) == 1


async def test_description_without_fields_is_malformed(double: SalesforceDouble, config: OrgConfig) -> None:
    """A describe reply of another shape is an error of Salesforce's, not a crash."""
    double.script("GET", "/services/data/v58.0/sobjects/Account/describe", Answer(json={"name": "Account"}))
    async with Orgs([config], HandClock()) as orgs:
        with pytest.raises(errors.MalformedReply):
            await orgs.get().describe("Account")


async def test_check_tells_why_an_org_cannot_be_used(double: SalesforceDouble, config: OrgConfig) -> None:
    """A check passes for a living org and raises cause and remedy for a refused sign-in."""
    double.script("GET", "/services/data/v58.0/", Answer(json={"sobjects": "/services/data/v58.0/sobjects"}))
    async with Orgs([config], HandClock()) as orgs:
        await orgs.get().check()
    refused = {"error": "invalid_client", "error_description": "invalid client credentials"}
    double.token_replies.append(Answer(status=400, json=refused))
    async with Orgs([config], HandClock()) as orgs:
        with pytest.raises(errors.AuthenticationFailed, match="secret"):
            await orgs.get().check()


def test_config_shows_no_secret(config: OrgConfig) -> None:
    """A printed configuration shows no secret."""
    assert "s3cret!" not in repr(config)

"""simple-salesforce signs in in every way it knows, and tells what it needs to tell when it may not."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce import Salesforce, SalesforceLogin, SFType
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceExpiredSession

from tests.support.emulator_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    SECURITY_TOKEN,
    USERNAME,
    EmulatorServer,
)
from tests.support.rerouting import emulator_session

USER = f"SELECT Id FROM User WHERE Username = '{USERNAME}'"


def words(name: str, org_id: str, keys: tuple[Path, Path]) -> dict[str, Any]:
    """Return the arguments of one way to sign in."""
    secret = {"consumer_key": CLIENT_ID, "consumer_secret": CLIENT_SECRET}
    person = {"username": USERNAME, "password": PASSWORD}
    key = {"username": USERNAME, "consumer_key": CLIENT_ID}
    return {
        "security token": {**person, "security_token": SECURITY_TOKEN},
        "security token at test": {**person, "security_token": SECURITY_TOKEN, "domain": "test"},
        "security token at My Domain": {**person, "security_token": SECURITY_TOKEN, "domain": "acme.my"},
        "named app": {**person, "security_token": SECURITY_TOKEN, "client_id": "loader"},
        "organization": {**person, "organizationId": org_id},
        "password flow": {**person, **secret},
        "JWT with a file": {**key, "privatekey_file": str(keys[0])},
        "JWT with a key": {**key, "privatekey": keys[0].read_text()},
        "JWT at My Domain": {**key, "privatekey_file": str(keys[0]), "instance_url": "acme.my"},
        "client credentials": {**secret, "domain": "acme.my"},
    }[name]


KINDS = (
    ("security token", "password"),
    ("security token at test", "password"),
    ("security token at My Domain", "password"),
    ("named app", "password"),
    ("organization", "ipfilter"),
    ("password flow", "password"),
    ("JWT with a file", "jwt-bearer"),
    ("JWT with a key", "jwt-bearer"),
    ("JWT at My Domain", "jwt-bearer"),
    ("client credentials", "client-credentials"),
)


@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_every_way_to_sign_in_gives_a_session_of_that_user(
    emulator: EmulatorServer, simple: Salesforce, key_files: tuple[Path, Path], name: str, kind: str
) -> None:
    """Each way is taken for what it is, and its session finds the user who signed in."""
    org_id = simple.query("SELECT Id FROM Organization")["records"][0]["Id"]
    with emulator_session(emulator.url) as session:
        sf = Salesforce(session=session, version="62.0", **words(name, org_id, key_files))
        assert sf.auth_type == kind
        assert sf.query(USER)["records"][0]["Id"] == sf.oauth2("userinfo")["user_id"]


@pytest.mark.parametrize("where", ["instance", "instance_url"])
def test_a_session_id_is_used_where_it_is_told(simple: Salesforce, where: str) -> None:
    """A session that was got elsewhere works at a host name and at a whole address, and cannot be renewed."""
    host = str(simple.sf_instance)
    told = {where: host if where == "instance" else f"https://{host}/"}
    sf = Salesforce(session_id=simple.session_id, session=simple.session, **told)
    assert (sf.auth_type, sf.query(USER)["totalSize"]) == ("direct", 1)
    dead = Salesforce(session_id="00D000000000000!dead", session=simple.session, **told)
    with pytest.raises(SalesforceExpiredSession) as caught:
        dead.query(USER)
    assert caught.value.content == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_an_object_of_its_own_works_with_a_session_alone(simple: Salesforce) -> None:
    """`SFType` by itself creates and reads a row."""
    accounts = SFType("Account", simple.session_id, str(simple.sf_instance), "62.0", session=simple.session)
    made = accounts.create({"Name": "By itself"})
    assert accounts.get(made["id"])["Name"] == "By itself"


def test_the_login_function_returns_session_and_instance(emulator: EmulatorServer) -> None:
    """`SalesforceLogin` called directly returns what the class works with; a scratch org's address works."""
    person = {"username": USERNAME, "password": PASSWORD, "security_token": SECURITY_TOKEN}
    with emulator_session(emulator.url) as session:
        session_id, instance = SalesforceLogin(
            session=session, sf_version="62.0", scratch_url="https://scratch.my.salesforce.com", **person
        )
        sf = Salesforce(session_id=session_id, instance=instance, session=session)
        assert sf.is_sandbox() is False


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"password": "wrong", "security_token": "x"}, "INVALID_LOGIN"),
        ({"password": PASSWORD, "organizationId": "00D000000000001AAA"}, "INVALID_LOGIN"),
        ({"password": "wrong", "consumer_key": CLIENT_ID, "consumer_secret": CLIENT_SECRET}, "invalid_grant"),
        ({"password": PASSWORD, "consumer_key": CLIENT_ID, "consumer_secret": "wrong"}, "invalid_client"),
        ({"password": PASSWORD, "consumer_key": "nobody", "consumer_secret": "x"}, "invalid_client_id"),
    ],
)
def test_refusals_carry_the_code_of_the_fault(emulator: EmulatorServer, told: dict[str, str], code: str) -> None:
    """Whatever is wrong with a sign-in, the client finds its code."""
    with emulator_session(emulator.url) as session, pytest.raises(SalesforceAuthenticationFailed) as caught:
        Salesforce(username=USERNAME, session=session, **told)
    assert caught.value.code == code


def test_a_jwt_of_another_key_is_refused(emulator: EmulatorServer) -> None:
    """An assertion signed with a key that the app does not know is an invalid grant."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with emulator_session(emulator.url) as session, pytest.raises(SalesforceAuthenticationFailed) as caught:
        Salesforce(username=USERNAME, consumer_key=CLIENT_ID, privatekey=key.decode(), session=session)
    assert caught.value.code == "invalid_grant"


def test_a_user_who_must_approve_first_is_told_where(tmp_path: Path, key_files: tuple[Path, Path]) -> None:
    """The description of the error is the one by which the client recognises a missing approval."""
    users = tmp_path / "users.json"
    app = {"client_id": "careful", "jwt_certificate": key_files[1].read_text(), "jwt_needs_consent": True}
    users.write_text(json.dumps({"clients": [app]}))
    person = {"username": USERNAME, "consumer_key": "careful", "privatekey_file": str(key_files[0])}
    with (
        EmulatorServer(tmp_path / "org.db", users=users) as server,
        emulator_session(server.url) as session,
        pytest.warns(UserWarning, match="client_id=careful"),
        pytest.raises(SalesforceAuthenticationFailed) as caught,
    ):
        Salesforce(session=session, **person)
    assert caught.value.code == "invalid_grant"


def test_oauth2_asks_the_endpoints(simple: Salesforce) -> None:
    """`oauth2` reads userinfo, and ends the session by revoke."""
    assert simple.oauth2("userinfo")["preferred_username"] == USERNAME
    assert simple.oauth2("revoke", {"token": simple.session_id}, method="POST") is None
    held = Salesforce(session_id=simple.session_id, instance=str(simple.sf_instance), session=simple.session)
    with pytest.raises(SalesforceExpiredSession):
        held.query(USER)


def test_an_ended_session_is_renewed_within_a_call(emulator: EmulatorServer, simple: Salesforce) -> None:
    """Calls of the client and of one object each sign in again after a 401, and do their work once."""
    emulator.fault(kind="expire_sessions")
    assert simple.query(USER)["totalSize"] == 1
    emulator.fault(kind="expire_sessions")
    made = simple.Account.create({"Name": "Renewed once"})
    assert made["success"] is True
    assert simple.query("SELECT COUNT() FROM Account WHERE Name = 'Renewed once'")["totalSize"] == 1


def test_numbers_and_objects_are_parsed_as_the_caller_wants(simple: Salesforce) -> None:
    """`parse_float` and `object_pairs_hook` see the bytes of the reply: no digit is lost."""
    simple.Account.create({"Name": "Digits", "AnnualRevenue": 1234567890.12})
    sf = Salesforce(
        session_id=simple.session_id,
        instance=str(simple.sf_instance),
        session=simple.session,
        parse_float=Decimal,
        object_pairs_hook=dict,
    )
    row = sf.query("SELECT AnnualRevenue FROM Account WHERE Name = 'Digits'")["records"][0]
    assert type(row) is dict
    assert row["AnnualRevenue"] == Decimal("1234567890.12")

"""How Salesforce's refusals are told to a caller."""

from __future__ import annotations

import pytest

from orgbridge.client import errors as client
from orgbridge.client.errors import AuthenticationFailed, SalesforceFault
from orgbridge.kit.errors import ErrorKind, OrgbridgeError
from orgbridge.services.errors import trouble_of

SALESFORCE_ERRORS = [
    found for found in vars(client).values() if isinstance(found, type) and issubclass(found, client.SalesforceError)
]


@pytest.mark.parametrize("kind", SALESFORCE_ERRORS, ids=lambda kind: kind.__name__)
def test_salesforces_401_and_403_are_never_the_callers_own(kind: type[client.SalesforceError]) -> None:
    """Whatever Salesforce refuses to us, the caller is not told to sign in or to ask for rights here."""
    error = kind(
        status=401, faults=[SalesforceFault(error_code="X", message="m", fields=("F",))], method="GET", path="/"
    )
    trouble = trouble_of(error)
    assert trouble.kind not in (ErrorKind.UNAUTHENTICATED, ErrorKind.FORBIDDEN)
    assert trouble.upstream == [{"errorCode": "X", "message": "m", "fields": ["F"]}]


def test_a_refused_sign_in_tells_cause_and_remedy() -> None:
    """Both sentences reach the caller."""
    trouble = trouble_of(AuthenticationFailed(cause="The secret is wrong.", remedy="Set it anew.", host="h"))
    assert (trouble.kind, trouble.detail) == (ErrorKind.UPSTREAM, "The secret is wrong. Set it anew.")


def test_our_own_errors_have_no_upstream() -> None:
    """`upstream` is Salesforce's alone."""
    assert trouble_of(OrgbridgeError("m", details=[{"line": 1}])).upstream == []

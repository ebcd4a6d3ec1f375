"""Codes that a user proves to be the one with, before and after an e-mail address or phone number is changed.

Source: the reference of Commerce Webstore My Profile with Initiate OTP and Verify OTP (64): a code of the type StepUp
goes before a change, and its identifier with it; the change sends a code of the type Verify to the new address or
number. Assumed: the code, which is a setting as nothing is sent; that it is good for ten minutes and five tries, and a
step-up for one change; that a user's first e-mail address is verified and the phone number is not.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from enum import StrEnum

from orgbridge.emulator.commerce.guests import masked_email, masked_phone
from orgbridge.emulator.storage.database import Connection
from orgbridge.wire.dates import bulk_datetime

#: The room's own tables.
TABLES = """
CREATE TABLE IF NOT EXISTS ob_profile_codes (
    identifier TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    kind TEXT NOT NULL,
    expires TEXT NOT NULL,
    tries INTEGER NOT NULL,
    proved INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS ob_profile_verified (
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    verified INTEGER NOT NULL,
    PRIMARY KEY (user_id, kind)
)
"""
_VALID, _TRIES = timedelta(minutes=10), 5
_IDENTIFIER_BYTES = 15


class Kind(StrEnum):
    """Where a code goes, as replies tell it; calls write it in capitals."""

    EMAIL = "Email"
    SMS = "Sms"

    @property
    def column(self) -> str:
        """The user's field with the address."""
        return "Email" if self is Kind.EMAIL else "Phone"

    def masked(self, address: str) -> str:
        """Return an address as it may be told."""
        return masked_email(address) if self is Kind.EMAIL else masked_phone(address)


class Purpose(StrEnum):
    """What a code is for."""

    #: To prove who changes something.
    STEP_UP = "StepUp"
    #: To prove that a new address is the user's.
    VERIFY = "Verify"


def send(connection: Connection, now: datetime, user_id: str, purpose: Purpose, kind: Kind) -> str:
    """Let a code be on its way, in the place of former ones for the same; return its identifier."""
    same = (user_id, purpose, kind)
    connection.execute("DELETE FROM ob_profile_codes WHERE user_id = ? AND purpose = ? AND kind = ?", same)
    identifier = secrets.token_urlsafe(_IDENTIFIER_BYTES)
    values = (identifier, *same, bulk_datetime(now + _VALID))
    connection.execute("INSERT INTO ob_profile_codes VALUES (?, ?, ?, ?, ?, 0, 0)", values)
    return identifier


def prove(connection: Connection, now: datetime, user_id: str, identifier: str, *, matches: bool) -> bool:
    """Take a try at a code; tell whether it was right.

    Args:
        connection: The open write transaction; a try counts when it commits.
        now: The org's instant.
        user_id: Who tries.
        identifier: Of the code.
        matches: Whether what was given is the code.
    """
    sql = (
        "UPDATE ob_profile_codes SET tries = tries + 1, proved = ? WHERE identifier = ? AND user_id = ?"
        " AND proved = 0 AND tries < ? AND expires > ? RETURNING purpose, kind"
    )
    values = (matches, identifier, user_id, _TRIES, bulk_datetime(now))
    row = connection.execute(sql, values).fetchone()
    if row is None or not matches:
        return False
    if row[0] == Purpose.VERIFY:
        set_verified(connection, user_id, Kind(row[1]), verified=True)
    return True


def is_code(given: str, code: str) -> bool:
    """Tell whether what a user gave is the code, in a time that says nothing of it."""
    return hmac.compare_digest(given.encode(), code.encode())


def use_step_up(connection: Connection, now: datetime, user_id: str, identifier: str) -> bool:
    """Use a proved step-up for one change; tell whether there was one."""
    sql = (
        "DELETE FROM ob_profile_codes WHERE identifier = ? AND user_id = ? AND purpose = ? AND proved = 1"
        " AND expires > ?"
    )
    values = (identifier, user_id, Purpose.STEP_UP, bulk_datetime(now))
    return connection.execute(sql, values).rowcount == 1


def set_verified(connection: Connection, user_id: str, kind: Kind, *, verified: bool) -> None:
    """Note whether a user's address is proved."""
    connection.execute("INSERT OR REPLACE INTO ob_profile_verified VALUES (?, ?, ?)", (user_id, kind, verified))


def is_verified(connection: Connection, user_id: str, kind: Kind) -> bool:
    """Tell whether a user's address is proved."""
    sql = "SELECT verified FROM ob_profile_verified WHERE user_id = ? AND kind = ?"
    row = connection.execute(sql, (user_id, kind)).fetchone()
    return kind is Kind.EMAIL if row is None else bool(row[0])

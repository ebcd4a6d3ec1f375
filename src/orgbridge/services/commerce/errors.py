"""What the use-cases of commerce refuse.

ServiceError
+-- CommerceError
    +-- OrganizationUnknown     account.organization_not_found
    +-- OrganizationAmbiguous   account.organization_ambiguous
    +-- NotGranted              account.not_granted
    +-- ChoiceNeeded            account.choice_needed
    +-- NotMapped               account.not_mapped
    +-- AccountMissing          account.not_found
    +-- AccountAmbiguous        account.ambiguous
    +-- AccountGone             account.gone
    +-- AccountTaken            account.taken
    +-- HierarchyTooLarge       account.hierarchy_too_large
    +-- MachineMissing          machine.not_found
    +-- MachineAmbiguous        machine.ambiguous
    +-- MachinesTooMany         machine.too_many_grants
    +-- NotKept                 machine.not_kept
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from orgbridge.kit.errors import ErrorKind
from orgbridge.services.errors import ServiceError


class CommerceError(ServiceError):
    """The use-case of commerce refused."""


class OrganizationUnknown(CommerceError):
    """There is no such organization."""

    code: ClassVar[str] = "account.organization_not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class OrganizationAmbiguous(CommerceError):
    """Several organizations are meant: name one by its id."""

    code: ClassVar[str] = "account.organization_ambiguous"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT

    def __init__(self, candidates: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(
            "Several organizations have this text as their name or key: name one by its id.",
            details=[dict(item) for item in candidates],
        )


class NotGranted(CommerceError):
    """You are not granted this organization or account: an administrator grants organizations."""

    code: ClassVar[str] = "account.not_granted"
    kind: ClassVar[ErrorKind] = ErrorKind.FORBIDDEN


class ChoiceNeeded(CommerceError):
    """You may act for several organizations: name one, or its account."""

    code: ClassVar[str] = "account.choice_needed"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT

    def __init__(self, candidates: Sequence[Mapping[str, Any]], *, more: bool) -> None:
        known = f"{'the first ' if more else ''}{len(candidates)} of them in `errors`"
        super().__init__(
            f"You may act for several organizations ({known}): name one, or the account.",
            details=[dict(item) for item in candidates],
        )


class NotMapped(CommerceError):
    """The organization is mapped to no Salesforce account: PUT /salesforce_account/mappings/{org_id} maps it."""

    code: ClassVar[str] = "account.not_mapped"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class AccountMissing(CommerceError):
    """Salesforce has no such account."""

    code: ClassVar[str] = "account.not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class AccountAmbiguous(CommerceError):
    """Several accounts of Salesforce are meant: name one by its id."""

    code: ClassVar[str] = "account.ambiguous"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT

    def __init__(self, text: str, candidates: Sequence[Mapping[str, Any]], *, more: bool) -> None:
        super().__init__(
            f"{'More than ' if more else ''}{len(candidates)} accounts are called {text[:100]!r}: name one of those in "
            "`errors` by its id.",
            details=[dict(item) for item in candidates],
        )


class AccountGone(CommerceError):
    """The mapped account is no longer in Salesforce: map the organization to another one.

    Attributes:
        account_id: The account.
        merged_into: The account that it was merged into; None for one that was deleted.
    """

    code: ClassVar[str] = "account.gone"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT

    def __init__(self, account_id: str, name: str, merged_into: str | None, *, is_in_bin: bool) -> None:
        self.account_id = account_id
        self.merged_into = merged_into
        called = f"The account {name!r} ({account_id})" if name else f"The account {account_id}"
        if merged_into is not None:
            what = f"{called} was merged into {merged_into} in Salesforce: map the organization to that one."
        elif is_in_bin:
            what = f"{called} was deleted in Salesforce: restore it from the recycle bin, or map another one."
        else:
            what = f"{called} is not in Salesforce, or the integration user does not see it: map another one."
        super().__init__(what, details=[{"account_id": account_id, "merged_into": merged_into, "message": what}])


class AccountTaken(CommerceError):
    """The account belongs to another organization."""

    code: ClassVar[str] = "account.taken"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class HierarchyTooLarge(CommerceError):
    """More accounts lie below this one than are read at once."""

    code: ClassVar[str] = "account.hierarchy_too_large"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class MachineMissing(CommerceError):
    """There is no such machine, or none that you may see."""

    code: ClassVar[str] = "machine.not_found"
    kind: ClassVar[ErrorKind] = ErrorKind.MISSING


class MachineAmbiguous(CommerceError):
    """Several machines have this serial number: name one by the id of its Asset."""

    code: ClassVar[str] = "machine.ambiguous"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT

    def __init__(self, candidates: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(details=[dict(item) for item in candidates])


class MachinesTooMany(CommerceError):
    """More single machines are granted than one query can name: filter by plant, or be granted the organization."""

    code: ClassVar[str] = "machine.too_many_grants"
    kind: ClassVar[ErrorKind] = ErrorKind.CONFLICT


class NotKept(CommerceError):
    """The org does not keep what is asked for, or you may not see it."""

    code: ClassVar[str] = "machine.not_kept"
    kind: ClassVar[ErrorKind] = ErrorKind.INVALID

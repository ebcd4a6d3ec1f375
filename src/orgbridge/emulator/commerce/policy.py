"""What nobody could verify about a real org's commerce, as settings: codes, statuses, and what is allowed.

Source of the questions: facts/commerce/README.md, "Open points". Every default here is Assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON


class PolicyError(ValueError):
    """A setting is unknown or its value has another form; nothing changed. The message is one line for people."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a call is refused."""

    #: Salesforce's code.
    code: str
    #: HTTP status.
    status: int

    def error(self, message: str) -> SFError:
        """Return the error with this text."""
        return SFError(self.code, message, self.status)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommercePolicy:
    """The settings."""

    #: A web store that is not there, or an id that is none.
    unknown_store: Refusal = Refusal("WEBSTORE_NOT_FOUND", 404)
    #: An effective account that is not there, or that cannot buy.
    unknown_account: Refusal = Refusal("EFFECTIVE_ACCOUNT_NOT_FOUND", 404)
    #: A user without the right to buy, or not for this account.
    no_access: Refusal = Refusal("INSUFFICIENT_ACCESS", 403)
    #: A product, category, list or address that is not there or not to be seen by this buyer.
    missing: Refusal = Refusal("MISSING_RECORD", 404)
    #: A parameter or body with a value that makes no sense.
    bad_input: Refusal = Refusal("INVALID_API_INPUT", 400)
    #: Too many of something.
    too_many: Refusal = Refusal("MAX_LIMIT_EXCEEDED", 400)
    #: Whether users who are nobody's contact may buy for any buyer account that they name.
    internal_users_buy: bool = True
    #: Whether names of product fields that are not there are refused instead of passed over.
    refuse_unknown_fields: bool = False
    #: Whether a store's own address is a resource.
    webstore_resource: bool = False
    #: Whether products are found as soon as they are there; otherwise once an index was built.
    live_search_index: bool = True


class Commerce:
    """Holds the settings of a running org.

    Args:
        policy: What they are at the start.
    """

    def __init__(self, policy: CommercePolicy | None = None) -> None:
        self.policy = policy or CommercePolicy()
        self._first = self.policy

    def change(self, given: Mapping[str, JSON]) -> None:
        """Change settings by name.

        Raises:
            PolicyError: A name is unknown or a value has another form. Nothing changed.
        """
        self.policy = changed(self.policy, given)

    def reset(self) -> None:
        """Go back to the settings of the start."""
        self.policy = self._first

    def shown(self) -> dict[str, JSON]:
        """Return the settings as `change` takes them."""
        return {
            field.name: f"{value.code}:{value.status}" if isinstance(value, Refusal) else value
            for field in fields(self.policy)
            for value in (getattr(self.policy, field.name),)
        }


def changed(policy: CommercePolicy, given: Mapping[str, JSON]) -> CommercePolicy:
    """Return the policy with some settings changed; values may be text, as on a command line.

    Raises:
        PolicyError: A name is unknown or a value has another form.
    """
    known = {field.name for field in fields(policy)}
    new: dict[str, object] = {}
    for name, value in given.items():
        if name not in known:
            raise PolicyError(f"there is no commerce setting {name}; there are {', '.join(sorted(known))}")
        new[name] = _read(name, getattr(policy, name), value)
    return replace(policy, **new)  # type: ignore[arg-type]  # each value has the type of the one it replaces


def _read(name: str, present: object, value: JSON) -> object:
    text = str(value).strip()
    match present:
        case Refusal():
            code, _, status = text.partition(":")
            if code and status.isdigit() and 400 <= int(status) <= 599:
                return Refusal(code, int(status))
            raise PolicyError(f"{name} takes CODE:STATUS, such as {present.code}:{present.status}")
        case bool():
            if text.lower() in ("true", "false"):
                return text.lower() == "true"
            raise PolicyError(f"{name} takes true or false")
        case int():
            if text.isdigit():
                return int(text)
            raise PolicyError(f"{name} takes a whole number")
        case float():
            try:
                return float(text)
            except ValueError as error:
                raise PolicyError(f"{name} takes a number") from error
        case _:
            return text

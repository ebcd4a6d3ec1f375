"""What nobody could verify about a real org's commerce, as settings: codes, statuses, and what is allowed.

Source of the questions: facts/commerce/README.md, "Open points". Every default here is Assumed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal, InvalidOperation

from orgbridge.emulator.commerce.deliveries import DELIVERIES, Delivery
from orgbridge.emulator.schema.errors import SFError
from orgbridge.kit.json import JSON

#: Terms that are remembered of a user, and users.
_TERMS, _USERS = 10, 1000
#: Tax in percent. Assumed: the rates in force, and that other countries have none.
_TAX = {"DE": Decimal(19), "Germany": Decimal(19), "FR": Decimal(20), "France": Decimal(20)}


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
    #: Reads that are answered 202 before a calculation is done; 0 for done at once.
    calculation_reads: int = 1
    #: Seconds, by the org's clock, that a calculation takes at least.
    calculation_seconds: float = 0.0
    #: As `calculation_reads`, for what a checkout computes in the background.
    checkout_reads: int = 1
    #: Whether checkouts compute at once and answer with whole bodies.
    synchronous_checkout: bool = False
    #: Whether a cart's Status is Processing, and nothing of it can be changed, while it is computed.
    processing_locks: bool = False
    #: Reads of a cart before one that became an order goes from PendingClosed to Closed; 0 for at once.
    closing_reads: int = 0
    #: Value of Retry-After beside a 202, in seconds.
    retry_after: int = 1
    #: Whether editing a cart leaves its checkout alone ("simplified cart cleanup").
    cart_cleanup: bool = False
    #: Whether buyers may place orders by `orders/actions`.
    place_order_actions: bool = True
    #: Lines of a cart.
    cart_lines: int = 500
    #: Lines of a cart with a coupon.
    coupon_cart_lines: int = 500
    #: Coupons of a cart. Documented.
    cart_coupons: int = 2
    #: Answer to `active` without a cart.
    no_active_cart: Refusal = Refusal("MISSING_RECORD", 404)
    #: Answer to a change of a cart that is Processing, PendingClosed, Closed or PendingDelete.
    closed_cart: Refusal = Refusal("INVALID_CART_STATUS", 400)
    #: A quantity that is no number above zero.
    bad_quantity: Refusal = Refusal("INVALID_API_INPUT", 400)
    #: Answer to a product that the buyer may not see.
    not_entitled: Refusal = Refusal("INSUFFICIENT_ACCESS", 403)
    #: Status of PUT carts/active that made a cart.
    new_active_status: int = 201
    #: Status of actions on a cart that make nothing.
    action_status: int = 200
    #: Status of a coupon that was taken.
    coupon_status: int = 201
    #: Status of a quote that was made of a cart, and of a cart that has a quote's products.
    quote_status: int = 201
    #: Status of a reply whose `errors` say why there is no quote, or no cart.
    quote_refusal_status: int = 400
    #: Whether products are configured, and bundles quoted: Revenue Cloud beside B2B Commerce.
    revenue_cloud: bool = True
    #: Whether an e-mail address or phone number is changed only with a code ("two-factor authentication").
    profile_codes: bool = False
    #: The code of every such proof: nothing is sent.
    profile_code: str = "123456"
    #: Whether promotions of a cart are wrapped twice, as was seen; otherwise once, as is documented.
    wrapped_promotions: bool = True
    #: Status of a placed sale.
    sale_status: int = 201
    #: Whether GET of a sale shows fields beside ids.
    sale_fields: bool = False
    #: Tax in percent by country of delivery, in short or long form; others none.
    tax_percent: Mapping[str, Decimal] = field(default_factory=lambda: dict(_TAX))
    #: What the products of a cart must cost for a coupon to count, by code; else UNQUALIFIED_CART.
    coupon_minimum: Mapping[str, Decimal] = field(default_factory=dict)
    #: Codes of coupons that bear no other beside them: BLOCKED_EXCLUSIVE.
    exclusive_coupons: frozenset[str] = frozenset()
    #: Ways of delivery.
    deliveries: tuple[Delivery, ...] = DELIVERIES
    #: Pieces in stock by SKU; products that are not named are never short.
    stock: Mapping[str, Decimal] = field(default_factory=dict)
    #: Whether users who are nobody's contact may buy for any buyer account that they name.
    internal_users_buy: bool = True
    #: Whether names of product fields that are not there are refused instead of passed over.
    refuse_unknown_fields: bool = False
    #: Whether a store's own address is a resource.
    webstore_resource: bool = False
    #: Whether products are found as soon as they are there; otherwise once an index was built.
    live_search_index: bool = True


class Searches:
    """What users searched for, as long as the process lives: ten terms of each of the last thousand users."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], deque[str]] = OrderedDict()
        self._lock = threading.Lock()

    def note(self, store_id: str, user_id: str, term: str) -> None:
        """Remember a term."""
        with self._lock:
            terms = self._known.setdefault((store_id, user_id), deque(maxlen=_TERMS))
            self._known.move_to_end((store_id, user_id))
            if term in terms:
                terms.remove(term)
            terms.appendleft(term)
            while len(self._known) > _USERS:
                self._known.popitem(last=False)

    def of(self, store_id: str, user_id: str) -> list[str]:
        """Return a user's terms, the last one first."""
        with self._lock:
            return list(self._known.get((store_id, user_id), ()))


class Commerce:
    """Holds the settings of a running org.

    Args:
        policy: What they are at the start.
    """

    def __init__(self, policy: CommercePolicy | None = None) -> None:
        self.policy = policy or CommercePolicy()
        self._first = self.policy
        #: What users searched for.
        self.searches = Searches()

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
        return {one.name: _shown(getattr(self.policy, one.name)) for one in fields(self.policy)}


def _shown(value: object) -> JSON:
    match value:
        case Refusal():
            return f"{value.code}:{value.status}"
        case Mapping():
            return {name: int(each) if each == int(each) else float(each) for name, each in value.items()}
        case frozenset():
            return sorted(value)
        case tuple():
            return [one.name for one in value]
        case _:
            return value


def changed(policy: CommercePolicy, given: Mapping[str, JSON]) -> CommercePolicy:
    """Return the policy with some settings changed; values may be text, as on a command line.

    Raises:
        PolicyError: A name is unknown or a value has another form.
    """
    known = {one.name for one in fields(policy)}
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
        case Mapping():
            return _numbers(name, value)
        case frozenset():
            if isinstance(value, list) and all(isinstance(one, str) for one in value):
                return frozenset(one.upper() for one in value)
            raise PolicyError(f"{name} takes a list of texts")
        case tuple():
            raise PolicyError(f"{name} is settled when the org is made")
        case _:
            return text


def _numbers(name: str, value: JSON) -> dict[str, Decimal]:
    try:
        if isinstance(value, Mapping):
            return {str(key): Decimal(str(number)) for key, number in value.items()}
    except InvalidOperation:
        pass
    raise PolicyError(f"{name} takes an object of numbers")

"""Everything about purchase orders, as the faces of the house receive it."""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.kit.clock import Clock
from orgbridge.services.commerce.purchase_decisions import PurchaseDecisions
from orgbridge.services.commerce.purchase_documents import PurchaseDocuments
from orgbridge.services.commerce.purchase_ordering import PurchaseOrdering
from orgbridge.services.commerce.purchase_orders import PurchaseOrderService
from orgbridge.services.commerce.purchase_rules import PurchaseRules
from orgbridge.services.errors import InvalidRequest, NotOurs
from orgbridge.store.database import Database
from orgbridge.store.mail_records import MailRecord
from orgbridge.store.purchase_order_records import PurchaseOrderRecord
from orgbridge.store.purchase_order_states import DECISIONS, PurchaseState, PurchaseStep, steps_from


class MailOutbox:
    """Mails of the outbox sent again by hand."""

    def __init__(self, database: Database, clock: Clock, *, configured: bool) -> None:
        self._database = database
        self._clock = clock
        #: False: nothing is sent.
        self.configured = configured

    async def resend(self, mail_id: str) -> MailRecord:
        """Put an ended mail back into the outbox, with all its attempts before it.

        Raises:
            NotOurs: There is no such mail.
            InvalidRequest: It is on its way already, or no mail server is configured.
        """
        if not self.configured:
            raise InvalidRequest("No mail server is configured: set ORGBRIDGE_SMTP_HOST and ORGBRIDGE_SMTP_FROM.")
        async with self._database.unit() as unit:
            if await unit.mails.get(mail_id) is None:
                raise NotOurs
            if not await unit.mails.again(mail_id, self._clock.now()):
                raise InvalidRequest("The mail is on its way already.")
            found = await unit.mails.get(mail_id)
        assert found is not None, "it was there in this transaction"
        return found


#: The names under which the faces of the house know purchase orders, their states and steps.
PurchaseOrder = PurchaseOrderRecord
Status = PurchaseState
Step = PurchaseStep


def decisions_from(status: Status) -> list[str]:
    """Return what can be decided about an order in a state."""
    return [step.value for step in steps_from(status) if step in DECISIONS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchasing:
    """What a face may call about purchase orders."""

    #: Made, shown, submitted, cancelled, commented.
    orders: PurchaseOrderService
    #: Approved and rejected.
    decisions: PurchaseDecisions
    #: Turned into orders.
    ordering: PurchaseOrdering
    #: Their PDFs.
    documents: PurchaseDocuments
    #: Who approves what.
    rules: PurchaseRules
    #: What was, or is to be, mailed.
    mails: MailOutbox

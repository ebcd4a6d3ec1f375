"""Purchase orders, their mails and their upkeep, by the settings."""

from __future__ import annotations

from orgbridge.client.mails import MailTLS, SMTPConfig, SMTPSender
from orgbridge.services.audit import AuditTrail
from orgbridge.services.commerce.mails import MailConfig, Mailer
from orgbridge.services.commerce.order_rights import OrderRights
from orgbridge.services.commerce.placements import PlacementService
from orgbridge.services.commerce.purchase_carts import PurchaseCartReader
from orgbridge.services.commerce.purchase_decisions import PurchaseDecisions
from orgbridge.services.commerce.purchase_documents import PurchaseDocuments
from orgbridge.services.commerce.purchase_mirror import PurchaseMirror
from orgbridge.services.commerce.purchase_ordering import PurchaseOrdering
from orgbridge.services.commerce.purchase_orders import PurchaseOrderService
from orgbridge.services.commerce.purchase_placing import PurchasePlacements
from orgbridge.services.commerce.purchase_ports import PurchaseAccounts
from orgbridge.services.commerce.purchase_rules import PurchaseRules
from orgbridge.services.commerce.purchase_upkeep import PurchaseUpkeep
from orgbridge.services.commerce.purchasing import MailOutbox, Purchasing
from orgbridge.services.principals import Principals
from orgbridge.wiring.carts import Carts
from orgbridge.wiring.house import House
from orgbridge.wiring.settings import Settings

#: Where links of mails lead, below the prefix of version 1.
_DECISION = "salesforce_purchase_orders/decision"


def build_purchasing(
    settings: Settings,
    house: House,
    trail: AuditTrail,
    *,
    accounts: PurchaseAccounts,
    carts: Carts,
    placements: PlacementService,
    rights: OrderRights,
) -> Purchasing:
    """Return what faces may call about purchase orders.

    Args:
        settings: All settings.
        house: The connections.
        trail: Where steps are written down.
        accounts: Tells for whom a caller buys.
        carts: Of the same callers.
        placements: Makes orders.
        rights: Tells who may order.
    """
    database, clock = house.database, house.clock
    placer = PurchasePlacements(
        database,
        house.orgs,
        clock,
        placements=placements,
        rights=rights,
        desks=carts.desks,
        batches=carts.batches,
        mirror=PurchaseMirror(database, house.orgs, clock),
    )
    reader = PurchaseCartReader(carts.desks, carts.rights)
    configured = smtp_config(settings) is not None
    rules = PurchaseRules(database, Principals(database, clock), clock)
    return Purchasing(
        orders=PurchaseOrderService(
            database, clock, rules, trail, accounts=accounts, carts=reader, mail_configured=configured
        ),
        decisions=PurchaseDecisions(database, clock, rules, trail, mail_configured=configured),
        ordering=PurchaseOrdering(database, clock, rules, placer, mail_configured=configured),
        documents=_documents(settings, house, rules),
        rules=rules,
        mails=MailOutbox(database, clock, configured=configured),
    )


def build_purchase_upkeep(settings: Settings, house: House) -> PurchaseUpkeep:
    """Return what a worker does about purchase orders beside its loads."""
    database, clock = house.database, house.clock
    rules = PurchaseRules(database, Principals(database, clock), clock)
    config = smtp_config(settings)
    url = settings.orgbridge_public_url
    mailer = None
    if config is not None:
        decision_url = f"{url.rstrip('/')}{settings.api_v1_str}/{_DECISION}" if url else None
        mailer = Mailer(database, clock, SMTPSender(config), MailConfig(decision_url=decision_url))
    return PurchaseUpkeep(
        database,
        clock,
        rules,
        AuditTrail(database, clock),
        PurchaseMirror(database, house.orgs, clock),
        mailer,
        sweeps=(_documents(settings, house, rules).sweep,),
    )


def smtp_config(settings: Settings) -> SMTPConfig | None:
    """Return the mail server; None where none is configured: then nothing is sent, and mails say so."""
    host, sender = settings.orgbridge_smtp_host, settings.orgbridge_smtp_from
    if host is None or sender is None:
        return None
    password = settings.orgbridge_smtp_password
    tls = MailTLS(settings.orgbridge_smtp_tls)
    port = settings.orgbridge_smtp_port or (465 if tls is MailTLS.TLS else 587 if tls is MailTLS.STARTTLS else 25)
    return SMTPConfig(
        host=host,
        port=port,
        sender=sender,
        username=settings.orgbridge_smtp_username,
        password=password.get_secret_value() if password is not None else None,
        tls=tls,
        authority=str(settings.orgbridge_smtp_ca) if settings.orgbridge_smtp_ca is not None else None,
    )


def _documents(settings: Settings, house: House, rules: PurchaseRules) -> PurchaseDocuments:
    return PurchaseDocuments(
        house.database,
        house.files,
        house.orgs,
        house.clock,
        rules,
        PurchaseMirror(house.database, house.orgs, house.clock),
        limit_bytes=settings.orgbridge_document_bytes,
    )

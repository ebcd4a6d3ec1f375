"""The PDF of a purchase order: kept at Salesforce as a file linked to its `Purchase_Order__c`.

Laws:
1. Nothing but a PDF of bounded size gets past the door; it is looked at while it comes in, and never held whole.
2. The same file for the same order is stored once, however often it is sent: its hash is claimed here before anything
   is sent, and what an earlier try left at Salesforce is looked for by a title that names order and hash.
3. Every reply is looked at: a document counts as stored once version, document and link are known by their ids.
4. What a buyer uploads is uploaded as the buyer, who owns it; no owner is set.

Source: facts/commerce/orders.md section 5.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from orgbridge.client.errors import ClientError, DuplicateValue
from orgbridge.client.salesforce import Salesforce
from orgbridge.client.verdicts import outcome_unknown
from orgbridge.kit.clock import Clock
from orgbridge.kit.identifiers import instant_of, new_identifier
from orgbridge.kit.logs import get_logger
from orgbridge.kit.notes import note
from orgbridge.orgs.connections import Orgs
from orgbridge.orgs.uses import call_for
from orgbridge.services.commerce.purchase_errors import (
    DocumentBroken,
    DocumentBusy,
    DocumentMissing,
    DocumentRefused,
    DocumentTooLarge,
    NotTheRequester,
    PurchaseOrderMoved,
)
from orgbridge.services.commerce.purchase_mirror import PurchaseMirror
from orgbridge.services.commerce.purchase_orders import visible
from orgbridge.services.commerce.purchase_rules import PurchaseRules
from orgbridge.services.errors import OutcomeUnknown
from orgbridge.services.policies.guard import Guard
from orgbridge.services.scopes import Caller
from orgbridge.soql import quote
from orgbridge.store.database import Database
from orgbridge.store.files import FileStore
from orgbridge.store.purchase_order_records import PurchaseDocumentRecord, PurchaseOrderRecord
from orgbridge.store.purchase_order_states import PurchaseState, PurchaseStep
from orgbridge.wire.bulk import IngestOperation

_FOLDER: Final = "documents"
_VERSION, _LINK = "ContentVersion", "ContentDocumentLink"
_MAGIC: Final = b"%PDF-"
#: How far from its end a PDF says that it ends. Source: PDF Reference 1.7, appendix H, note 18.
_END, _END_BYTES = b"%%EOF", 1024
#: Longer than an upload may take.
_CLAIM: Final = timedelta(minutes=20)
#: Age at which a spooled file is what a crash left.
_LEFTOVER: Final = timedelta(days=1)
_HASH_SHOWN: Final = 16
_CLOSED: Final = frozenset({PurchaseState.REJECTED, PurchaseState.CANCELLED, PurchaseState.EXPIRED})
_UNSAFE: Final = re.compile(r"[^\w .()+-]+")
log = get_logger(__name__)


class PurchaseDocuments:
    """Stores and gives documents."""

    def __init__(
        self,
        database: Database,
        files: FileStore,
        orgs: Orgs,
        clock: Clock,
        rules: PurchaseRules,
        mirror: PurchaseMirror,
        *,
        limit_bytes: int,
        org: str = "default",
    ) -> None:
        self._database = database
        self._files = files
        self._orgs = orgs
        self._clock = clock
        self._rules = rules
        self._mirror = mirror
        self._limit_bytes = limit_bytes
        self._org = org
        self._guard = Guard(orgs, org)

    async def put(
        self, caller: Caller, key: str, filename: str, chunks: AsyncIterator[bytes]
    ) -> PurchaseDocumentRecord:
        """Store a PDF; sent again, it is the same one, and another one becomes its next version.

        Args:
            caller: The requester, an approver of the organization, or an administrator.
            key: Of the order.
            filename: As people call it.
            chunks: The file. Read once, to its end or to the first sign that it cannot be stored.

        Raises:
            PurchaseOrderNotFound: There is no such order, or it is another organization's.
            NotTheRequester: It is not the caller's to add to.
            PurchaseOrderMoved: The order has come to nothing.
            DocumentRefused: It is no PDF.
            DocumentTooLarge: It is larger than allowed.
            DocumentBusy: The same file is being sent at this moment.
            NotInOrg: The org has no object for purchase orders.
            OutcomeUnknown: Whether it was stored is not known: the same call looks for it.
            PolicyError: The caller may not create files.
            ClientError: Salesforce refused or cannot be reached.
        """
        async with self._database.unit(write=False) as unit:
            order = await visible(unit, caller, key)
        await self._check(caller, order)
        spool = f"{_FOLDER}/{new_identifier('doc', self._clock.now())}/file"
        try:
            stored = await self._files.write(spool, self._checked(chunks))
            now = self._clock.now()
            record = PurchaseDocumentRecord(
                order_id=order.id,
                sha256=stored.sha256,
                filename=_safe_name(filename, order),
                bytes=stored.bytes,
                uploaded_by=caller.username,
                updated_at=now,
            )
            async with self._database.unit() as unit:
                claimed = await unit.purchase_documents.claim(record, now, now + _CLAIM)
            if claimed is None:
                raise DocumentBusy
            return await self._store(caller, order, claimed, spool)
        finally:
            await self._files.delete(spool.rpartition("/")[0])

    async def get(self, caller: Caller, key: str) -> tuple[PurchaseDocumentRecord, AsyncIterator[bytes]]:
        """Return the latest document of an order, and its bytes as they come from Salesforce.

        Raises:
            PurchaseOrderNotFound: There is no such order, or it is another organization's.
            DocumentMissing: It has no document.
            PolicyError: The caller may not read files.
            ClientError: The caller may not see it at Salesforce, or Salesforce cannot be reached.
            DocumentBroken: While the bytes are read: they are not those that were stored.
        """
        async with self._database.unit(write=False) as unit:
            order = await visible(unit, caller, key)
            record = await unit.purchase_documents.latest(order.id)
        if record is None or record.version_id is None:
            raise DocumentMissing
        await self._guard.readable(caller, _VERSION, ["Id"])
        return record, self._bytes(caller, record, record.version_id)

    async def sweep(self) -> int:
        """Remove spooled files that crashes left; return how many."""
        limit = self._clock.now() - _LEFTOVER
        old = [
            name
            for name in await self._files.folders(_FOLDER)
            if (born := instant_of(name)) is not None and born < limit
        ]
        for name in old:
            await self._files.delete(f"{_FOLDER}/{name}")
        return len(old)

    async def _check(self, caller: Caller, order: PurchaseOrderRecord) -> None:
        if order.requester_id != caller.user_id and not caller.is_admin:
            rules = await self._rules.get(order.organization_id)
            if caller.user_id not in rules.approvers:
                raise NotTheRequester
        if order.state in _CLOSED:
            raise PurchaseOrderMoved(order.state, order.version, PurchaseStep.SUBMIT)

    async def _checked(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        head, tail, size = b"", b"", 0
        async for chunk in chunks:
            if not chunk:
                continue
            size += len(chunk)
            if size > self._limit_bytes:
                raise DocumentTooLarge(self._limit_bytes)
            if len(head) < len(_MAGIC):
                head += chunk[: len(_MAGIC)]
                if not _MAGIC.startswith(head[: len(_MAGIC)]):
                    raise DocumentRefused("The file does not begin as a PDF does, with %PDF-. Nothing was kept.")
            tail = (tail + chunk)[-_END_BYTES:]
            yield chunk
        if len(head) < len(_MAGIC) or _END not in tail:
            raise DocumentRefused("The file does not end as a PDF does, with %%EOF: it is cut off. Nothing was kept.")

    async def _store(
        self, caller: Caller, order: PurchaseOrderRecord, record: PurchaseDocumentRecord, spool: str
    ) -> PurchaseDocumentRecord:
        """Do what is missing of version, document and link, and keep each id as soon as it is known."""
        changes: dict[str, Any] = {}
        try:
            if record.link_id is None:
                parent = await self._mirror.record_id(order)
                call_for(caller.username)
                salesforce = await self._orgs.buyer(caller.sf_username, self._org)
                if record.version_id is None:
                    version_id = await self._version(caller, salesforce, order, record, spool)
                    changes["version_id"] = version_id
                    record = replace(record, version_id=version_id)
                if record.document_id is None:
                    document_id = await _document_of(salesforce, str(record.version_id))
                    changes["document_id"] = document_id
                    record = replace(record, document_id=document_id)
                link_id = await self._link(caller, salesforce, str(record.document_id), parent)
                changes["link_id"] = link_id
            changes["updated_at"] = self._clock.now()
            note(bytes=record.bytes, sha256=record.sha256)
        finally:
            async with self._database.unit() as unit:
                await unit.purchase_documents.settle(record, **changes)
        return replace(record, **{name: value for name, value in changes.items() if name != "updated_at"})

    async def _version(
        self,
        caller: Caller,
        salesforce: Salesforce,
        order: PurchaseOrderRecord,
        record: PurchaseDocumentRecord,
        spool: str,
    ) -> str:
        title = _title(order, record)
        found = await _found(salesforce, title)
        if found is not None:
            return found
        fields: dict[str, Any] = {"Title": title, "PathOnClient": record.filename, "ContentLocation": "S"}
        async with self._database.unit(write=False) as unit:
            former = await unit.purchase_documents.latest(order.id)
        if former is not None and former.document_id is not None and await _is_there(salesforce, former.document_id):
            fields["ContentDocumentId"] = former.document_id
        await self._guard.write(caller, IngestOperation.INSERT, _VERSION, [fields])
        try:
            return await salesforce.files.upload(fields, lambda: self._files.read(spool), record.bytes)
        except ClientError as error:
            if not outcome_unknown(error):
                raise
            found = await _found(salesforce, title)
            if found is None:
                raise OutcomeUnknown(error, "the document was stored") from error
            return found

    async def _link(self, caller: Caller, salesforce: Salesforce, document_id: str, parent: str) -> str:
        found = await _linked(salesforce, document_id, parent)
        if found is not None:
            return found
        # `ShareType` is never left to a default: without it a refusal, or a link that nobody can read, is likely.
        fields = {
            "ContentDocumentId": document_id,
            "LinkedEntityId": parent,
            "ShareType": "V",
            "Visibility": "AllUsers",
        }
        await self._guard.write(caller, IngestOperation.INSERT, _LINK, [fields])
        try:
            return await salesforce.records.create(_LINK, fields)
        except ClientError as error:
            if not (outcome_unknown(error) or isinstance(error, DuplicateValue)):
                raise
            found = await _linked(salesforce, document_id, parent)
            if found is None:
                raise OutcomeUnknown(error, "the document was linked") from error
            return found

    async def _bytes(self, caller: Caller, record: PurchaseDocumentRecord, version_id: str) -> AsyncIterator[bytes]:
        call_for(caller.username)
        salesforce = await self._orgs.buyer(caller.sf_username, self._org)
        seen = hashlib.sha256()
        async with salesforce.files.download(version_id) as reply:
            async for chunk in reply.chunks:
                seen.update(chunk)
                yield chunk
        if seen.hexdigest() != record.sha256:
            # The reply is cut off here, so that nobody takes another file for the one that was approved.
            log.error("document_differs", order_id=record.order_id, version_id=version_id)
            raise DocumentBroken


def _title(order: PurchaseOrderRecord, record: PurchaseDocumentRecord) -> str:
    """Return the title that tells this file of this order from all others."""
    return f"{order.number} {order.uuid} {record.sha256[:_HASH_SHOWN]}"


def _safe_name(filename: str, order: PurchaseOrderRecord) -> str:
    """Return a file's name that is safe in headers and on disks, and ends in `.pdf`."""
    name = _UNSAFE.sub("_", filename.replace("\\", "/").rpartition("/")[2]).strip(" .")[:120]
    stem = name[:-4] if name.lower().endswith(".pdf") else name
    return f"{stem or _UNSAFE.sub('_', order.number)}.pdf"


async def _found(salesforce: Salesforce, title: str) -> str | None:
    soql = f"SELECT Id FROM {_VERSION} WHERE Title = {quote(title)} ORDER BY CreatedDate, Id LIMIT 1"  # noqa: S608
    return await _first(salesforce, soql, "Id")


async def _is_there(salesforce: Salesforce, document_id: str) -> bool:
    soql = f"SELECT Id FROM ContentDocument WHERE Id = {quote(document_id)}"  # noqa: S608
    return await _first(salesforce, soql, "Id") is not None


async def _linked(salesforce: Salesforce, document_id: str, parent: str) -> str | None:
    soql = (
        f"SELECT Id FROM {_LINK} WHERE ContentDocumentId = {quote(document_id)} "  # noqa: S608
        f"AND LinkedEntityId = {quote(parent)}"
    )
    return await _first(salesforce, soql, "Id")


async def _document_of(salesforce: Salesforce, version_id: str) -> str:
    soql = f"SELECT ContentDocumentId FROM {_VERSION} WHERE Id = {quote(version_id)}"  # noqa: S608
    found = await _first(salesforce, soql, "ContentDocumentId")
    if found is None:
        raise DocumentMissing("The file is not at Salesforce any more: send it again.")
    return found


async def _first(salesforce: Salesforce, soql: str, field: str) -> str | None:
    records = (await salesforce.query.page(soql)).records
    return str(records[0][field]) if records else None

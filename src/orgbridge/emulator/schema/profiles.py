"""What the users of a profile may see and write, and the org as they see it.

Rights are those of the profiles of a Salesforce DX source folder; what a profile does not speak of is allowed as its
default says. Assumed: a hidden field or object is told in errors as if it were not there, the same in every API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from orgbridge.emulator.schema.describe import is_permissionable
from orgbridge.emulator.schema.metadata_files import read_xml
from orgbridge.emulator.schema.model import Catalogue, Field, SObject
from orgbridge.emulator.schema.sharing import COMMUNITY_SHARING


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRights:
    """What may be done with the rows of an object."""

    #: They can be seen.
    read: bool = True
    #: They can be inserted.
    create: bool = True
    #: They can be changed.
    edit: bool = True
    #: They can be deleted.
    delete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRights:
    """What may be done with a field."""

    #: It can be seen.
    read: bool = True
    #: It can be written.
    edit: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRights:
    """What the users of one profile may do."""

    #: Name of the profile.
    name: str
    #: Rights of objects that `objects` does not name.
    default: ObjectRights = ObjectRights()
    #: Rights by API name of the object.
    objects: Mapping[str, ObjectRights] = field(default_factory=dict)
    #: Rights by `Object.Field`.
    fields: Mapping[str, FieldRights] = field(default_factory=dict)
    #: The permission "Bulk API Hard Delete".
    hard_delete: bool = False
    #: What its users are: `Standard` or, for those of a site, `PowerCustomerSuccess` and the like.
    user_type: str = "Standard"
    #: By API name of the object: which of its rows are seen; see `schema.sharing`.
    sharing: Mapping[str, str] = field(default_factory=dict)


#: The profile of an integration user who reads everything and writes nothing.
READ_ONLY = ProfileRights(name="Read Only Integration", default=ObjectRights(create=False, edit=False, delete=False))
_NOTHING = ObjectRights(read=False, create=False, edit=False, delete=False)
_READ = ObjectRights(create=False, edit=False, delete=False)
_WRITE = ObjectRights(delete=False)
#: The profile of buyers who come through a store's site. Source: facts/commerce/auth.md section 4, and what buyers are
#: seen to do in facts/commerce/seed-service.md; Assumed: which objects, exactly. What is not named is hidden.
COMMUNITY = ProfileRights(
    name="Customer Community Plus User",
    user_type="PowerCustomerSuccess",
    sharing=COMMUNITY_SHARING,
    default=_NOTHING,
    objects={
        **dict.fromkeys(
            (
                "Account", "Asset", "AssetRelationship", "AssetWarranty", "BuyerAccount", "BuyerGroup",
                "BuyerGroupMember", "CaseComment", "CommerceEntitlementPolicy", "CommerceEntitlementProduct", "Contact",
                "ContentDocument", "DelegatedAccount", "Entitlement", "Group", "Network", "NetworkMember",
                "OrderDeliveryGroupSummary", "OrderItemAttribute", "OrderItemSummary", "OrderSummary", "Organization",
                "Pricebook2", "PricebookEntry", "Product2", "ProductCatalog", "ProductCategory",
                "ProductCategoryProduct", "ProductMedia", "ProductQuantityRule", "ProductRelatedComponent",
                "ProductRelationshipType", "Profile", "PurchaseQuantityRule", "Quote", "QuoteLineItem",
                "QuoteLineItemAttribute", "QuoteLineRelationship", "RecordType", "ServiceContract", "Shipment",
                "ShipmentItem", "User", "WebStore", "WebStoreCatalog", "WebStoreNetwork", "WorkOrder",
            ),
            _READ,
        ),
        **dict.fromkeys(
            ("Case", "ContentDocumentLink", "ContentVersion", "Order", "OrderItem", "Purchase_Order__c"), _WRITE
        ),
        **dict.fromkeys(
            (
                "CartCheckoutSession", "CartDeliveryGroup", "CartDeliveryGroupMethod", "CartItem", "CartItemAttribute",
                "CartItemPriceAdjustment", "CartTax", "CartValidationOutput", "ContactPointAddress",
                "OrderDeliveryGroup", "WebCart", "WebCartAdjustmentBasis", "WebCartAdjustmentGroup", "Wishlist",
                "WishlistItem",
            ),
            ObjectRights(),
        ),
    },
)  # fmt: skip


def read_profiles(folder: Path) -> tuple[ProfileRights, ...]:
    """Return the profiles of a source folder.

    Raises:
        MetadataError: A file cannot be read.
    """
    profiles = []
    for path in sorted(folder.rglob("*.profile-meta.xml")):
        root = read_xml(path)
        profiles.append(
            ProfileRights(
                name=path.name.removesuffix(".profile-meta.xml"),
                objects={
                    one.text("object") or "": ObjectRights(
                        read=one.flag("allowRead"),
                        create=one.flag("allowCreate"),
                        edit=one.flag("allowEdit"),
                        delete=one.flag("allowDelete"),
                    )
                    for one in root.all("objectPermissions")
                },
                fields={
                    one.text("field") or "": FieldRights(read=one.flag("readable"), edit=one.flag("editable"))
                    for one in root.all("fieldPermissions")
                },
                hard_delete=any(
                    one.text("name") == "BulkApiHardDelete" and one.flag("enabled")
                    for one in root.all("userPermissions")
                ),
            )
        )
    return tuple(profiles)


def view(catalogue: Catalogue, rights: ProfileRights) -> Catalogue:
    """Return the org as the users of a profile see it: without what is hidden, and read-only where they only read."""
    readable = {s.name for s in catalogue.sobjects() if rights.objects.get(s.name, rights.default).read}
    return Catalogue(_seen(s, rights, readable) for s in catalogue.sobjects() if s.name in readable)


def _seen(sobject: SObject, rights: ProfileRights, readable: set[str]) -> SObject:
    may = rights.objects.get(sobject.name, rights.default)
    return replace(
        sobject,
        fields=tuple(_field(sobject, f, rights, readable) for f in sobject.fields if _shown(sobject, f, rights)),
        child_relationships=tuple(
            c
            for c in sobject.child_relationships
            if c.child in readable and rights.fields.get(f"{c.child}.{c.field}", FieldRights()).read
        ),
        createable=sobject.createable and may.create,
        updateable=sobject.updateable and may.edit,
        deletable=sobject.deletable and may.delete,
        undeletable=sobject.undeletable and may.delete,
        sharing=rights.sharing.get(sobject.name),
    )


def _shown(sobject: SObject, one: Field, rights: ProfileRights) -> bool:
    return not is_permissionable(one) or rights.fields.get(f"{sobject.name}.{one.name}", FieldRights()).read


def _field(sobject: SObject, one: Field, rights: ProfileRights, readable: set[str]) -> Field:
    targets = tuple(name for name in one.reference_to if name in readable)
    if targets != one.reference_to:
        one = replace(one, reference_to=targets, relationship_name=one.relationship_name if targets else None)
    if is_permissionable(one) and not rights.fields.get(f"{sobject.name}.{one.name}", FieldRights()).edit:
        one = replace(one, createable=False, updateable=False)
    return one

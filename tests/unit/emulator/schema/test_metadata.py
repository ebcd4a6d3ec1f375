"""Objects and fields from a Salesforce DX source folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from orgbridge.emulator.app import EmulatorConfig, build_app
from orgbridge.emulator.schema.describe import describe_sobject
from orgbridge.emulator.schema.duplicate_rules import read_duplicate_rules
from orgbridge.emulator.schema.loading import catalogue_from_json, standard_objects
from orgbridge.emulator.schema.merging import UnknownObjectError, merge_objects
from orgbridge.emulator.schema.metadata import read_metadata
from orgbridge.emulator.schema.metadata_files import MetadataError
from orgbridge.emulator.schema.profiles import read_profiles
from orgbridge.emulator.storage.database import Storage
from orgbridge.emulator.storage.identities import identify

SITE = """<label>Site</label><pluralLabel>Sites</pluralLabel>
<nameField><label>Site Name</label><type>AutoNumber</type><displayFormat>S-{0000}</displayFormat></nameField>"""
GATE = "<label>Gate</label><nameField><label>Gate</label><type>Text</type></nameField>"
NUMBER = "<type>Number</type><precision>10</precision><scale>2</scale>"
COLOUR = """<type>Picklist</type><valueSet><restricted>true</restricted><controllingField>Kind__c</controllingField>
<valueSetDefinition><value><fullName>Red</fullName><default>false</default><label>Red</label></value>
<value><fullName>Blue</fullName><default>true</default><label>Sky blue</label></value></valueSetDefinition>
<valueSettings><controllingFieldValue>Big</controllingFieldValue><valueName>Red</valueName></valueSettings>
<valueSettings><controllingFieldValue>Big</controllingFieldValue><controllingFieldValue>Small</controllingFieldValue>
<valueName>Blue</valueName></valueSettings></valueSet>"""
KIND = """<type>Picklist</type><valueSet><valueSetName>Sizes</valueSetName></valueSet>"""
FIELDS = {
    "Code__c": "<type>Text</type><length>20</length><externalId>true</externalId><unique>true</unique>"
    "<caseSensitive>true</caseSensitive><required>true</required>",
    "Area__c": NUMBER + "<defaultValue>1.5</defaultValue>",
    "Open__c": "<type>Checkbox</type><defaultValue>true</defaultValue>",
    "Mail__c": "<type>Email</type>",
    "Notes__c": "<type>LongTextArea</type><length>5000</length>",
    "Kind__c": KIND,
    "Colour__c": COLOUR,
    "Double__c": "<type>Number</type><precision>18</precision><scale>2</scale><formula>Area__c * 2</formula>",
    "Owner_Account__c": "<type>Lookup</type><referenceTo>Account</referenceTo>"
    "<relationshipName>Sites</relationshipName><deleteConstraint>Restrict</deleteConstraint>",
    "Place__c": "<type>Location</type><scale>5</scale>",
    "Gates__c": "<type>Summary</type><summaryForeignKey>Gate__c.Site__c</summaryForeignKey>"
    "<summaryOperation>count</summaryOperation>",
}
MASTER = """<type>MasterDetail</type><referenceTo>Site__c</referenceTo><relationshipName>Gates</relationshipName>
<relationshipOrder>0</relationshipOrder>"""
NAMESPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'


def put(folder: Path, path: str, root: str, body: str) -> Path:
    """Write one metadata file."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} {NAMESPACE}>{body}</{root}>')
    return file


def put_field(folder: Path, sobject: str, name: str, body: str) -> Path:
    """Write one field file."""
    body = f"<fullName>{name}</fullName><label>{name[:-3]}</label>{body}"
    return put(folder, f"objects/{sobject}/fields/{name}.field-meta.xml", "CustomField", body)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with two objects, a field of a standard one, a value set and a record type."""
    put(tmp_path, "objects/Site__c/Site__c.object-meta.xml", "CustomObject", SITE)
    put(tmp_path, "objects/Gate__c/Gate__c.object-meta.xml", "CustomObject", GATE)
    for name, body in FIELDS.items():
        put_field(tmp_path, "Site__c", name, body)
    put_field(tmp_path, "Gate__c", "Site__c", MASTER)
    put_field(tmp_path, "Contact", "Badge__c", "<type>Text</type><length>10</length>")
    values = "".join(f"<customValue><fullName>{v}</fullName><label>{v}</label></customValue>" for v in ("Big", "Small"))
    put(tmp_path, "globalValueSets/Sizes.globalValueSet-meta.xml", "GlobalValueSet", values)
    kind = "<fullName>Plant</fullName><active>true</active><label>Plant</label>"
    put(tmp_path, "objects/Site__c/recordTypes/Plant.recordType-meta.xml", "RecordType", kind)
    return tmp_path


def catalogue_of(folder: Path):
    """Return the catalogue of an org with the folder's objects."""
    storage = Storage(":memory:")
    with storage.write() as connection:
        objects = identify(connection, merge_objects(standard_objects(), read_metadata(folder)))
    storage.close()
    return catalogue_from_json(objects)


@pytest.mark.documented
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Name", {"type": "string", "autoNumber": True, "createable": False, "nameField": True}),
        (
            "Code__c",
            {
                "length": 20,
                "unique": True,
                "externalId": True,
                "caseSensitive": True,
                "nillable": False,
                "label": "Code",
            },
        ),
        ("Area__c", {"type": "double", "precision": 10, "scale": 2, "defaultedOnCreate": True}),
        ("Open__c", {"type": "boolean", "defaultValue": True, "nillable": False}),
        ("Mail__c", {"type": "email", "length": 80}),
        ("Notes__c", {"type": "textarea", "length": 5000, "filterable": False}),
        ("Kind__c", {"type": "picklist", "restrictedPicklist": True, "dependentPicklist": False}),
        ("Colour__c", {"controllerName": "Kind__c", "dependentPicklist": True}),
        ("Double__c", {"calculated": True, "createable": False, "updateable": False}),
        (
            "Owner_Account__c",
            {"referenceTo": ["Account"], "relationshipName": "Owner_Account__r", "restrictedDelete": True},
        ),
        ("Place__c", {"type": "location", "createable": False}),
        ("Place__Latitude__s", {"type": "double", "scale": 15, "createable": True}),
        ("Gates__c", {"type": "double", "calculated": True, "updateable": False}),
        ("OwnerId", {"referenceTo": ["Group", "User"]}),
        ("RecordTypeId", {"referenceTo": ["RecordType"]}),
    ],
)
def test_fields_of_a_source_folder_are_described_as_declared(project, name, expected):
    """What a field file declares is what describe says of the field."""
    fields = {f["name"]: f for f in describe_sobject(catalogue_of(project).sobject("Site__c"), "/b")["fields"]}
    assert {key: fields[name][key] for key in expected} == expected


@pytest.mark.documented
def test_dependent_values_are_told_as_bitmaps(project):
    """A dependent value names its controlling values by the bits of validFor, the first value by the highest bit."""
    described = describe_sobject(catalogue_of(project).sobject("Site__c"), "/b")
    colour = next(f for f in described["fields"] if f["name"] == "Colour__c")
    assert {v["value"]: v["validFor"] for v in colour["picklistValues"]} == {"Red": "gA==", "Blue": "wA=="}
    kinds = [info["developerName"] for info in described["recordTypeInfos"]]
    assert kinds == ["Plant", "Master"]


@pytest.mark.documented
def test_details_have_a_master_and_no_owner(project):
    """A detail must name its master, goes with it, cannot change it, and belongs to nobody itself."""
    gate, contact = (catalogue_of(project).sobject(name) for name in ("Gate__c", "Contact"))
    master = gate.field("Site__c")
    assert (master.required, master.cascade_delete, master.updateable, gate.field("OwnerId")) == (
        True,
        True,
        False,
        None,
    )
    assert catalogue_of(project).sobject("Site__c").child_relationship("Gates__r").field == "Site__c"
    assert contact.field("Badge__c").length == 10


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("<type>ExternalLookup</type>", "ExternalLookup"),
        ("<type>Text</type><length>ten</length>", "no number"),
        ("<type>Date</type><defaultValue>TODAY()</defaultValue>", "formula"),
        ("<type>Picklist</type><valueSet><valueSetName>Gone</valueSetName></valueSet>", "Gone"),
        ("<type>Lookup</type>", "referenceTo"),
        ("<type>Summary</type>", "summarize"),
        ("<type>Text", "no XML"),
    ],
    ids=["type", "number", "default", "values", "reference", "summary", "xml"],
)
def test_what_cannot_be_emulated_is_refused_with_its_file(project, body, reason):
    """A field that is not understood stops the reading, and the error names its file."""
    file = put_field(project, "Site__c", "Odd__c", body)
    with pytest.raises(MetadataError, match=reason) as caught:
        read_metadata(project)
    assert caught.value.path == file
    assert str(file) in str(caught.value)


def test_other_kinds_of_objects_are_refused(project, tmp_path):
    """Events, metadata types and fields of unknown objects are no tables, and say so."""
    with pytest.raises(MetadataError, match="no such folder"):
        read_metadata(tmp_path / "nowhere")
    with pytest.raises(UnknownObjectError, match="Gone"):
        merge_objects(standard_objects(), [{"name": "Gone", "fields": []}])
    put(project, "objects/Note__e/Note__e.object-meta.xml", "CustomObject", "<label>x</label>")
    with pytest.raises(MetadataError, match="platform events"):
        read_metadata(project)


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("Up__c", "<type>Lookup</type><referenceTo>Gone__c</referenceTo>", "Gone__c"),
        ("Gates__c", FIELDS["Gates__c"].replace("Gate__c.Site__c", "Gate__c.Gone__c"), "Gate__c.Gone__c"),
        ("Colour__c", COLOUR.replace("Kind__c", "Gone__c"), "depends on Gone__c"),
    ],
)
def test_names_that_lead_nowhere_stop_the_start(project, tmp_path, name, body, reason):
    """A lookup, a roll-up or a dependency on what is not there is told before the org's file is opened."""
    put_field(project, "Site__c", name, body)
    with pytest.raises(UnknownObjectError, match=reason):
        build_app(EmulatorConfig(path=str(tmp_path / "new.sqlite"), metadata=project))
    assert not (tmp_path / "new.sqlite").exists()


def test_identities_stay_when_objects_come_later(project, tmp_path):
    """Key prefixes and record types keep their ids when another start of the same file brings more objects."""
    path = tmp_path / "org.sqlite"
    known = []
    for _ in range(2):
        storage = Storage(path)
        with storage.write() as connection:
            objects = identify(connection, merge_objects(standard_objects(), read_metadata(project)))
        storage.close()
        by_name = {data["name"]: data for data in objects}
        known.append((by_name["Site__c"]["keyPrefix"], by_name["Site__c"]["recordTypes"][0]["id"]))
        put(project, "objects/Able__c/Able__c.object-meta.xml", "CustomObject", "<label>Able</label>")
    assert known[0] == known[1]
    prefixes = [data["keyPrefix"] for data in objects]
    assert len(set(prefixes)) == len(prefixes)


def test_an_org_file_takes_new_objects_at_its_next_start(project, tmp_path):
    """An org that was made without the folder has its objects, fields and record types when it starts with it."""
    path = str(tmp_path / "org.sqlite")
    build_app(EmulatorConfig(path=path))
    build_app(EmulatorConfig(path=path, metadata=project))
    storage = Storage(path)
    with storage.read() as connection:
        columns = {row[1] for row in connection.execute('PRAGMA table_info("Contact")')}
        kinds = connection.execute('SELECT DeveloperName, SobjectType FROM "RecordType"').fetchall()
        connection.execute('SELECT "Code__c$key", Gates__c FROM "Site__c"')
    storage.close()
    assert "Badge__c" in columns
    assert kinds == [("Plant", "Site__c")]


def test_profiles_and_duplicate_rules_are_read(project):
    """Rights of profiles and exact matching rules come from their files; a fuzzy one is refused by name."""
    put(
        project,
        "profiles/Reader.profile-meta.xml",
        "Profile",
        "<objectPermissions><allowRead>true</allowRead><allowCreate>false</allowCreate><object>Account</object>"
        "</objectPermissions><fieldPermissions><field>Contact.Email</field><readable>false</readable>"
        "<editable>false</editable></fieldPermissions><userPermissions><enabled>true</enabled>"
        "<name>BulkApiHardDelete</name></userPermissions>",
    )
    (reader,) = read_profiles(project)
    assert (reader.objects["Account"].read, reader.objects["Account"].create) == (True, False)
    assert (reader.fields["Contact.Email"].read, reader.hard_delete) == (False, True)
    item = "<matchingRuleItems><fieldName>Phone</fieldName><matchingMethod>{}</matchingMethod></matchingRuleItems>"
    rule = "<matchingRules><fullName>Phones</fullName>{}</matchingRules>"
    file = "matchingRules/Account.matchingRule-meta.xml"
    put(project, file, "MatchingRules", rule.format(item.format("Exact")))
    put(
        project,
        "duplicateRules/Account.Same_Phone.duplicateRule-meta.xml",
        "DuplicateRule",
        "<actionOnInsert>Allow</actionOnInsert><actionOnUpdate>Block</actionOnUpdate><alertText>Known!</alertText>"
        "<isActive>true</isActive><operationsOnInsert>Alert</operationsOnInsert><duplicateRuleMatchRules>"
        "<matchRuleSObjectType>Account</matchRuleSObjectType><matchingRule>Phones</matchingRule>"
        "</duplicateRuleMatchRules>",
    )
    (found,) = read_duplicate_rules(project)
    assert (found.name, found.fields, found.blocks_inserts, found.blocks_updates, found.message) == (
        "Same_Phone", ("Phone",), False, True, "Known!",
    )  # fmt: skip
    put(project, file, "MatchingRules", rule.format(item.format("FirstName")))
    with pytest.raises(MetadataError, match="not Exact"):
        read_duplicate_rules(project)

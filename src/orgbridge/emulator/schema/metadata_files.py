"""XML files of the Metadata API: elements without their namespace, and the error that names the file."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

#: Bytes of a metadata file; a larger one is no object or field.
_FILE_BYTES = 8 << 20


class MetadataError(Exception):
    """A file of a source folder cannot be used.

    Attributes:
        path: The file.
        reason: What is wrong with it, in one line.
    """

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class Element:
    """One element; children are asked for by name."""

    def __init__(self, element: ElementTree.Element) -> None:
        self._element = element

    def all(self, name: str) -> list[Element]:
        """Return the children of that name."""
        return [Element(child) for child in self._element if child.tag.rpartition("}")[2] == name]

    def first(self, name: str) -> Element | None:
        """Return the first child of that name, or None."""
        return next(iter(self.all(name)), None)

    def text(self, name: str) -> str | None:
        """Return the text of the first child of that name, without blanks around it; None when it is not there."""
        found = self.first(name)
        return None if found is None else found.own_text

    def flag(self, name: str) -> bool:
        """Tell whether the child of that name says true."""
        return self.text(name) == "true"

    @property
    def own_text(self) -> str:
        """The text of this element, without blanks around it."""
        return (self._element.text or "").strip()


def read_xml(path: Path) -> Element:
    """Return the root element of a file.

    Raises:
        MetadataError: It cannot be read, is no XML, or declares a document type, which metadata never does.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MetadataError(path, error.strerror or "the file cannot be read") from error
    if len(data) > _FILE_BYTES or b"<!DOCTYPE" in data:
        raise MetadataError(path, "the file is no metadata of an object or field")
    try:
        # Entities, the one danger of XML that the parser takes, need a document type, refused above.
        return Element(ElementTree.fromstring(data))
    except ElementTree.ParseError as error:
        raise MetadataError(path, f"the file is no XML: {error}") from error

"""Addresses of objects in object storage, as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST_KEY = 1024
_ADDRESS = re.compile(r"(?P<scheme>s3|az)://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]{1,62})(?:/(?P<key>.*))?", re.DOTALL)
#: What a URL, a proxy or a shell could read as something else than a letter of a name.
_ODD = re.compile(r"[\x00-\x1f\x7f\\%?#]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAddress:
    """`s3://bucket/key` or `az://container/key`, taken apart."""

    #: s3 or az.
    scheme: str
    #: The bucket or container.
    bucket: str
    #: The names between the slashes of the key; none for the whole bucket.
    names: tuple[str, ...]

    @classmethod
    def parse(cls, address: str) -> ObjectAddress:
        """Take an address apart. A slash at the end means nothing.

        Raises:
            ValueError: It is none, or could be read in two ways: `.`, `..`, an empty name, an odd character.
        """
        match = _ADDRESS.fullmatch(address)
        if match is None:
            raise ValueError("An address of object storage is like s3://bucket/key or az://container/key.")
        key = (match["key"] or "").removesuffix("/")
        names = tuple(key.split("/")) if key else ()
        if len(key.encode(errors="replace")) > _LONGEST_KEY:
            raise ValueError(f"The address's key is longer than {_LONGEST_KEY} bytes.")
        if any(name in ("", ".", "..") for name in names) or _ODD.search(key) or not _encodable(key):
            raise ValueError(
                "The address's key has an empty name, '.', '..', or one of \\ % ? # or a control character: "
                "such keys are not read, as they could mean another object. Rename the object."
            )
        return cls(scheme=match["scheme"], bucket=match["bucket"], names=names)

    @property
    def root(self) -> str:
        """The address of the bucket."""
        return f"{self.scheme}://{self.bucket}"

    @property
    def key(self) -> str:
        """The object's key."""
        return "/".join(self.names)

    def is_below(self, other: ObjectAddress) -> bool:
        """Tell whether this lies below another address: same bucket, and the other's names first."""
        return (
            self.root == other.root
            and len(self.names) > len(other.names)
            and self.names[: len(other.names)] == other.names
        )

    def __str__(self) -> str:
        """Return the address in its one form."""
        return f"{self.root}/{self.key}"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

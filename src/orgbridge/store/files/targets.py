"""Where else a finished file may be put: the output folder, or places in object storage that the settings allow."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from orgbridge.store.errors import FileTargetRefused
from orgbridge.store.files.objects import ObjectAccess, ObjectFiles, open_objects
from orgbridge.store.files.protocol import FileStore

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9 ._=-]*(?:/[A-Za-z0-9_][A-Za-z0-9 ._=-]*)*\Z")
_LONGEST = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The places, as the settings name them. Workers put files there; services only check what callers ask for."""

    #: The folder for targets that are plain names; None allows none.
    folder: Path | None = None
    #: Addresses below which object storage may be written, e.g. `s3://acme-exports/daily`.
    allowed: tuple[str, ...] = ()
    #: How that object storage is reached.
    access: ObjectAccess = field(default_factory=ObjectAccess)

    def check(self, target: str) -> None:
        """See that a target is one that may be written.

        Raises:
            FileTargetRefused: It is not.
        """
        if len(target) > _LONGEST:
            raise FileTargetRefused("The target's name is too long.")
        if "://" in target:
            self._place(target)
        elif self.folder is None or not _NAME.match(target):
            raise FileTargetRefused

    def deliver(self, files: FileStore, key: str, target: str) -> None:
        """Copy a stored file to a target, whole or not at all, in place of what was there. Blocks.

        Raises:
            FileTargetRefused: The target may not be written, also by way of a symlink; nothing was written.
            StoreError: Object storage refused.
            OSError: The disk refused; what was there before stays.
        """
        self.check(target)
        if "://" in target:
            root, name = self._place(target)
            ObjectFiles(open_objects(root, self.access)).write_blocks(name, files.open_blocks(key))
            return
        assert self.folder is not None, "checked"
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = self.folder.resolve(strict=True)
        path = (folder / target).parent.resolve() / Path(target).name
        if not path.parent.is_relative_to(folder):
            raise FileTargetRefused
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        try:
            with temporary.open("xb") as file:
                for block in files.open_blocks(key):
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def _place(self, target: str) -> tuple[str, str]:
        """Return the allowed address that a target lies below, and its name there."""
        for address in self.allowed:
            root = address.rstrip("/")
            name = target.removeprefix(f"{root}/")
            if name != target and _NAME.match(name) and " " not in name and "=" not in name:
                return root, name
        raise FileTargetRefused

"""Files of loads: inputs, parts, results. A folder of this machine, or a prefix in S3 or Azure Blob."""

from orgbridge.store.files.local import LocalFiles
from orgbridge.store.files.objects import ObjectAccess, ObjectFiles, open_objects
from orgbridge.store.files.protocol import FileStore, StoredFile, Writing

__all__ = ["FileStore", "LocalFiles", "ObjectAccess", "ObjectFiles", "StoredFile", "Writing", "open_objects"]

"""Files of loads: inputs, parts, results. A folder of this machine today; the protocol is what others must keep."""

from orgbridge.store.files.local import LocalFiles
from orgbridge.store.files.protocol import FileStore, StoredFile

__all__ = ["FileStore", "LocalFiles", "StoredFile"]

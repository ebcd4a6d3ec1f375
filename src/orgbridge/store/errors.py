"""Errors of the store.

StoreError
+-- StoreUnavailable      the database cannot be reached or does not answer in time
+-- StoreAddressInvalid   the connection string is of no known kind
+-- SchemaOutdated        tables are missing or older than this program
+-- RecordMissing         an update named a row that is not there
+-- UsernameTaken         a user of that name exists
+-- NameTaken             another thing has that name or key
+-- StillInUse            something refers to what was to be deleted
+-- ReferenceMissing      what was referred to is not there
+-- RevisionStale         the row changed since the caller read it
+-- LinkExists            another load came out of this one in the same way before
+-- CursorInvalid         a page was asked for with a cursor we did not give
+-- FileKeyInvalid        a key that leaves the store's folder
+-- StoredFileMissing     no file under that key
+-- FileAddressInvalid    an address of object storage of no known kind
+-- FilesUnavailable      object storage refused or did not answer
+-- FileTargetRefused     a file may not be put there
+-- SourceRefused         an input may not be taken from there
+-- SourceMissing         no object at that address
+-- SourceForbidden       object storage does not let us read it
+-- SourceTooLarge        the object is larger than what is taken
+-- SourceChanged         the object was replaced while it was read
"""

from __future__ import annotations

from orgbridge.kit.errors import ErrorKind, OrgbridgeError


class StoreError(OrgbridgeError):
    """The store could not do what was asked."""

    code = "store.error"


class StoreUnavailable(StoreError):
    """The database cannot be reached or does not answer in time."""

    code = "store.unavailable"
    kind = ErrorKind.UNAVAILABLE
    retryable = True


class StoreAddressInvalid(StoreError):
    """The connection string must begin with postgresql://, postgres:// or sqlite:///."""

    code = "store.address_invalid"
    kind = ErrorKind.INVALID


class SchemaOutdated(StoreError):
    """The tables are missing or older than this program: run `orgbridge db upgrade`."""

    code = "store.schema_outdated"
    kind = ErrorKind.UNAVAILABLE


class RecordMissing(StoreError):
    """The row to be changed does not exist."""

    code = "store.record_missing"
    kind = ErrorKind.MISSING


class UsernameTaken(StoreError):
    """A user of this name already exists."""

    code = "user.name_taken"
    kind = ErrorKind.CONFLICT


class NameTaken(StoreError):
    """Another one has this name or key already."""

    code = "identity.name_taken"
    kind = ErrorKind.CONFLICT


class StillInUse(StoreError):
    """Something still refers to it: remove that first."""

    code = "identity.still_in_use"
    kind = ErrorKind.CONFLICT


class ReferenceMissing(StoreError):
    """What is referred to does not exist."""

    code = "identity.reference_missing"
    kind = ErrorKind.INVALID


class RevisionStale(StoreError):
    """It was changed since it was read: read it again, and repeat the change on what it is now."""

    code = "request.stale"
    kind = ErrorKind.STALE


class LinkExists(StoreError):
    """Another load came out of this one in the same way before."""

    code = "load.link_exists"
    kind = ErrorKind.CONFLICT


class CursorInvalid(StoreError):
    """The cursor is not one that this service gave out."""

    code = "page.cursor_invalid"
    kind = ErrorKind.INVALID


class FileKeyInvalid(StoreError):
    """A file key has letters, digits, `.`, `-` and `_` between slashes, and never `..`."""

    code = "file.key_invalid"
    kind = ErrorKind.INVALID


class StoredFileMissing(StoreError):
    """No file is stored under this key."""

    code = "file.missing"
    kind = ErrorKind.MISSING


class FileAddressInvalid(StoreError):
    """The address of the files must be like s3://bucket/prefix or az://container/prefix."""

    code = "file.address_invalid"
    kind = ErrorKind.INVALID


class FilesUnavailable(StoreError):
    """Object storage refused or did not answer in time."""

    code = "file.unavailable"
    kind = ErrorKind.UNAVAILABLE
    retryable = True


class FileTargetRefused(StoreError):
    """A target is a name inside DATA_PATH_OUTPUT, or an address below one of ORGBRIDGE_EXPORT_URLS."""

    code = "file.target_refused"
    kind = ErrorKind.INVALID


class SourceRefused(StoreError):
    """Objects are read below the addresses in ORGBRIDGE_IMPORT_URLS only, and this one lies elsewhere."""

    code = "file.source_refused"
    kind = ErrorKind.FORBIDDEN


class SourceMissing(StoreError):
    """There is no such object in object storage."""

    code = "file.source_missing"
    kind = ErrorKind.MISSING


class SourceForbidden(StoreError):
    """Object storage does not let the service read the object."""

    code = "file.source_forbidden"
    kind = ErrorKind.UPSTREAM


class SourceTooLarge(StoreError):
    """The object is larger than ORGBRIDGE_IMPORT_MAX_BYTES."""

    code = "file.source_too_large"
    kind = ErrorKind.TOO_LARGE


class SourceChanged(StoreError):
    """The object was replaced while it was read; nothing was kept."""

    code = "file.source_changed"
    kind = ErrorKind.CONFLICT
    retryable = True

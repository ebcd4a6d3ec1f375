"""Why rows fail and what to do about it, in words for the person who owns the file.

Salesforce's own message always stands beside this; nothing here replaces it. Codes that are not here are shown without.

Source: facts/salesforce/errors.md section 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orgbridge.loads.causes import CALL_CAUSES, JOB_RETRIES
from orgbridge.loads.inputcauses import INPUT_CAUSES
from orgbridge.wire.errorcodes import Retry, retry_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What lies behind an error code."""

    #: One sentence; empty when nothing is known.
    cause: str
    #: One sentence; empty when nothing is known.
    remedy: str
    #: What may be done after it.
    retry: Retry


_UNREACHED: Final = (
    "Salesforce could not be reached for as long as a load waits (ORGBRIDGE_PATIENCE_SECONDS).",
    "Load the unprocessed rows again once `orgbridge doctor` finds no fault.",
)
_TEXTS: Final[dict[str, tuple[str, str]]] = {
    "REQUIRED_FIELD_MISSING": (
        "A field that the object requires is blank or has no column.",
        "Fill the named fields in these rows, or add the column.",
    ),
    "STRING_TOO_LONG": (
        "A text is longer than its field.",
        "Shorten it to the maximum length that the message names.",
    ),
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": (
        "The value is not among those of a restricted picklist.",
        "Use a value of the picklist, or have it added in Setup.",
    ),
    "INVALID_EMAIL_ADDRESS": ("The text is not an e-mail address.", "Correct the address or leave the cell blank."),
    "INVALID_TYPE_ON_FIELD_IN_RECORD": (
        "The text cannot be read as the field's type.",
        "Write numbers with a point and no thousands separator, dates as 2024-12-31, booleans as true or false.",
    ),
    "NUMBER_OUTSIDE_VALID_RANGE": ("The number has more digits than its field.", "Correct it or widen the field."),
    "MALFORMED_ID": (
        "The text is no record id, or one of another object.",
        "Use 15- or 18-character ids of the right object; spreadsheets change the case of ids.",
    ),
    "INVALID_ID_FIELD": ("The Id column holds something that is no id.", "Correct the Id or leave the row out."),
    "MISSING_ARGUMENT": (
        "The row has no Id or external id, and the operation needs one.",
        "Fill the key column in these rows.",
    ),
    "DUPLICATE_VALUE": (
        "Another record has this value in a field that must be unique.",
        "Upsert by that field instead of inserting, or correct the value.",
    ),
    "DUPLICATE_EXTERNAL_ID": (
        "More than one record, or more than one row of the load, has this external id.",
        "Keep one row per external id, and make the field unique in Setup.",
    ),
    "DUPLICATES_DETECTED": (
        "A duplicate rule of the org holds the record for a copy of another.",
        "Merge it with the record that it matches, or have the rule allow API loads.",
    ),
    "INVALID_CROSS_REFERENCE_KEY": (
        "The record that a lookup names does not exist or cannot be seen.",
        "Load the parents first, and check that the user may see them.",
    ),
    "INVALID_FIELD": (
        "A field does not exist for this user, or no parent has the external id that the row names.",
        "Check the field's name and field-level security; load the parents first.",
    ),
    "INVALID_FIELD_FOR_INSERT_UPDATE": (
        "The field may not be written by this operation.",
        "Take the column out, or give the user the right to write it.",
    ),
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": (
        "A validation rule of the org refuses the row.",
        "Satisfy the rule that the message quotes.",
    ),
    "FIELD_INTEGRITY_EXCEPTION": (
        "A value contradicts another field or the org's settings, such as a state that its country does not have.",
        "Correct the named fields so that they agree.",
    ),
    "FIELD_FILTER_VALIDATION_EXCEPTION": (
        "A lookup filter does not let this record be chosen.",
        "Choose a parent that satisfies the filter.",
    ),
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": (
        "An Apex trigger or flow of the org stopped the row.",
        "Pass the message to the owner of the automation that it names.",
    ),
    "CANNOT_EXECUTE_FLOW_TRIGGER": (
        "A flow of the org failed on the row.",
        "Pass the message to the owner of the flow that it names.",
    ),
    "ENTITY_IS_DELETED": ("The record is in the recycle bin.", "Restore it first, or leave the row out."),
    "NOT_FOUND": ("The record does not exist.", "Check the id; leave rows of deleted records out."),
    "DELETE_FAILED": (
        "Other records depend on this one.",
        "Delete or re-parent the records that the message names first.",
    ),
    "DEPENDENCY_EXISTS": ("Something in the org refers to this record.", "Remove the reference first."),
    "INSUFFICIENT_ACCESS_OR_READONLY": (
        "The user may not change this record.",
        "Give the user access to the record or the object, or run as somebody who has it.",
    ),
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY": (
        "The user may not use the record that a lookup names.",
        "Give the user access to the parent record.",
    ),
    "INACTIVE_OWNER_OR_USER": ("The owner is an inactive user.", "Choose an active owner, or activate the user."),
    "UNABLE_TO_LOCK_ROW": (
        "Another transaction held the record or its parent at that moment; nothing was written.",
        "Load the failed rows again; sorting rows by their parent avoids it.",
    ),
    "STORAGE_LIMIT_EXCEEDED": ("The org has no storage left.", "Free or buy storage, then load the rows again."),
    "LIMIT_EXCEEDED": ("A limit of the org is spent.", "Wait until it resets, then load the rows again."),
    "REQUEST_LIMIT_EXCEEDED": (
        "The org has no API calls left today.",
        "Wait until the limit resets, then load the rows again.",
    ),
    "UNKNOWN_EXCEPTION": (
        "Salesforce failed inside and does not say whether the row was written.",
        "Look the record up before loading the row again; give the message's error id to Salesforce support.",
    ),
    "NO_RESULT": (
        "The job finished, but no result names the row.",
        "Look the record up before loading the row again: whether it was written is not known.",
    ),
    "UNPROCESSED": (
        "The job ended without coming to the row.",
        "Load the unprocessed rows again.",
    ),
    "ABORTED": ("The load was cancelled before the row was sent.", "Load the unprocessed rows again."),
    "load.failure_ratio": (
        "Too large a share of the rows before this one failed, so the load was stopped.",
        "Mend what the errors name, then load the failed and unprocessed rows again (`jobs retry`).",
    ),
    "delta.unchanged": (
        "The row is as it was when it was last loaded, so it was not sent.",
        "Nothing; load without `delta` to send it all the same.",
    ),
    "undo.changed_since": (
        "Somebody changed the record after the load that is to be undone.",
        "Look at the record; change it by hand if the old values are still wanted.",
    ),
    "undo.value_differs": (
        "A field holds another value than the load wrote, and stamps of whole seconds cannot tell who changed it when.",
        "Look at the record; change it by hand if the old values are still wanted.",
    ),
    "undo.record_gone": (
        "The record no longer exists.",
        "Nothing can be undone; look in the recycle bin.",
    ),
    "UNPARSED_ERROR": ("Salesforce's error has a form that is not known.", "Read its message."),
    # Why a whole part was not processed, in our own codes.
    "load.cancelled": ("The load was cancelled before the row was sent.", "Load the unprocessed rows again."),
    "job.outcome_unknown": (
        "The row was sent, and Salesforce could not be asked what became of it.",
        "Look the records up before loading the rows again, or upsert them by an external id.",
    ),
    "job.vanished": (
        "Salesforce no longer knows the job: it was deleted by somebody, or is older than seven days.",
        "Look the records up before loading the rows again, or upsert them by an external id.",
    ),
    "job.upload_failed": (
        "Salesforce did not take the upload in several attempts.",
        "Load the unprocessed rows again; if it stays, look at proxies between here and Salesforce.",
    ),
    "salesforce.connection_failed": _UNREACHED,
    "salesforce.timed_out": _UNREACHED,
    "salesforce.unavailable": _UNREACHED,
    "salesforce.sign_in_unavailable": _UNREACHED,
    "salesforce.consent_needed": (
        "Salesforce refused the service's own sign-in until somebody consents again or mends user, app or secret.",
        "Mend it as `orgbridge doctor` says, then load the unprocessed rows again.",
    ),
    "salesforce.sign_in_refused": (
        "Salesforce refused the service's own sign-in.",
        "Mend it as `orgbridge doctor` says, then load the unprocessed rows again.",
    ),
}
#: Codes of rows that are sent again by themselves: Salesforce wrote nothing, and the cause passes.
ROW_RETRIES: Final = frozenset({"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE"})
#: Of our own codes, those after which the rows may simply be sent again.
_OUR_RETRIES: Final = {
    "NO_RESULT": Retry.UNKNOWN,
    "UNPROCESSED": Retry.SAFE,
    "ABORTED": Retry.SAFE,
    "load.failure_ratio": Retry.SAFE,
    "delta.unchanged": Retry.SAFE,
    "undo.changed_since": Retry.NEVER,
    "undo.value_differs": Retry.NEVER,
    "undo.record_gone": Retry.NEVER,
    "UNPARSED_ERROR": Retry.NEVER,
    "load.cancelled": Retry.SAFE,
    "job.outcome_unknown": Retry.UNKNOWN,
    "job.vanished": Retry.UNKNOWN,
    "job.upload_failed": Retry.SAFE,
    "salesforce.connection_failed": Retry.SAFE,
    "salesforce.timed_out": Retry.SAFE,
    "salesforce.unavailable": Retry.SAFE,
    "salesforce.sign_in_unavailable": Retry.SAFE,
    "salesforce.consent_needed": Retry.SAFE,
    "salesforce.sign_in_refused": Retry.SAFE,
}


#: Codes under which the org's own automation fails, for a lock or for anything else.
_AUTOMATION: Final = frozenset({"CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "CANNOT_EXECUTE_FLOW_TRIGGER"})
#: What a message holds when a trigger or a flow failed because a row was locked.
LOCK_WORD: Final = "UNABLE_TO_LOCK_ROW"
#: Codes of ours under which a row that was not processed may have been written all the same.
UNKNOWN_OUTCOMES: Final = frozenset(code for code, retry in _OUR_RETRIES.items() if retry is Retry.UNKNOWN)


def remedy_for(code: str) -> Remedy:
    """Return what lies behind an error code; cause and remedy are empty for one that is not known."""
    cause, remedy = _TEXTS.get(code) or INPUT_CAUSES.get(code) or CALL_CAUSES.get(code, ("", ""))
    return Remedy(cause=cause, remedy=remedy, retry=_retry_of(code))


def sendable_again(code: str, message: str) -> bool:
    """Tell whether a failed row may be sent again as it is, because nothing was written and the cause passes.

    Args:
        code: The row's error code.
        message: Salesforce's words: a trigger that failed for a lock names it there.

    Source: facts/salesforce/errors.md section 2, UNABLE_TO_LOCK_ROW and CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY.
    """
    return code in ROW_RETRIES or LOCK_WORD in message


def may_hide_a_lock(code: str, message: str) -> bool:
    """Tell whether rows of an error group, of which one message is known, may have failed for a lock."""
    return sendable_again(code, message) or code in _AUTOMATION


def known_codes() -> tuple[str, ...]:
    """Return the codes that have a text of ours, Salesforce's and our own."""
    return (*_TEXTS, *INPUT_CAUSES, *CALL_CAUSES)


def _retry_of(code: str) -> Retry:
    if code in _OUR_RETRIES:
        return _OUR_RETRIES[code]
    return JOB_RETRIES[code] if code in JOB_RETRIES else retry_of(code)

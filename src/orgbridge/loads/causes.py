"""Causes and remedies of Salesforce's codes that concern calls and whole jobs rather than single rows.

Those of rows stand in `remedies`. Source: facts/salesforce/errors.md section 2, bulk2.md sections 5, 6.
"""

from __future__ import annotations

from typing import Final

from orgbridge.wire.errorcodes import Retry

_QUOTA = "Wait until the rolling 24 hours free some of it, then go on; `GET /limits` shows what is left."
_SETUP = "Have the administrator of the org grant it in Setup; trying again changes nothing."

#: Code -> cause, remedy.
CALL_CAUSES: Final[dict[str, tuple[str, str]]] = {
    "INVALID_SESSION_ID": (
        "The session expired or was ended.",
        "Nothing: the service signs in anew and makes the identical call once.",
    ),
    "INVALID_AUTH_HEADER": ("The Authorization header is not one.", "Look for a proxy that changes headers."),
    "API_DISABLED_FOR_ORG": ("The org's edition has no API.", "Buy the API, or use another org."),
    "API_CURRENTLY_DISABLED": ("The user may not use the API.", f"The permission is API Enabled. {_SETUP}"),
    "EXCEEDED_ID_LIMIT": ("One call named more records than it may.", "Split the call: 200 records each."),
    "INSUFFICIENT_ACCESS": ("The user lacks a right.", _SETUP),
    "FUNCTIONALITY_NOT_ENABLED": ("The org does not have this feature.", _SETUP),
    "OPERATION_NOT_ALLOWED": ("The org does not allow this.", _SETUP),
    "FORBIDDEN": ("The user may not do this.", _SETUP),
    "METHOD_NOT_ALLOWED": ("The address does not take this method.", "Use a method that the message names."),
    "UNSUPPORTED_MEDIA_TYPE": ("The body's type is not one that the address takes.", "Send JSON or CSV as documented."),
    "UNSUPPORTED_API_VERSION": (
        "The API version is retired or not known to the org.",
        "Set SALESFORCE_API_VERSION to a version that GET /services/data lists.",
    ),
    "JSON_PARSER_ERROR": ("The body is not the JSON that was expected.", "Correct the value at the line it names."),
    "INVALID_TYPE": ("The object does not exist for this user.", "Check its API name and the user's rights."),
    "ALL_OR_NONE_OPERATION_ROLLED_BACK": (
        "Another record of the same all-or-none call was refused, so this one was undone.",
        "Mend or leave out the record that has an error of its own, then send all of them again.",
    ),
    "PROCESSING_HALTED": (
        "A former request of the same all-or-none call failed.",
        "Mend the request that has an error of its own, then send all of them again.",
    ),
    "BATCH_PROCESSING_HALTED": ("A former request of the batch failed.", "Mend that request first."),
    "MALFORMED_QUERY": ("The SOQL text cannot be read.", "Correct it at the place that the message shows."),
    "INVALID_QUERY_FILTER_OPERATOR": ("The operator does not suit the field.", "Use another operator or field."),
    "INVALID_QUERY_LOCATOR": ("The cursor has expired or is not this user's.", "Run the query again."),
    "QUERY_TIMEOUT": ("The query ran for too long.", "Narrow it by an indexed field; it is safe to run again."),
    "QUERY_TOO_COMPLICATED": ("The query is too complicated.", "Select fewer formula fields, or split it."),
    "OPERATION_TOO_LARGE": ("The query touches too many records.", "Narrow it."),
    "REQUEST_RUNNING_TOO_LONG": (
        "The request was stopped; what it wrote before is not known.",
        "Look at the records first, then send smaller pieces.",
    ),
    "CIRCULAR_DEPENDENCY": ("The record would be its own ancestor.", "Correct the parent that the row names."),
    "INVALID_CURRENCY_ISO": ("The currency is not active in the org.", "Use an active ISO code, or activate it."),
    "MIXED_DML_OPERATION": (
        "Automation of the org writes setup and other objects in one transaction.",
        "Pass the message to the owner of the automation.",
    ),
    "TXN_SECURITY_NO_ACCESS": ("A transaction security policy forbids it.", _SETUP),
    "TXN_SECURITY_METERING_ERROR": (
        "A transaction security policy took too long to decide.",
        "Have the policy simplified; it does not pass by itself.",
    ),
    "INVALID_LOGIN": (
        "User name, password or security token is wrong, or the user is locked.",
        "Mend the credentials before trying again: repeated tries lock the user.",
    ),
    "LOGIN_MUST_USE_SECURITY_TOKEN": (
        "From this network the password needs the security token behind it.",
        "Append the token, or add the network to the trusted ranges.",
    ),
    "PASSWORD_LOCKOUT": (
        "Too many wrong passwords locked the user.",
        "Have the administrator unlock it, then mend it.",
    ),
    "API_ERROR": ("The API refuses the call as such.", "Read the message; the same call will be refused again."),
    "INVALIDJOB": ("The job does not exist.", "It may be older than seven days or deleted."),
    "INVALIDJOBSTATE": ("The job's state does not allow this.", "Ask for its state first."),
    "INVALIDBATCH": ("The data of the job cannot be read.", "Check header, quoting and line ending."),
    "INVALIDENTITY": ("The Bulk API does not take this object.", "Use use_bulk_api=false for it."),
    "INVALIDOPERATION": ("The Bulk API does not do this with the object.", "Use another operation."),
    "FEATURENOTENABLED": ("The org or the user has no Bulk API.", _SETUP),
    "EXCEEDEDQUOTA": ("The org's daily bulk allocation is spent.", _QUOTA),
    "CLIENTINPUTERROR": ("The uploaded data are not as the job says.", "Check the line ending and the delimiter."),
    "APEX_ERROR": ("Apex code of the org failed.", "Pass the message to the owner of the code."),
    "SERVER_UNAVAILABLE": ("Salesforce is briefly away.", "Nothing: calls that may be repeated are."),
    # Job-level failures: what stands before the colon in a job's errorMessage.
    "ClientInputError": (
        "The data are not as the job says, most often the line ending.",
        "Load the file again as it is: delimiter and line ending are detected from it.",
    ),
    "InvalidBatch": (
        "A column is unknown to this user, or the CSV cannot be read.",
        "Check column names and field-level security; the message names the column.",
    ),
    "ExceededQuota": ("The org's daily bulk allocation is spent.", _QUOTA),
    "TooManyLockFailure": (
        "Too many rows of the job could not be locked, so that Salesforce gave the job up.",
        "Rows not processed are sent again; load with `serial` where children share few parents.",
    ),
    "InternalServerError": ("Salesforce failed inside while it processed the job.", "Load unprocessed rows again."),
    "Timeout": ("A batch took too long too often.", "Load unprocessed rows again in smaller parts (`part_rows`)."),
}
#: What may be done after a job-level failure.
JOB_RETRIES: Final[dict[str, Retry]] = {
    "ClientInputError": Retry.NEVER,
    "InvalidBatch": Retry.NEVER,
    "ExceededQuota": Retry.WAIT,
    "TooManyLockFailure": Retry.SAFE,
    "InternalServerError": Retry.UNKNOWN,
    "Timeout": Retry.UNKNOWN,
}

"""What a refused sign-in means and what to do about it: one table over OAuth's error and description. No I/O here.

Source: facts/salesforce/auth.md sections 0, 2 and 3. Descriptions that no recording confirms are marked there; an
unknown one falls back to the row of its error word, and Salesforce's own text is always shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from orgbridge.client.errors import AuthenticationFailed, ConsentNeeded, SignInLimited, SignInUnavailable
from orgbridge.client.replies import parse_faults


@dataclass(frozen=True, slots=True)
class _Refusal:
    #: OAuth error word; empty matches any.
    error: str
    #: Lower-case part of the description; empty matches any.
    hint: str
    cause: str
    remedy: str


_SIGN_IN_POLICY = "Setup > Manage Connected Apps (or External Client App Manager) > the app > Policies"
_TABLE: tuple[_Refusal, ...] = (
    _Refusal(
        "invalid_grant",
        "authentication failure",
        "user name, password or security token is wrong, the user is locked, or the org blocks the password flow.",
        "Check the password with the security token appended; see Setup > OAuth and OpenID Connect Settings > "
        "Allow OAuth Username-Password Flows; better, move to client_credentials or jwt_bearer.",
    ),
    _Refusal(
        "invalid_grant",
        "request not supported on this domain",
        "this flow is not served on the host of the token URL.",
        "Use the org's My Domain host in the token URL: https://<MyDomain>.my.salesforce.com/services/oauth2/token.",
    ),
    _Refusal(
        "invalid_grant",
        "expired access/refresh token",
        "the refresh token was revoked, has expired, or was pushed out by newer ones of the same user.",
        f"Consent again in the browser and store the new refresh token; its life is set in {_SIGN_IN_POLICY}.",
    ),
    _Refusal(
        "invalid_grant",
        "hasn't approved this consumer",
        "the user has not approved the app.",
        f"Pre-authorise the user's profile or permission set: {_SIGN_IN_POLICY} > Permitted Users.",
    ),
    _Refusal(
        "",
        "not admin approved",
        "the app admits only users that an administrator approved, and this one is not among them.",
        f"Assign the user's profile or permission set to the app: {_SIGN_IN_POLICY}.",
    ),
    _Refusal(
        "invalid_grant",
        "audience",
        "the assertion was made for another audience.",
        "Use https://login.salesforce.com, https://test.salesforce.com for a sandbox, or the Experience Cloud site.",
    ),
    _Refusal(
        "invalid_grant",
        "assertion",
        "Salesforce could not verify the signed assertion.",
        "Check that the app holds the certificate of this private key and that this machine's clock is right.",
    ),
    _Refusal(
        "invalid_grant",
        "inactive user",
        "the Salesforce user is inactive.",
        "Activate the user in Setup > Users, or configure another one.",
    ),
    _Refusal(
        "invalid_grant",
        "ip restricted",
        "this address or hour is outside of what the user's profile allows.",
        f"Allow the address in the profile's Login IP Ranges, or relax {_SIGN_IN_POLICY} > IP Relaxation.",
    ),
    _Refusal(
        "invalid_grant",
        "no client credentials user",
        "the app has no user to run as.",
        f"Set one in {_SIGN_IN_POLICY} > Client Credentials Flow > Run As.",
    ),
    _Refusal(
        "invalid_grant",
        "",
        "Salesforce refused the grant.",
        f"Check user, flow and app in {_SIGN_IN_POLICY} and in the user's Login History.",
    ),
    _Refusal(
        "invalid_client_id",
        "",
        "Salesforce does not know this consumer key.",
        "Check the client id; a new app needs up to ten minutes until it is known everywhere.",
    ),
    _Refusal(
        "invalid_client",
        "",
        "the consumer secret is wrong or missing.",
        "Copy it again from the app's Consumer Key and Secret; it changes when it is rotated.",
    ),
    _Refusal(
        "unsupported_grant_type",
        "",
        "the token endpoint does not serve this flow.",
        "Enable the flow in the app's OAuth settings, or choose another one.",
    ),
    _Refusal(
        "invalid_app_access",
        "",
        "the user may not use this app.",
        f"Assign the user's profile or permission set to the app: {_SIGN_IN_POLICY}.",
    ),
    _Refusal(
        "invalid_scope",
        "",
        "the app lacks a scope that was asked for.",
        "Add `api` (and `refresh_token` for that flow) to the app's OAuth scopes.",
    ),
    _Refusal(
        "invalid_request",
        "",
        "the token endpoint found the request incomplete.",
        "Check that every credential of the chosen flow is set.",
    ),
    _Refusal("inactive_org", "", "the org is inactive.", "Reactivate it, or configure another one."),
    _Refusal(
        "OAUTH_APP_BLOCKED",
        "",
        "an administrator blocked the app.",
        "Unblock it in Setup > Connected Apps OAuth Usage.",
    ),
    _Refusal(
        "OAUTH_APP_ACCESS_DENIED",
        "",
        "API Access Control keeps this app out.",
        "Install the app or give the user Approve Uninstalled Connected Apps; see Setup > API Access Control.",
    ),
    _Refusal(
        "rate_limit_exceeded",
        "",
        "too many sign-ins of this user within the hour.",
        "Wait; then find out which program signs in for every call.",
    ),
)
#: Refusals that are no matter of people and their consent, but of how this service was set up.
_SET_UP_WRONG = frozenset(
    {"invalid_client_id", "unsupported_grant_type", "invalid_scope", "invalid_request", "redirect_uri_mismatch"}
)
#: As above, by what the description of an `invalid_grant` says.
_SET_UP_WRONG_HINTS = ("not supported on this domain", "audience", "assertion", "no client credentials user")
_LIMITED_WORDS = ("rate limit", "login rate exceeded")


def refusal(*, status: int, body: bytes, host: str) -> AuthenticationFailed:
    """Return the error for a refused sign-in, with its cause and remedy.

    Args:
        status: HTTP status of the token endpoint's reply.
        body: The reply's body: JSON, or a page of something that is not the token endpoint.
        host: Host of the token endpoint.
    """
    faults = parse_faults(body)
    error, said = (faults[0].error_code, faults[0].message) if faults else ("", "")
    if status >= 500 or status == 420 or error in ("server_error", "temporarily_unavailable"):
        return SignInUnavailable(
            cause=f"the token endpoint answered HTTP {status}.",
            remedy="Nothing is wrong on your side that this reply shows; see status.salesforce.com and try again.",
            error=error,
            host=host,
        )
    limited = status == 429 or error == "rate_limit_exceeded" or any(word in said.lower() for word in _LIMITED_WORDS)
    row = next((row for row in _TABLE if _matches(row, error, said)), None)
    if limited:
        row = _TABLE[-1]
    if row is None:
        return AuthenticationFailed(
            cause=f"HTTP {status} {error} {said}".strip() + ".",
            remedy="Check that the token URL ends in /services/oauth2/token at your org's My Domain host.",
            error=error,
            host=host,
        )
    kind = SignInLimited if limited else ConsentNeeded if _mended_by_people(error, said) else AuthenticationFailed
    cause = f"{row.cause} Salesforce says: {error}{f' ({said})' if said else ''}."
    return kind(cause=cause, remedy=row.remedy, error=error, host=host)


def _mended_by_people(error: str, said: str) -> bool:
    """Tell whether a sign-in that worked before can be refused so: for its grant, its user, its app or its secret."""
    return error not in _SET_UP_WRONG and not any(hint in said.lower() for hint in _SET_UP_WRONG_HINTS)


def _matches(row: _Refusal, error: str, said: str) -> bool:
    return (not row.error or row.error == error) and row.hint in said.lower()

"""What keeps a refresh token that Salesforce replaces at every use, beyond one process."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from orgbridge.client.auth.credentials import RefreshCredentials
from orgbridge.client.auth.secrets import Secret
from orgbridge.client.errors import ConsentNeeded


class GrantLoan(Protocol):
    """The right to use a grant's refresh token, which one sign-in has at a time."""

    @property
    def credentials(self) -> RefreshCredentials:
        """With the refresh token that is good now."""
        ...

    async def keep(self, renewed: Secret) -> None:
        """Save the refresh token that came with a reply, before anything else is done with the reply."""
        ...

    def explained(self, error: ConsentNeeded) -> ConsentNeeded:
        """Return a refusal with all that is known of why the refresh token is no longer good."""
        ...


class GrantKeeper(Protocol):
    """Lends a grant to one sign-in after the other, in whatever process."""

    def lend(self, credentials: RefreshCredentials) -> AbstractAsyncContextManager[GrantLoan]:
        """Wait until nobody else uses the grant, and use it while the block lasts.

        Args:
            credentials: As they were configured: the beginning of the grant.

        Raises:
            SignInUnavailable: Somebody else uses it for too long, or where it is kept does not answer. Nothing was
                sent.
        """
        ...

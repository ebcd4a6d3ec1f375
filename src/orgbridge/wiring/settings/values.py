"""Values that more than one topic of the settings has."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from orgbridge.kit.json import JSONDecodeError, loads
from orgbridge.wiring.pems import private_key_pem


def reveal(secret: SecretStr | None) -> str | None:
    """Return the text of a secret that may be missing."""
    return secret.get_secret_value() if secret is not None else None


def _split(value: Any) -> Any:
    """Accept `a,b` and a JSON list, as the first document's deployments write either."""
    if not isinstance(value, str):
        return value
    if value.strip().startswith("["):
        try:
            return loads(value)
        except JSONDecodeError:
            raise ValueError("it begins like a JSON list and is not one") from None
    return [item.strip() for item in value.split(",") if item.strip()]


def _one_pem(value: SecretStr | None) -> SecretStr | None:
    return SecretStr(private_key_pem(value.get_secret_value())) if value is not None else None


#: Several values in one setting, separated by commas.
Listed = Annotated[list[str], NoDecode, BeforeValidator(_split)]
#: A private key given itself, whichever form it came in, as one PEM.
PrivateKey = Annotated[SecretStr | None, AfterValidator(_one_pem)]

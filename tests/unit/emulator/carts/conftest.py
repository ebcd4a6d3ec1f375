"""A shop for each test, copied from one that is made once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orgbridge.emulator.commerce.policy import CommercePolicy
from tests.unit.emulator.carts.shops import Shop, open_shop, template


@pytest.fixture(scope="session")
def shop_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a new org with the commerce seed."""
    return template(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def make_shop(shop_template: Path, tmp_path: Path) -> Iterator[Callable[..., Shop]]:
    """Opens this test's own shop with settings."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            open_shop(shop_template, tmp_path, CommercePolicy(**_any(settings)))
        )


def _any(settings: dict[str, Any]) -> Any:
    return settings


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    """This test's own shop as the org makes it."""
    return make_shop()

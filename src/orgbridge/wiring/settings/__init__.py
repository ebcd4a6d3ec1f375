"""Every setting, and the only place that reads the environment.

A setting comes from, in this order: the arguments, the environment, `NAME_FILE` (a file that holds the value), the
`.env` file, the secrets folder (one file per setting). An empty value counts as not set.
"""

from __future__ import annotations

from orgbridge.wiring.settings.callers import ClientSettings
from orgbridge.wiring.settings.loading import (
    comes_from_files,
    hand_down,
    load_client_settings,
    load_settings,
    reload_settings,
    share_figures,
    shared_figures,
    unknown_names,
)
from orgbridge.wiring.settings.salesforce import AuthFlow
from orgbridge.wiring.settings.service import Settings

__all__ = [
    "AuthFlow",
    "ClientSettings",
    "Settings",
    "comes_from_files",
    "hand_down",
    "load_client_settings",
    "load_settings",
    "reload_settings",
    "share_figures",
    "shared_figures",
    "unknown_names",
]

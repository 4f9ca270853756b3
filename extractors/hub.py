"""Whether the libraries of the Hugging Face hub may ask it for anything: they decide once, when they are loaded."""

from __future__ import annotations

import os

YUNET_SETTING = "COUPLED_MAMBA_YUNET"
FETCH = "hub"  # the setting's value by which YuNet's file is fetched
OFFLINE = "HF_HUB_OFFLINE"


def stay_offline() -> None:
    """Have them ask nothing, where nobody said otherwise: all files are at hand, and some loaders ask a server even so.

    But not where YuNet is to be fetched, whichever extractor comes first.
    """
    if os.environ.get(YUNET_SETTING) != FETCH:
        os.environ.setdefault(OFFLINE, "1")

"""What every verb is handed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from label_store.sync.settings import SyncSettings, read_sync_settings

Verbs: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""What a verb is added to."""


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Where the store is and where it is kept.

    Attributes:
        home: SER_HOME.
        sync: SER_SYNC and what goes with it.
    """

    home: Path
    sync: SyncSettings


Run = Callable[[argparse.Namespace, StoreSettings], int]
"""A verb's work: prints what it did, raises StoreError, returns the exit status."""


def read_settings(env: Mapping[str, str]) -> StoreSettings:
    """Return what the environment says.

    Raises:
        SyncError: a setting makes no sense.
    """
    return StoreSettings(Path(env.get("SER_HOME") or "data"), read_sync_settings(env))

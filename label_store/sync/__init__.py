"""Keeping a store in step with a place that outlives its disk, and with other stores there."""

from label_store.sync.open import open_place
from label_store.sync.place import Place
from label_store.sync.replica import Moved, Replica
from label_store.sync.settings import SyncSettings, make_syncer, read_sync_settings
from label_store.sync.syncer import Status, Syncer

__all__ = [
    "Moved",
    "Place",
    "Replica",
    "Status",
    "SyncSettings",
    "Syncer",
    "make_syncer",
    "open_place",
    "read_sync_settings",
]

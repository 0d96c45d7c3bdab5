"""What the environment says about keeping labels, and the syncer that does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from label_store.errors import SyncError
from label_store.store import LabelStore
from label_store.sync.annotation_settings import AnnotationSettingsSync
from label_store.sync.models import ChampionSync
from label_store.sync.open import open_place
from label_store.sync.replica import Replica
from label_store.sync.syncer import Errand, Syncer


@dataclass(frozen=True, slots=True)
class SyncSettings:
    """Where labels are kept, and what goes with them.

    Attributes:
        address: see `open_place`; "" = nowhere but here.
        clips: recordings' bytes too.
        models: the champion too.
    """

    address: str = ""
    clips: bool = False
    models: bool = False


def read_sync_settings(env: Mapping[str, str]) -> SyncSettings:
    """Return what SER_SYNC, SER_SYNC_CLIPS and SER_SYNC_MODELS ask for.

    Raises:
        SyncError: one of the last two is neither 0 nor 1.

    >>> read_sync_settings({"SER_SYNC": "hf://datasets/ada/labels", "SER_SYNC_CLIPS": "1"}).clips
    True
    """
    return SyncSettings(
        env.get("SER_SYNC", "").strip(),
        _switch(env, "SER_SYNC_CLIPS"),
        _switch(env, "SER_SYNC_MODELS"),
    )


def _switch(env: Mapping[str, str], name: str) -> bool:
    value = env.get(name, "").strip()
    if value not in {"", "0", "1"}:
        raise SyncError(f"{name} is “{value[:40]}”; 1 (yes) or 0 (no) is expected.")
    return value == "1"


def make_syncer(store: LabelStore, settings: SyncSettings) -> Syncer:
    """Return what keeps a store and the place of the settings in step; it is not started.

    Raises:
        SyncError: the address names no place, or what it needs is not installed.
    """
    place = open_place(settings.address)
    replica = Replica(store, place, clips=settings.clips)
    errands: list[Errand] = [AnnotationSettingsSync.of(store, place)]
    if settings.models:
        errands.append(ChampionSync(store.home, place))
    return Syncer(replica, errand=lambda: [errand() for errand in errands])

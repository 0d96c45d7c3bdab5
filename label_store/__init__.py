"""Label events in CSV: store, consensus and agreement, queue, exchange, Hub sync.

No torch and no gradio in here, and nothing that knows the rest of the studio.
"""

from label_store.errors import (
    ConflictError,
    EventError,
    LabelTableError,
    NothingToUndoError,
    SaveError,
    StoreError,
    SyncError,
)
from label_store.event import ACTIONS, LabelEvent, Saved
from label_store.event_rows import JournalProblem
from label_store.fold import ClipView, State
from label_store.store import ANY, LabelStore

__all__ = [
    "ACTIONS",
    "ANY",
    "ClipView",
    "ConflictError",
    "EventError",
    "JournalProblem",
    "LabelEvent",
    "LabelStore",
    "LabelTableError",
    "NothingToUndoError",
    "SaveError",
    "Saved",
    "State",
    "StoreError",
    "SyncError",
]

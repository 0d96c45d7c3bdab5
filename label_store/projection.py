"""``labels.csv``: the table of file names and emotions as it stands, rebuilt from the events."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Final

from label_store.clips import write_whole
from label_store.consensus import ConsensusLabel, Method, consensus
from label_store.errors import SaveError
from label_store.event import encode_row
from label_store.store import LabelStore, Until

COLUMNS: Final = (
    "Filename",
    "Emotion",
    "Corpus",
    "Clip",
    "Start",
    "End",
    "Annotators",
    "Distribution",
    "Reviewed",
    "Revision",
    "Second emotion",
    "Intensity",
)


def labels_csv(
    store: LabelStore,
    trusted: Collection[str] | None = None,
    *,
    method: Method = "majority",
    until: Until = None,
) -> bytes:
    """Return the projection's bytes: the same events give the same bytes, anywhere.

    Args:
        store, trusted, method, until: as for `label_store.consensus.consensus`. Rows whose clip
            is missing are in it too; open clips are not.
    """
    found = consensus(store, trusted, method=method, until=until)
    rows = sorted((*found.labels, *found.without_file), key=_order)
    return encode_row(COLUMNS) + b"".join(encode_row(_cells(label)) for label in rows)


def write_labels(
    store: LabelStore, trusted: Collection[str] | None = None, *, method: Method = "majority"
) -> Path:
    """Write ``labels/labels.csv`` anew and return its path; it may be thrown away at any time.

    Raises:
        SaveError: the disk did not take it; the table before it still stands.
    """
    path = store.folder / "labels.csv"
    try:
        write_whole(path, labels_csv(store, trusted, method=method))
    except OSError as error:
        raise SaveError(
            f"{path} can't be written: {error.strerror or error}. The events are safe; make the "
            "folder writable or free some space, then write the table again."
        ) from error
    return path


def _cells(label: ConsensusLabel) -> tuple[str, ...]:
    shares = {name: round(share, 6) for name, share in sorted(label.distribution.items())}
    return (
        label.file_name,
        label.emotion,
        label.corpus,
        label.clip_hash,
        "" if label.start is None else repr(label.start),
        "" if label.end is None else repr(label.end),
        "|".join(label.annotators),
        json.dumps(shares, ensure_ascii=False, separators=(",", ":")),
        "1" if label.reviewed else "0",
        label.revision,
        label.second_emotion,
        "" if label.intensity is None else str(label.intensity),
    )


def _order(label: ConsensusLabel) -> tuple[str, str, str, float, float]:
    return (
        label.corpus,
        label.file_name,
        label.clip_hash,
        -1.0 if label.start is None else label.start,
        -1.0 if label.end is None else label.end,
    )

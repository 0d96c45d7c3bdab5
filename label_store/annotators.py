"""Whose labels train, and how many gold clips are mixed in: ``labels/people.json``.

The one place that says so, for the page as for the trainer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from label_store.clips import write_whole
from label_store.errors import SaveError, StoreError

FILE: Final = "people.json"
GOLD_SHARE: Final = 0.05
MOST_GOLD: Final = 0.5


@dataclass(frozen=True, slots=True)
class AnnotatorSettings:
    """What was set.

    Attributes:
        trusted: annotators whose labels train; None = all that may write.
        gold_share: share of shown clips that are gold, 0..0.5.
        changed_by, changed: who set it last, and when (UTC, ISO 8601); "" = nobody yet.
    """

    trusted: frozenset[str] | None = None
    gold_share: float = GOLD_SHARE
    changed_by: str = ""
    changed: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.gold_share <= MOST_GOLD:
            raise StoreError(f"A gold share of {self.gold_share}; 0 to {MOST_GOLD} was expected.")


def read_annotator_settings(folder: Path) -> AnnotatorSettings:
    """Return what was set for a store; the defaults where nothing was.

    Args:
        folder: the store's ``labels`` folder.

    Raises:
        StoreError: the file is damaged. Who is trusted is then not known, so nobody guesses.

    >>> read_annotator_settings(Path("nowhere")).trusted is None
    True
    """
    path = folder / FILE
    try:
        values: Any = json.loads(path.read_text(encoding="utf-8"))
        names = values["trusted"]
        if names is not None and not all(isinstance(name, str) for name in names):
            raise TypeError("names that are not text")
        return AnnotatorSettings(
            None if names is None else frozenset(names),
            float(values["gold_share"]),
            str(values["changed_by"]),
            str(values["changed"]),
        )
    except FileNotFoundError:
        return AnnotatorSettings()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} can't be read as the list of trusted annotators: {error!r:.120}. Set the list "
            "anew on the Corpus tab, or remove the file to let everybody's labels count."
        ) from error


def write_annotator_settings(
    folder: Path,
    trusted: Collection[str] | None,
    gold_share: float,
    *,
    by: str,
    clock: Callable[[], float] = time.time,
) -> AnnotatorSettings:
    """Set who is trusted and how many gold clips are mixed in.

    Args:
        folder: the store's ``labels`` folder.
        trusted, gold_share: see `AnnotatorSettings`.
        by: who sets it.
        clock: seconds since 1970.

    Raises:
        StoreError: a share that makes no sense.
        SaveError: the disk did not take it; what was set before still stands.
    """
    now = datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds")
    names = None if trusted is None else frozenset(trusted)
    made = AnnotatorSettings(names, gold_share, by, now.replace("+00:00", "Z"))
    values = {
        "trusted": None if names is None else sorted(names),
        "gold_share": gold_share,
        "changed_by": made.changed_by,
        "changed": made.changed,
    }
    try:
        text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        write_whole(folder / FILE, text.encode())
    except OSError as error:
        raise SaveError(
            f"{folder / FILE} can't be written: {error.strerror or error}. Nothing was changed; "
            "make the folder writable or free some space."
        ) from error
    return made


def who_counts(folder: Path, asked: Collection[str] | None = None) -> Collection[str] | None:
    """Return the annotators whose labels train: those asked for, else those set here; None = all.

    Args:
        folder: the store's ``labels`` folder.
        asked: names given for one run, which go over what is set; None = none given.

    Raises:
        StoreError: the file is damaged.
    """
    return read_annotator_settings(folder).trusted if asked is None else asked

"""Whose labels train, how many gold clips are mixed in, and when a clip has enough labels.

All of it stands in ``labels/people.json``.

It is the one place that says so, for the page as for the trainer.
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
LEAST_CERTAIN: Final = 0.5
MOST_CERTAIN: Final = 0.99
"""Between which shares "certain enough" may be set."""


@dataclass(frozen=True, slots=True)
class AnnotatorSettings:
    """What was set.

    Attributes:
        trusted: annotators whose labels train; None = all that may write.
        gold_share: share of shown clips that are gold, 0..0.5.
        enough: from which certainty of its consensus on a clip has enough labels, 0.5..0.99;
            None = that is not asked.
        changed_by, changed: who set it last, and when (UTC, ISO 8601); "" = nobody yet.
    """

    trusted: frozenset[str] | None = None
    gold_share: float = GOLD_SHARE
    changed_by: str = ""
    changed: str = ""
    enough: float | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.gold_share <= MOST_GOLD:
            raise StoreError(f"A gold share of {self.gold_share}; 0 to {MOST_GOLD} was expected.")
        if self.enough is not None and not LEAST_CERTAIN <= self.enough <= MOST_CERTAIN:
            raise StoreError(
                f"A consensus certain at {self.enough}; {LEAST_CERTAIN} to {MOST_CERTAIN} was "
                "expected."
            )


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
            # Versions before did not ask.
            None if values.get("enough") is None else float(values["enough"]),
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
    enough: float | None = None,
    clock: Callable[[], float] = time.time,
) -> AnnotatorSettings:
    """Set who is trusted, how many gold clips are mixed in, and when a clip has enough labels.

    Args:
        folder: the store's ``labels`` folder.
        trusted, gold_share, enough: see `AnnotatorSettings`.
        by: who sets it.
        clock: seconds since 1970.

    Raises:
        StoreError: a share or a certainty that makes no sense.
        SaveError: the disk did not take it; what was set before still stands.
    """
    now = datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds")
    names = None if trusted is None else frozenset(trusted)
    made = AnnotatorSettings(names, gold_share, by, now.replace("+00:00", "Z"), enough)
    values = {
        "trusted": None if names is None else sorted(names),
        "gold_share": gold_share,
        "enough": enough,
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

"""Whose labels train, which gold clips come before and among the others, when labels are enough.

All of it stands in ``labels/people.json``.

It is the one place that says so, for the page as for the trainer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from label_store.clips import write_whole
from label_store.errors import SaveError, StoreError

FILE: Final = "people.json"
GOLD_SHARE: Final = 0.05
MOST_GOLD: Final = 0.5
MOST_PRACTICE: Final = 200
LEAST_RIGHT: Final = 0.5
LEAST_CERTAIN: Final = 0.5
MOST_CERTAIN: Final = 0.99
"""Between which shares "certain enough" may be set."""


@dataclass(frozen=True, slots=True)
class Practice:
    """What is asked of annotators before their labels count.

    Attributes:
        clips: gold clips to be answered, 1 or more.
        share: of the latest so many answers, how many have to be right, 0.5..1.
        since: number of the event after which labels count only from those who passed.
    """

    clips: int
    share: float
    since: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.clips <= MOST_PRACTICE:
            raise StoreError(
                f"A practice round of {self.clips} clips; 1 to {MOST_PRACTICE} were expected."
            )
        if not LEAST_RIGHT <= self.share <= 1:
            raise StoreError(
                f"A practice round with {self.share} right; {LEAST_RIGHT} to 1 was expected."
            )


@dataclass(frozen=True, slots=True)
class AnnotatorSettings:
    """What was set.

    Attributes:
        trusted: annotators whose labels train; None = all that may write.
        gold_share: share of shown clips that are gold, 0..0.5.
        enough: from which certainty of its consensus on a clip has enough labels, 0.5..0.99;
            None = that is not asked.
        practice: what is asked before labels count; None = nothing.
        changed_by, changed: who set it last, and when (UTC, ISO 8601); "" = nobody yet.
    """

    trusted: frozenset[str] | None = None
    gold_share: float = GOLD_SHARE
    changed_by: str = ""
    changed: str = ""
    enough: float | None = None
    practice: Practice | None = None

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
            _practice(values.get("practice")),
        )
    except FileNotFoundError:
        return AnnotatorSettings()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} can't be read as the list of trusted annotators: {error!r:.120}. Set the list "
            "anew on the Corpus tab, or remove the file to let everybody's labels count."
        ) from error


def _practice(values: Any) -> Practice | None:
    if values is None:
        return None
    return Practice(int(values["clips"]), float(values["share"]), int(values["since"]))


def write_annotator_settings(
    folder: Path,
    trusted: Collection[str] | None,
    gold_share: float,
    *,
    by: str,
    enough: float | None = None,
    practice: Practice | None = None,
    clock: Callable[[], float] = time.time,
) -> AnnotatorSettings:
    """Set who is trusted, how gold clips are used, and when a clip has enough labels.

    Args:
        folder: the store's ``labels`` folder.
        trusted, gold_share, enough, practice: see `AnnotatorSettings`.
        by: who sets it.
        clock: seconds since 1970.

    Raises:
        StoreError: a share or a certainty that makes no sense.
        SaveError: the disk did not take it; what was set before still stands.
    """
    now = datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds")
    names = None if trusted is None else frozenset(trusted)
    made = AnnotatorSettings(names, gold_share, by, now.replace("+00:00", "Z"), enough, practice)
    values = {
        "trusted": None if names is None else sorted(names),
        "gold_share": gold_share,
        "enough": enough,
        "practice": None if practice is None else asdict(practice),
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

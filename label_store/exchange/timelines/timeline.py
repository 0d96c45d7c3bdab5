"""What lies along one clip: labelled stretches, in tiers that do not overlap."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from label_store import names
from label_store.consensus import seconds
from label_store.event import MAX_CELL
from label_store.exchange.rows import LabelRow, RowProblem, beside, rows_of
from label_store.store import LabelStore

Found = LabelRow | RowProblem
"""What a reader gives for one interval."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The labels along one clip.

    Attributes:
        file_name, corpus, clip: as for `label_store.exchange.LabelRow`.
        rows: its labels in order of time; those of the whole clip have no start and end.
        seconds: how long the clip is; never less than its last label's end.
    """

    file_name: str
    corpus: str
    clip: str
    rows: tuple[LabelRow, ...]
    seconds: float = 0.0

    @property
    def place(self) -> str:
        """The corpus and the file's path in it, POSIX."""
        return f"{self.corpus}/{self.file_name}".lstrip("/").replace("\\", "/")

    def stretches(self) -> list[tuple[float, float, LabelRow]]:
        """Return start, end (seconds) and label of each labelled stretch, in order of time."""
        found = [
            (row.start, row.end, row)
            for row in self.rows
            if row.start is not None and row.end is not None
        ]
        return sorted(found, key=lambda one: one[:2])

    def tiers(self) -> dict[str, list[tuple[float, float, str]]]:
        """Return tier -> start, end, emotion; what overlaps in an annotator's goes to a second one.

        >>> rows = (LabelRow("a.wav", "joy", start=0, end=2, annotator="ada"),
        ...         LabelRow("a.wav", "fear", start=1, end=3, annotator="ada"))
        >>> Timeline("a.wav", "", "", rows).tiers()
        {'ada': [(0, 2, 'joy')], 'ada (2)': [(1, 3, 'fear')]}
        """
        tiers: dict[str, list[tuple[float, float, str]]] = {}
        for start, end, row in self.stretches():
            name, number = row.annotator or "emotion", 1
            while True:
                tier = tiers.setdefault(name if number == 1 else f"{name} ({number})", [])
                if not tier or tier[-1][1] <= start:
                    tier.append((start, end, row.emotion))
                    break
                number += 1
        return tiers


def annotator_of(tier: str) -> str:
    """Return whose tier it is, the number of a second one aside.

    >>> annotator_of("ada (2)"), annotator_of("ada")
    ('ada', 'ada')
    """
    name, _, rest = tier.rpartition(" (")
    return name if name and rest[:-1].isdecimal() and rest.endswith(")") else tier


def lines_of(
    store: LabelStore,
    *,
    by_annotator: bool,
    seconds_of: Callable[[Path], float | None] | None = None,
) -> list[Timeline]:
    """Return the time line of every labelled clip, in order of corpus and file name.

    Args:
        store: what to export.
        by_annotator: each annotator's own labels; else the decided ones.
        seconds_of: a file -> how long it is, None where that can't be told.
    """
    rows = _annotations(store) if by_annotator else rows_of(store)
    clips: defaultdict[tuple[str, str, str], list[LabelRow]] = defaultdict(list)
    for row in rows:
        clips[row.corpus, row.file_name, row.clip].append(row)
    paths = store.clips.paths()
    found = []
    for (corpus, name, clip), some in sorted(clips.items()):
        path = paths.get(clip)
        length = (seconds_of(path) if seconds_of and path else None) or 0.0
        last = max((row.end for row in some if row.end is not None), default=0.0)
        found.append(Timeline(name, corpus, clip, tuple(some), max(length, last)))
    return found


def _annotations(store: LabelStore) -> list[LabelRow]:
    rows = []
    for view in store.state().clips():
        for span, by in view.annotations.items():
            start, end = seconds(span)
            rows += [
                LabelRow(
                    view.file_name,
                    entry.emotion,
                    view.corpus,
                    view.clip,
                    start,
                    end,
                    name,
                    extra=beside(entry.second_emotion, entry.intensity),
                )
                for name, entry in sorted(by.items())
            ]
    return rows


def interval(
    name: str, start: float, end: float, label: str, *, annotator: str = "", line: int = 0
) -> Found:
    """Return the label that an interval of a file makes, or why it makes none.

    Args:
        name: the clip's file name, with or without its ending.
        start, end: seconds.
        label: what is written on it.
        annotator: whose it is, where the file says so.
        line: which interval of the file it is, counted from 1.
    """
    wrong = names.problem(name)
    if wrong:
        return RowProblem(line, name[:80], "unsafe-path", f"The file name “{name[:80]}” {wrong}.")
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end < 1e7):
        reason = f"From {start:g} to {end:g} s is not a stretch of time; expected 0 ≤ start < end."
        return RowProblem(line, name[:80], "bad-number", reason)
    word = " ".join(label.split())
    if not word or len(word) > MAX_CELL or names.has_control(word):
        reason = f"“{word[:40]}” is not an emotion; expected a word like joy."
        return RowProblem(line, name[:80], "unknown-emotion", reason)
    return LabelRow(name, word, start=start, end=end, annotator=annotator, line=line)


def chosen_tiers(
    name: str,
    tiers: Mapping[str, Sequence[tuple[float, float, str]]],
    is_emotion: Callable[[str], bool],
) -> list[Found]:
    """Return the intervals of the tiers that hold emotions; each other tier is one problem.

    Args:
        name: the clip's file name.
        tiers: tier -> start, end, label; an empty label is a gap.
        is_emotion: whether a word names an emotion.
    """
    found: list[Found] = []
    line = 0
    named = {
        tier: any(is_emotion(label) for *_, label in some) for tier, some in tiers.items() if some
    }
    for tier, some in tiers.items():
        labelled = [one for one in some if one[2].strip()]
        if labelled and not named[tier] and any(named.values()):
            reason = f"None of the {len(labelled)} labels of the tier “{tier[:40]}” is an emotion."
            found.append(RowProblem(line + 1, name[:80], "other-tier", reason))
            continue
        for start, end, label in labelled:
            line += 1
            found.append(interval(name, start, end, label, annotator=annotator_of(tier), line=line))
    return found


def file_names(lines: Iterable[Timeline], suffix: str) -> dict[str, Timeline]:
    """Return file name -> time line, one file a clip: ``corpus/clip`` and the format's ending.

    Clips of which only the endings differ keep theirs; clips without any stretch have no file.
    """
    some = [one for one in lines if one.stretches()]
    stems = Counter(names.fold(_bare(one.place)) for one in some)
    taken: dict[str, Timeline] = {}
    for one in some:
        alone = stems[names.fold(_bare(one.place))] == 1
        name = (_bare(one.place) if alone else one.place) + suffix
        if name in taken:  # two clips under one name: the bytes tell them apart
            name = f"{one.place}.{one.clip[:12]}{suffix}"
        taken[name] = one
    return taken


def _bare(place: str) -> str:
    path = PurePosixPath(place)
    return str(path.with_suffix("")) if path.suffix else place


def renamed(found: Iterable[Found], add: int) -> list[Found]:
    """Return rows and problems whose numbers begin after those of the files before them."""
    return [replace(one, line=one.line + add) for one in found]

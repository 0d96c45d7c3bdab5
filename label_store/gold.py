"""Gold clips: clips with a known answer, mixed among the others to tell how reliable people are.

They stand in ``labels/gold.csv`` with the columns ``Filename,Emotion`` and, where they are known,
``Corpus,Clip,Marked by``; a table that a person writes with the first two alone will do. Nothing
reads that file to train: what an annotator answers on a gold clip is a label like any other.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from label_store.clips import write_whole
from label_store.errors import SaveError
from label_store.exchange import LabelRow, read_csv, to_csv
from label_store.store import LabelStore

if TYPE_CHECKING:
    from label_store.reliability import GoldScore

FILE: Final = "gold.csv"
MARKED_BY: Final = "Marked by"


@dataclass(frozen=True, slots=True)
class GoldClip:
    """A clip with a known answer.

    Attributes:
        clip: SHA-256 of its bytes.
        emotion: the canonical emotion that it is known to be.
        file_name, corpus: its name when it was marked, and where it comes from.
        marked_by: who marked it and is not asked about it; "" where nobody says.
    """

    clip: str
    emotion: str
    file_name: str = ""
    corpus: str = ""
    marked_by: str = ""


@dataclass(frozen=True, slots=True)
class Gold:
    """The gold clips of a store, and what of the file could not be used.

    Attributes:
        clips: hash -> gold clip.
        problems: one sentence a row that is left out.
    """

    clips: Mapping[str, GoldClip]
    problems: tuple[str, ...] = ()

    def markers(self) -> dict[str, str]:
        """Return hash -> who marked it, as the queue wants it."""
        return {clip: one.marked_by for clip, one in self.clips.items()}


def read_gold(
    store: LabelStore,
    canonical: Callable[[str], str],
    *,
    refusal: type[Exception],
    resolve: Callable[[str, str], str] = lambda file_name, corpus: "",
) -> Gold:
    """Return the store's gold clips; none where it has no ``gold.csv``.

    Args:
        store: whose.
        canonical: an emotion's canonical name.
        refusal: what ``canonical`` raises for a word that is not an emotion.
        resolve: (file name, corpus) -> hash of the one clip that is meant, "" where none or
            several are.

    Raises:
        LabelTableError: the file is not a table of file names and emotions.
    """
    path = store.folder / FILE
    try:
        table = read_csv(path.read_bytes(), FILE)
    except FileNotFoundError:
        return Gold({})
    except OSError as error:
        return Gold({}, (f"{FILE} can't be read: {error.strerror or error}.",))
    problems = [f"{FILE}, row {one.line}: {one.reason}" for one in table.problems]
    found: dict[str, GoldClip] = {}
    for row in table.rows:
        clip = row.clip or resolve(row.file_name, row.corpus)
        if not clip:
            problems.append(
                f"{FILE}, row {row.line}: {row.file_name[:80]} names no clip here, or several; "
                "give its corpus, or the path inside it."
            )
            continue
        try:
            emotion = canonical(row.emotion)
        except refusal as error:
            problems.append(f"{FILE}, row {row.line}: {error}")
            continue
        by = row.extra.get(MARKED_BY, "")
        found[clip] = GoldClip(clip, emotion, row.file_name, row.corpus, by)
    return Gold(found, tuple(problems))


def mark(store: LabelStore, clips: Sequence[GoldClip]) -> int:
    """Add gold clips, or give those that are gold already another answer; return how many.

    Raises:
        LabelTableError: the existing file is not a table; it is left as it is.
        SaveError: the disk did not take it; the file before it still stands.
    """
    fresh = {one.clip: one for one in clips}
    rows = [
        LabelRow(one.file_name, one.emotion, one.corpus, one.clip, extra=_extra(one))
        for one in fresh.values()
    ]
    _rewrite(store, lambda old: [*(row for row in old if row.clip not in fresh), *rows])
    return len(rows)


def unmark(store: LabelStore, clips: Collection[str], names: Collection[str] = ()) -> int:
    """Take clips off the gold list; return how many rows went.

    Args:
        store: whose.
        clips: their hashes.
        names: file names by which rows without a hash stand for them.

    Raises:
        LabelTableError, SaveError: as for `mark`.
    """
    gone = 0

    def without(old: Sequence[LabelRow]) -> list[LabelRow]:
        nonlocal gone
        kept = [
            row for row in old if row.clip not in clips and (row.clip or row.file_name not in names)
        ]
        gone = len(old) - len(kept)
        return kept

    _rewrite(store, without)
    return gone


def rename_markers(store: LabelStore, now_called: Callable[[str], str]) -> int:
    """Give those who marked gold clips another name; return how many rows changed.

    Args:
        store: whose.
        now_called: a name -> the name that takes its place, or the same.

    Raises:
        LabelTableError, SaveError: as for `mark`.
    """
    path = store.folder / FILE
    if not path.is_file():
        return 0
    markers = {row.extra.get(MARKED_BY, "") for row in read_csv(path.read_bytes(), FILE).rows}
    if all(now_called(name) == name for name in markers):
        return 0
    changed = 0

    def renamed(old: Sequence[LabelRow]) -> list[LabelRow]:
        nonlocal changed
        fresh = []
        for row in old:
            name = row.extra.get(MARKED_BY, "")
            other = now_called(name) if name else name
            changed += other != name
            extra = dict(row.extra) | {MARKED_BY: other} if other != name else row.extra
            fresh.append(replace(row, extra=extra))
        return fresh

    _rewrite(store, renamed)
    return changed


def _extra(one: GoldClip) -> dict[str, str]:
    return {MARKED_BY: one.marked_by} if one.marked_by else {}


def _rewrite(store: LabelStore, change: Callable[[Sequence[LabelRow]], list[LabelRow]]) -> None:
    path = store.folder / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_name(f".{FILE}.lock"), timeout=15):
            table = read_csv(path.read_bytes(), FILE) if path.is_file() else None
            if table is not None and table.problems:
                # A row that can't be read is not thrown away: the file as it was stays beside it.
                aside = path.with_name(f"gold-{uuid.uuid4().hex[:8]}.csv")
                write_whole(aside, path.read_bytes())
            write_whole(path, to_csv(change(table.rows if table else ())))
    except Timeout:
        raise SaveError(f"Another process holds {path} for long; try again.") from None
    except OSError as error:
        raise SaveError(
            f"{path} can't be written: {error.strerror or error}. Nothing was changed; make the "
            "folder writable or free some space."
        ) from error


def scores(store: LabelStore, gold: Gold) -> list[GoldScore]:
    """Return how each annotator answers gold clips, best first, and how many answers were blind.

    Whoever marked a clip is not scored on it.
    """
    from label_store.reliability import gold_scores

    state = store.state()
    answers = {clip: one.emotion for clip, one in gold.clips.items()}
    annotations = [
        entry
        for clip in answers
        for entry in state.clip(clip).annotations.get(("", ""), {}).values()
        if entry.annotator != gold.clips[clip].marked_by
    ]
    hidden = {
        event.event_id
        for event in store.whole(annotations)
        if event.prediction_visible is False and event.prediction
    }
    blind = {
        one.annotator: one
        for one in gold_scores(state, answers, marked_by=gold.markers(), among=hidden)
    }
    return [
        replace(one, blind_right=blind[one.annotator].right, blind_seen=blind[one.annotator].seen)
        if one.annotator in blind
        else one
        for one in gold_scores(state, answers, marked_by=gold.markers())
    ]

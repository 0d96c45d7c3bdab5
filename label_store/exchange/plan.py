"""An import shows what it would change before it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from label_store import names
from label_store.consensus import seconds
from label_store.event import LEVELS, LabelEvent, Saved
from label_store.event_rows import JournalEntry
from label_store.exchange.rows import (
    INTENSITY,
    SECOND_EMOTION,
    LabelRow,
    LabelTable,
    RowProblem,
    cell_of,
)
from label_store.fold import ClipView, State
from label_store.store import LabelStore

_Place = tuple[str, float | None, float | None, str]
"""A clip's key, the start and the end of the part, and the annotator."""

ROUNDING = 0.0011
"""Seconds by which a time line's format may have moved an edge."""


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What an import would do with one row.

    Attributes:
        row: the row, its emotion canonical.
        key: the clip it is about.
        kind: ``new``, ``relabel``, ``rename``, ``relabel+rename`` or ``same``.
        before: the importer's label for the clip now, "" = none.
        former_name: the clip's name now, "" = none.
        second_emotion, intensity: what the row says beside the emotion; "" and None = nothing.
    """

    row: LabelRow
    key: str
    kind: str
    before: str = ""
    former_name: str = ""
    second_emotion: str = ""
    intensity: int | None = None


@dataclass(frozen=True, slots=True)
class Located:
    """The file that a row means.

    Attributes:
        clip: SHA-256 of its bytes.
        file_name, corpus: its name inside its corpus.
        remark: a sentence where the file is called otherwise than the row says, else "".
        ended: its length in seconds, where the row's segment begins behind it; else None.
    """

    clip: str
    file_name: str
    corpus: str
    remark: str = ""
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would change, and what it would leave out.

    Attributes:
        changes: one a row that can be taken, ``same`` included.
        problems: rows that are left out (or noted), with line and reason.
        heads: clip key -> its latest change when the plan was made.
        annotator: who imports.
    """

    changes: tuple[PlannedChange, ...]
    problems: tuple[RowProblem, ...]
    heads: Mapping[str, str | None]
    annotator: str

    def counts(self) -> dict[str, int]:
        """Return kind of change or problem -> how many rows."""
        found = Counter(change.kind for change in self.changes)
        found.update(problem.kind for problem in self.problems)
        return dict(sorted(found.items()))


def plan(
    store: LabelStore,
    table: LabelTable,
    annotator: str,
    canonical: Callable[[str], str],
    *,
    refusal: type[Exception] = ValueError,
    corpus: str = "",
    locate: Callable[[LabelRow], Located | RowProblem | None] | None = None,
    keep_annotators: bool = False,
) -> ImportPlan:
    """Work out what an import would change; nothing is saved.

    Args:
        store: where to.
        table: what comes in.
        annotator: who imports; the labels become theirs.
        canonical: returns an emotion's canonical name, "" for a word for "no emotion", or
            raises ``refusal``.
        refusal: the exception whose text says why a word is not an emotion.
        corpus: for rows that name none.
        locate: row -> its file, None where there is no such file, or a problem where several fit.
            A row whose file nobody has is taken under its name, noted as ``missing-file``, and
            begins to count by itself when the file comes.
        keep_annotators: rows that name an annotator stay theirs (for tables that one trusts).
    """
    state = store.state()
    by_name = _by_name(state)
    found: list[tuple[_Place, PlannedChange]] = []
    problems = list(table.problems)
    seen: dict[_Place, LabelRow] = {}
    contradicted: set[_Place] = set()
    for raw in table.rows:
        row = _canonical(raw, canonical, refusal, corpus, problems)
        if row is None:
            continue
        row, second, intensity = _beside(row, canonical, refusal, problems)
        place = _place(row, by_name, state, locate)
        if isinstance(place, RowProblem):
            problems.append(place)
            continue
        if place is not None:
            if place.ended is not None:
                problems.append(_beyond(row, place.ended))
                continue
            if place.remark:
                problems.append(RowProblem(row.line, row.file_name, "wrong-name", place.remark))
            row = replace(row, file_name=place.file_name, corpus=place.corpus or row.corpus)
        clip = place.clip if place is not None else ""
        key = clip or f"name:{row.corpus}/{row.file_name}"
        who = row.annotator if keep_annotators and row.annotator else annotator
        same = (key, row.start, row.end, who)
        if same in seen:
            problems.append(_twice(row, seen[same]))
            if problems[-1].kind == "conflicting-duplicate":
                contradicted.add(same)
            continue
        seen[same] = row
        if not clip:
            reason = (
                "There is no such file yet. The label is kept under its name and begins to count "
                "when the file comes."
            )
            problems.append(RowProblem(row.line, row.file_name, "missing-file", reason))
        named = place is None or place.clip == raw.clip
        row = replace(row, clip=clip, annotator=who)
        found.append((same, _change(row, key, state, named, second, intensity)))
    changes = [change for same, change in found if same not in contradicted]
    heads = {one.key: state.clip(one.key).head for one in changes}
    return ImportPlan(
        tuple(changes), tuple(sorted(problems, key=lambda one: one.line)), heads, annotator
    )


def apply(store: LabelStore, made: ImportPlan, *, session: str = "") -> list[Saved]:
    """Do what a plan shows, all of it or nothing.

    Args:
        store: the store that the plan was made for.
        made: the plan.
        session: the session in which it happens.

    Raises:
        StoreError: a clip was changed after the plan was made; nothing was saved.
    """
    events = [event for change in made.changes for event in _events(change, session)]
    return store.append_many(events, label="import", expect=made.heads)


def _canonical(
    row: LabelRow,
    canonical: Callable[[str], str],
    refusal: type[Exception],
    corpus: str,
    problems: list[RowProblem],
) -> LabelRow | None:
    try:
        emotion = canonical(row.emotion)
    except refusal as error:
        problems.append(RowProblem(row.line, row.file_name, "unknown-emotion", str(error)))
        return None
    if not emotion:
        reason = f"“{row.emotion[:40]}” is not an emotion; the row is left out."
        if row.emotion == "-":  # what stands for an empty cell
            reason = "The row names no emotion; it is left out."
        problems.append(RowProblem(row.line, row.file_name, "no-emotion", reason))
        return None
    return replace(row, emotion=emotion, corpus=row.corpus or corpus)


def _beside(
    row: LabelRow,
    canonical: Callable[[str], str],
    refusal: type[Exception],
    problems: list[RowProblem],
) -> tuple[LabelRow, str, int | None]:
    """Return a row without its second emotion and intensity, and these two.

    A column of that name with something else in it stays among the row's other columns; a second
    emotion that is none is noted.
    """
    extra = dict(row.extra)
    column, word = cell_of(row, SECOND_EMOTION)
    second = ""
    if word:
        try:
            second = canonical(word)
        except refusal as error:
            reason = f"{error} The label is taken without that second emotion."
            problems.append(RowProblem(row.line, row.file_name, "second-emotion", reason))
        else:
            del extra[column]
        if second == row.emotion:
            second = ""
    column, level = cell_of(row, INTENSITY)
    intensity = int(level) if level in LEVELS else None
    if intensity is not None:
        del extra[column]
    return replace(row, extra=extra), second, intensity


def _by_name(state: State) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for view in state.clips():
        found.setdefault(names.fold(f"{view.corpus}/{view.file_name}"), set()).add(view.key)
        found.setdefault(names.fold(view.file_name), set()).add(view.key)
    # A time line is called as its clip is, with another ending or none.
    for name in list(found):
        stem = name.rpartition(".")[0]
        if stem and stem not in found and "/" not in name.rpartition(".")[2]:
            found[stem] = found[name]
    return found


def _place(
    row: LabelRow,
    by_name: Mapping[str, Iterable[str]],
    state: State,
    locate: Callable[[LabelRow], Located | RowProblem | None] | None,
) -> Located | RowProblem | None:
    if len(row.clip) == 64 and not set(row.clip) - set("0123456789abcdef"):
        return Located(row.clip, row.file_name, row.corpus)
    found = locate(row) if locate is not None else None
    if found is not None:
        return found
    for name in (f"{row.corpus}/{row.file_name}", row.file_name):
        keys = [key for key in by_name.get(names.fold(name), ()) if not key.startswith("name:")]
        if len(keys) == 1:
            view = state.clip(keys[0])
            return Located(keys[0], view.file_name or row.file_name, view.corpus or row.corpus)
    return None


def _beyond(row: LabelRow, seconds: float) -> RowProblem:
    reason = (
        f"The segment begins at {row.start or 0:g} s, and the recording ends at {seconds:.2f} s; "
        "the row is left out."
    )
    return RowProblem(row.line, row.file_name, "beyond-the-end", reason)


def _twice(row: LabelRow, first: LabelRow) -> RowProblem:
    if row.emotion == first.emotion:
        reason = f"The same as row {first.line}; it counts once."
        return RowProblem(row.line, row.file_name, "duplicate", reason)
    reason = f"Row {first.line} says {first.emotion}, this one {row.emotion}; neither is taken."
    if row.annotator != first.annotator:
        reason += (
            " They are of two annotators: let rows that name an annotator stay theirs, "
            "--keep-annotators on the command line."
        )
    return RowProblem(row.line, first.file_name, "conflicting-duplicate", reason)


def _change(
    row: LabelRow, key: str, state: State, renames: bool, second: str, intensity: int | None
) -> PlannedChange:
    if key not in state:
        return PlannedChange(row, key, "new", second_emotion=second, intensity=intensity)
    view = state.clip(key)
    row, mine = _standing(row, view)
    before = mine.emotion if mine else ""
    kinds: list[str] = []
    if mine is not None and before == row.emotion:
        # A table that says nothing of these takes nothing back.
        second = second or mine.second_emotion
        intensity = intensity or (int(mine.intensity) if mine.intensity else None)
    given = (row.emotion, second, str(intensity or ""))
    if mine is None or (before, mine.second_emotion, mine.intensity) != given:
        kinds.append("relabel" if before else "new")
    # A name that a person gave goes over the one that a corpus has.
    if renames and view.file_name and view.file_name != row.file_name:
        kinds.append("rename")
    kind = "+".join(kinds) or "same"
    return PlannedChange(row, key, kind, before, view.file_name, second, intensity)


def _standing(row: LabelRow, view: ClipView) -> tuple[LabelRow, JournalEntry | None]:
    """Return the row and the label of the same annotator that it is about, if there is one.

    Formats round to milliseconds: what lies so near to a label that stands means that label.
    """
    for span, by in view.annotations.items():
        if row.annotator in by and _near(row.start, span[0]) and _near(row.end, span[1]):
            return replace(row, start=seconds(span)[0], end=seconds(span)[1]), by[row.annotator]
    return row, None


def _near(time: float | None, cell: str) -> bool:
    if time is None or not cell:
        return time is None and not cell
    return abs(time - float(cell)) <= ROUNDING


def _events(change: PlannedChange, session: str) -> Iterable[LabelEvent]:
    row = change.row
    if "rename" in change.kind:
        yield LabelEvent(
            action="rename",
            annotator=row.annotator,
            session=session,
            clip=row.clip,
            file_name=row.file_name,
            former_name=change.former_name,
            corpus=row.corpus,
        )
    if change.kind.startswith(("new", "relabel")):
        yield LabelEvent(
            action="label",
            annotator=row.annotator,
            session=session,
            clip=row.clip,
            file_name=row.file_name,
            corpus=row.corpus,
            emotion=row.emotion,
            second_emotion=change.second_emotion,
            intensity=change.intensity,
            start=row.start,
            end=row.end,
            extra=dict(row.extra),
        )

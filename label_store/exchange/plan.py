"""An import shows what it would change before it does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from label_store import names
from label_store.event import LabelEvent, Saved
from label_store.exchange.rows import LabelRow, RowProblem, Table
from label_store.fold import State
from label_store.store import LabelStore


@dataclass(frozen=True, slots=True)
class Change:
    """What an import would do with one row.

    Attributes:
        row: the row, its emotion canonical.
        key: the clip it is about.
        kind: ``new``, ``relabel``, ``rename``, ``relabel+rename`` or ``same``.
        before: the importer's label for the clip now, "" = none.
        former_name: the clip's name now, "" = none.
    """

    row: LabelRow
    key: str
    kind: str
    before: str = ""
    former_name: str = ""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import would change, and what it would leave out.

    Attributes:
        changes: one a row that can be taken, ``same`` included.
        problems: rows that are left out (or noted), with line and reason.
        heads: clip key -> its latest change when the plan was made.
        annotator: who imports.
    """

    changes: tuple[Change, ...]
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
    table: Table,
    annotator: str,
    canonical: Callable[[str], str],
    *,
    refusal: type[Exception] = ValueError,
    corpus: str = "",
    resolve: Callable[[str], str | None] | None = None,
    keep_annotators: bool = False,
) -> ImportPlan:
    """Work out what an import would change; nothing is saved.

    Args:
        store: where to.
        table: what comes in.
        annotator: who imports; the labels become theirs.
        canonical: returns an emotion's canonical name, or raises ``refusal``.
        refusal: the exception whose text says why a word is no emotion.
        corpus: for rows that name none.
        resolve: file name -> the clip's SHA-256, or None where there is no such file; rows whose
            file nobody has are taken under their name and noted as ``missing-file``.
        keep_annotators: rows that name an annotator stay theirs (for tables that one trusts).
    """
    state = store.state()
    by_name = _by_name(state)
    changes: list[Change] = []
    problems = list(table.problems)
    seen: dict[tuple[str, object, object, str], LabelRow] = {}
    for raw in table.rows:
        row = _canonical(raw, canonical, refusal, corpus, problems)
        if row is None:
            continue
        clip = _clip(row, by_name, resolve)
        key = clip or f"name:{row.corpus}/{row.file_name}"
        who = row.annotator if keep_annotators and row.annotator else annotator
        same = (key, row.start, row.end, who)
        if same in seen:
            problems.append(_twice(row, seen[same]))
            continue
        seen[same] = row
        if not clip:
            reason = "No such file is known; the label is kept under its name until there is one."
            problems.append(RowProblem(row.line, row.file_name, "missing-file", reason))
        changes.append(_change(replace(row, clip=clip, annotator=who), key, state))
    contradicted = {p.name for p in problems if p.kind == "conflicting-duplicate"}
    changes = [one for one in changes if one.row.file_name not in contradicted]
    heads = {one.key: state.clip(one.key).head for one in changes}
    return ImportPlan(
        tuple(changes), tuple(sorted(problems, key=lambda one: one.line)), heads, annotator
    )


def apply(store: LabelStore, made: ImportPlan, *, session: str = "") -> list[Saved]:
    """Do what a plan shows, all of it or nothing.

    Args:
        store: the store that the plan was made for.
        made: the plan.
        session: the sitting in which it happens.

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
    return replace(row, emotion=emotion, corpus=row.corpus or corpus)


def _by_name(state: State) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for view in state.clips():
        found.setdefault(names.fold(f"{view.corpus}/{view.file_name}"), set()).add(view.key)
        found.setdefault(names.fold(view.file_name), set()).add(view.key)
    return found


def _clip(
    row: LabelRow,
    by_name: Mapping[str, Iterable[str]],
    resolve: Callable[[str], str | None] | None,
) -> str:
    if len(row.clip) == 64 and not set(row.clip) - set("0123456789abcdef"):
        return row.clip
    found = resolve(row.file_name) if resolve is not None else None
    if found:
        return found
    for name in (f"{row.corpus}/{row.file_name}", row.file_name):
        keys = [key for key in by_name.get(names.fold(name), ()) if not key.startswith("name:")]
        if len(keys) == 1:
            return keys[0]
    return ""


def _twice(row: LabelRow, first: LabelRow) -> RowProblem:
    if row.emotion == first.emotion:
        reason = f"The same as row {first.line}; it counts once."
        return RowProblem(row.line, row.file_name, "duplicate", reason)
    reason = f"Row {first.line} says {first.emotion}, this one {row.emotion}; neither is taken."
    return RowProblem(row.line, first.file_name, "conflicting-duplicate", reason)


def _change(row: LabelRow, key: str, state: State) -> Change:
    if key not in state:
        return Change(row, key, "new")
    view = state.clip(key)
    span = ("" if row.start is None else repr(row.start), "" if row.end is None else repr(row.end))
    mine = view.votes.get(span, {}).get(row.annotator)
    before = mine.emotion if mine else ""
    kinds = []
    if before != row.emotion:
        kinds.append("relabel" if before else "new")
    if view.file_name and view.file_name != row.file_name:
        kinds.append("rename")
    return Change(row, key, "+".join(kinds) or "same", before, view.file_name)


def _events(change: Change, session: str) -> Iterable[LabelEvent]:
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
            start=row.start,
            end=row.end,
            extra=dict(row.extra),
        )

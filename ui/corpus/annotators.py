"""Annotators and gold clips on the Corpus tab: who is trusted, and how often each is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from label_store.agreement import annotations_by_clip, with_others
from label_store.annotators import AnnotatorSettings, Practice, write_annotator_settings
from label_store.gold import Gold, GoldClip, mark, scores, unmark
from label_store.practice import PracticeProgress, note_pass, progress
from label_store.reliability import GoldScore, trusted_by_gold
from ser_core.emotions import EMOTIONS
from ui.annotation_settings import read_settings
from ui.corpus.session import CorpusTableService
from ui.errors import PageError
from ui.identity import Annotator

NO_GOLD = (
    "There are no gold clips, so nobody could practise. Nothing was saved; tick rows whose emotion "
    "is certain and mark them as gold first."
)
PROOF_ANSWERS = 5
PROOF_SHARE = 0.7
"""Gold clips answered, and share of them right, from which somebody is proposed as trusted."""


@dataclass(frozen=True)
class AnnotatorRow:
    """One annotator.

    Attributes:
        name: who.
        labels: clips that they labelled.
        trusted: whether their labels train.
        gold: how they answer gold clips, None where they saw none.
        others: emotion -> clips named as most of the others did, and all of them.
        practice: how far they are in the practice round; None where none is asked.
    """

    name: str
    labels: int
    trusted: bool
    gold: GoldScore | None
    others: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    practice: PracticeProgress | None = None


@dataclass(frozen=True)
class AnnotatorOverview:
    """What the panel shows.

    Attributes:
        annotators: everybody who labelled or may, most labels first.
        set: what was set: who is trusted, how many gold clips.
        gold: the gold clips.
        problems: what can't be used of either file, in sentences.
    """

    annotators: tuple[AnnotatorRow, ...]
    set: AnnotatorSettings
    gold: Gold
    problems: tuple[str, ...]

    def proven(self) -> list[str]:
        """Return whom the gold clips prove reliable."""
        found = [one.gold for one in self.annotators if one.gold is not None]
        return sorted(trusted_by_gold(found, accuracy=PROOF_SHARE, seen=PROOF_ANSWERS))


def require_reviewer(who: Annotator) -> None:
    """Refuse those who may not say whose labels train, and so may not know the answers either.

    Raises:
        PageError: with the reason.
    """
    if not (who.may_write and who.may_train):
        raise PageError(who.reason or "Only annotators who may train can see and change this.")


def overview(service: CorpusTableService, who: Annotator) -> AnnotatorOverview:
    """Return who labels here and how reliably.

    Raises:
        PageError: the person may not see it.
    """
    require_reviewer(who)
    services = service.services
    settings = read_settings(services)
    counted = Counter(
        name for view in services.store.state().clips() for name in view.whole() if name
    )
    others = with_others(annotations_by_clip(services.store.state()))
    trusted = settings.annotators.trusted
    by_name = {one.annotator: one for one in scores(services.store, settings.gold)}
    names = {*counted, *services.identity.users, *(trusted or ())}
    asked = settings.annotators.practice
    annotators = [
        AnnotatorRow(
            name,
            counted[name],
            trusted is None or name in trusted,
            by_name.get(name),
            others.get(name, {}),
            None if asked is None else progress(services.store, settings.gold, asked, name),
        )
        for name in names
    ]
    annotators.sort(key=lambda one: (-one.labels, one.name))
    return AnnotatorOverview(
        tuple(annotators), settings.annotators, settings.gold, settings.problems
    )


def set_annotators(
    service: CorpusTableService,
    who: Annotator,
    *,
    everybody: bool,
    names: Sequence[str],
    share: float,
    enough: float | None = None,
    practice: tuple[int, float] | None = None,
) -> AnnotatorSettings:
    """Set whose labels train, how gold clips are used, and when labels are enough.

    Args:
        service, who: the table, and who sets it.
        everybody, names, share, enough: see `AnnotatorSettings`.
        practice: gold clips that are answered before labels count, and the share to be right.
            Labels from before it was first asked for stay as they are; whoever has answered
            enough gold clips already has passed. None = no practice.

    Raises:
        PageError: the person may not, or there is no gold clip to practise on.
        StoreError: it makes no sense, or the disk did not take it.
    """
    require_reviewer(who)
    trusted = None if everybody else {str(name) for name in names}
    store = service.services.store
    before = read_settings(service.services)
    asked = None
    if practice is not None:
        if not before.gold.clips:
            raise PageError(NO_GOLD)
        former = before.annotators.practice
        asked = Practice(*practice, since=former.since if former else store.revision)
    made = write_annotator_settings(
        store.folder, trusted, float(share), by=who.name, enough=enough, practice=asked
    )
    if asked is not None:
        state = store.state()
        known = {one for view in state.clips() for one in view.whole()}
        for name in sorted(known | set(service.services.identity.users)):
            note_pass(store, before.gold, asked, name)
    return made


def mark_gold(service: CorpusTableService, who: Annotator, keys: Sequence[str]) -> int:
    """Let rows be gold: their emotion, as it stands, is the known answer; return how many.

    Raises:
        PageError: the person may not, no row is ticked, or one has no emotion that is known here.
        GoneError: a row's file is missing.
        StoreError: the disk did not take it; nothing was changed.
    """
    require_reviewer(who)
    rows = [service.row(key) for key in keys]
    if not rows:
        raise PageError("First tick the rows whose emotion is certain.")
    vague = [row for row in rows if row.emotion not in EMOTIONS or "disagreement" in row.problems]
    if vague:
        raise PageError(
            f"{vague[0].file_name} can't be gold: its annotators don't agree on one emotion. "
            "Nothing was marked; correct it first."
        )
    part = next((row for row in rows if row.start is not None or row.end is not None), None)
    if part is not None:
        raise PageError(
            f"{part.file_name}: a segment can't be gold, only a whole clip can. Nothing was marked."
        )
    # One who is alone here marks what a corpus says, and may well be asked about it.
    by = "" if service.services.identity.mode == "local" else who.name
    return mark(
        service.services.store,
        [
            GoldClip(service.clip_of(row)[0], row.emotion, row.source_name or row.file_name,
                     row.corpus, by)
            for row in rows
        ],
    )  # fmt: skip


def unmark_gold(service: CorpusTableService, who: Annotator, keys: Sequence[str]) -> int:
    """Take rows off the gold list; return how many were on it.

    Raises:
        PageError: the person may not, or no row is ticked.
        StoreError: the disk did not take it; nothing was changed.
    """
    require_reviewer(who)
    if not keys:
        raise PageError("First tick the rows to remove from the gold list.")
    rows = [service.row(key) for key in keys]
    clips = {service.clip_of(row)[0] for row in rows}
    names = {name for row in rows for name in _names(row.source_name or row.file_name)}
    return unmark(service.services.store, clips, names)


def _names(name: str) -> set[str]:
    return {name, name.rpartition("/")[2]}

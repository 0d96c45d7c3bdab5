"""People and gold clips on the Corpus tab: who is trusted, and how well each knows the answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from label_store.gold import Gold, GoldClip, mark, scores, unmark
from label_store.people import People, write_people
from label_store.reliability import GoldScore, trusted_by_gold
from ser_core.emotions import EMOTIONS
from ui.analysis import PageError
from ui.corpus_desk import CorpusDesk
from ui.identity import Annotator

PROOF_ANSWERS = 5
PROOF_SHARE = 0.7
"""Gold clips answered, and share of them right, from which somebody is proposed as trusted."""


@dataclass(frozen=True)
class Person:
    """One annotator.

    Attributes:
        name: who.
        labels: clips that they labelled.
        trusted: whether their labels train.
        gold: how they answer gold clips, None where they saw none.
    """

    name: str
    labels: int
    trusted: bool
    gold: GoldScore | None


@dataclass(frozen=True)
class Crew:
    """What the panel shows.

    Attributes:
        people: everybody who labelled or may, most labels first.
        set: what was set: who is trusted, how many gold clips.
        gold: the gold clips.
        problems: what can't be used of either file, in sentences.
    """

    people: tuple[Person, ...]
    set: People
    gold: Gold
    problems: tuple[str, ...]

    def proven(self) -> list[str]:
        """Return whom the gold clips prove reliable."""
        found = [one.gold for one in self.people if one.gold is not None]
        return sorted(trusted_by_gold(found, accuracy=PROOF_SHARE, seen=PROOF_ANSWERS))


def require_reviewer(who: Annotator) -> None:
    """Refuse those who may not say whose labels train, and so may not know the answers either.

    Raises:
        PageError: with the reason.
    """
    if not (who.may_write and who.may_train):
        raise PageError(who.reason or "Only those who may train see and set this.")


def crew(desk: CorpusDesk, who: Annotator) -> Crew:
    """Return who labels here and how reliably.

    Raises:
        PageError: the person may not see it.
    """
    require_reviewer(who)
    services = desk.services
    pool = services.desk.pool
    pool.queue()  # reads both files again where they changed
    counted = Counter(
        name for view in services.store.state().clips() for name in view.whole() if name
    )
    trusted = pool.people.trusted
    by_name = {one.annotator: one for one in scores(services.store, pool.gold)}
    names = {*counted, *services.identity.users, *(trusted or ())}
    people = [
        Person(name, counted[name], trusted is None or name in trusted, by_name.get(name))
        for name in names
    ]
    people.sort(key=lambda one: (-one.labels, one.name))
    return Crew(tuple(people), pool.people, pool.gold, pool.problems)


def set_people(
    desk: CorpusDesk, who: Annotator, *, everybody: bool, names: Sequence[str], share: float
) -> People:
    """Set whose labels train and how many gold clips are mixed in.

    Raises:
        PageError: the person may not.
        StoreError: it makes no sense, or the disk did not take it.
    """
    require_reviewer(who)
    trusted = None if everybody else {str(name) for name in names}
    return write_people(desk.services.store.folder, trusted, float(share), by=who.name)


def mark_gold(desk: CorpusDesk, who: Annotator, keys: Sequence[str]) -> int:
    """Let rows be gold: their emotion, as it stands, is the known answer; return how many.

    Raises:
        PageError: the person may not, no row is ticked, or one has no emotion that is known here.
        GoneError: a row's file is missing.
        StoreError: the disk did not take it; nothing was changed.
    """
    require_reviewer(who)
    rows = [desk.row(key) for key in keys]
    if not rows:
        raise PageError("Tick the rows whose emotion is beyond doubt first.")
    vague = [row for row in rows if row.emotion not in EMOTIONS or "disagreement" in row.problems]
    if vague:
        raise PageError(
            f"{vague[0].file_name} has no emotion that all agree on, so it can't be gold. "
            "Nothing was marked; correct it first."
        )
    # One who is alone here marks what a corpus says, and may well be asked about it.
    by = "" if desk.services.identity.mode == "local" else who.name
    return mark(
        desk.services.store,
        [
            GoldClip(desk.clip_of(row)[0], row.emotion, row.source_name or row.file_name,
                     row.corpus, by)
            for row in rows
        ],
    )  # fmt: skip


def unmark_gold(desk: CorpusDesk, who: Annotator, keys: Sequence[str]) -> int:
    """Take rows off the gold list; return how many were on it.

    Raises:
        PageError: the person may not, or no row is ticked.
        StoreError: the disk did not take it; nothing was changed.
    """
    require_reviewer(who)
    if not keys:
        raise PageError("Tick the rows that are not to be gold any more first.")
    rows = [desk.row(key) for key in keys]
    clips = {desk.clip_of(row)[0] for row in rows}
    names = {name for row in rows for name in _names(row.source_name or row.file_name)}
    return unmark(desk.services.store, clips, names)


def _names(name: str) -> set[str]:
    return {name, name.rpartition("/")[2]}

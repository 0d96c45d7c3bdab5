"""Train, validation and test sides on which no person, content or copy is heard twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ser_core.corpora.clip import Clip
from ser_core.corpora.committed_sides import SIDES, TABLES, Side
from ser_core.corpora.grouping import Group, Grouping, group, person_of, rank
from ser_core.errors import CorpusError

SCHEMES: tuple[str, ...] = ("fixed", "kfold", "leave-one-corpus-out", "random")
HELD_OUT_SHARE = 0.15
"""Share of the people of an unknown corpus that validate, and again that test."""

LEAK_NOTE = (
    "This split LEAKS: clips were parted at random, so the same people, and copies of the same "
    "recording, are on both sides. Its figures are too good; use it only to compare with others "
    "who did the same."
)


@dataclass(frozen=True, slots=True)
class Splits:
    """Clips on three sides.

    Attributes:
        train: to learn from; the only side that is augmented.
        validation: to stop and to tune on.
        test: for figures alone.
        scheme: one of SCHEMES.
        notes: what a reader of the figures has to know; to be printed.
    """

    train: tuple[Clip, ...]
    validation: tuple[Clip, ...]
    test: tuple[Clip, ...]
    scheme: str
    notes: tuple[str, ...] = ()

    def side(self, name: Side) -> tuple[Clip, ...]:
        """Return the clips of one side by its name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]


def split(
    clips: Iterable[Clip],
    scheme: str = "fixed",
    *,
    seed: int = 0,
    fold: int = 0,
    folds: int = 5,
    held_out: str = "",
    fingerprints: Mapping[Path, str] | None = None,
) -> Splits:
    """Part clips into train, validation and test.

    Args:
        clips: from any number of corpora.
        scheme: ``fixed`` (committed tables; other corpora by a hash of the person), ``kfold`` (by
            person), ``leave-one-corpus-out``, ``random`` (leaks; its note says so).
        seed: of ``kfold`` and ``random``.
        fold: which fold tests, 0 to folds - 1; the next one validates.
        folds: how many folds, 3 or more.
        held_out: the corpus, or family, that tests in ``leave-one-corpus-out``; corpora that share
            its people go with it.
        fingerprints: SHA-256 of files by path, to spare reading them again.

    Returns:
        The sides, in the order in which the clips came, with notes to print.

    Raises:
        CorpusError: an unknown scheme or corpus, a fold out of range, or a clip's file is gone.
    """
    clips = list(clips)
    if scheme == "random":
        return _random(clips, seed)
    if scheme not in SCHEMES:
        raise CorpusError(f"“{scheme}” is not a split. Choose one of: {', '.join(SCHEMES)}.")
    grouping = group(clips, fingerprints)
    if scheme == "fixed":
        sides, notes = _fixed(grouping.groups), _fixed_notes(grouping.groups)
    elif scheme == "kfold":
        sides, notes = _kfold(grouping.groups, seed, fold, folds), []
    else:
        sides, notes = _leave_out(grouping.groups, clips, held_out)
    return _part(clips, grouping, sides, scheme, notes)


def side_of(clip: Clip, among: Iterable[Clip] = ()) -> Side:
    """Return the side of one clip in the fixed scheme.

    Args:
        clip: the clip; its file is not read.
        among: the other clips of its corpus. They matter only for corpora without a committed
            table, where the people share out the sides; a person known alone is on ``train``.
    """
    family, _, speaker = person_of(clip).rpartition("/")
    if family in TABLES:
        return TABLES[family].get(speaker, "test")
    grouping = group([clip, *among], by_content=False)
    sides = _fixed(grouping.groups)
    for one in grouping.groups:
        if 0 in one.members:
            return sides[one.name]
    return _strictest(sides[name] for name in grouping.ambiguous[0])


def _quota(names: Sequence[str]) -> dict[str, Side]:
    """Share names out in the order of their hash, so that three or more fill every side."""
    ranked = sorted(names, key=rank)
    if len(ranked) < 3:
        return dict(zip(ranked, ("train", "test"), strict=False))
    held = max(1, round(HELD_OUT_SHARE * len(ranked)))
    return {
        name: "test" if place < held else "validation" if place < 2 * held else "train"
        for place, name in enumerate(ranked)
    }


def _by_rank(groups: Sequence[Group]) -> dict[str, Side]:
    """Give each group the side that its own hash says, so that newcomers move nobody."""
    sides: dict[str, Side] = {}
    for one in groups:
        place = rank(one.name)
        held: Side = "test" if place < HELD_OUT_SHARE else "validation"
        sides[one.name] = held if place < 2 * HELD_OUT_SHARE else "train"
    if len(groups) >= 3 and len(set(sides.values())) < len(SIDES):
        return _quota([one.name for one in groups])
    return sides


def _fixed(groups: Sequence[Group]) -> dict[str, Side]:
    sides: dict[str, Side] = {}
    people: dict[str, list[str]] = defaultdict(list)
    strangers: dict[str, list[Group]] = defaultdict(list)
    for one in groups:
        if one.known and one.family in TABLES:
            sides[one.name] = TABLES[one.family].get(one.name.rpartition("/")[2], "test")
        elif one.known:
            people[one.family].append(one.name)
        else:
            strangers[one.family].append(one)
    for names in people.values():
        sides |= _quota(names)
    for nameless in strangers.values():
        sides |= _by_rank(nameless)
    return sides


def _fixed_notes(groups: Sequence[Group]) -> list[str]:
    families = {one.family for one in groups if one.known}
    never = sorted(
        family for family in families if family in TABLES and "train" not in TABLES[family].values()
    )
    notes = [f"{family}: never trained on in the fixed split; all of it tests." for family in never]
    for family in sorted({one.family for one in groups} - set(TABLES)):
        unit = "person" if family in families else "recording (no speakers are known)"
        notes.append(f"{family}: no committed table; sides follow from a hash of each {unit}.")
    return notes


def _kfold(groups: Sequence[Group], seed: int, fold: int, folds: int) -> dict[str, Side]:
    if folds < 3 or not 0 <= fold < folds:
        raise CorpusError(
            f"fold {fold} of {folds}: expected 3 or more folds, and a fold from 0 to folds - 1."
        )
    if len(groups) < folds:
        raise CorpusError(
            f"{folds} folds need as many people or unrelated recordings; found {len(groups)}. "
            "Ask for fewer folds or add a corpus."
        )
    load: Counter[int] = Counter()
    family_load: Counter[tuple[str, int]] = Counter()
    place: dict[str, int] = {}
    # The largest first, each to the fold that holds least of its corpus, then least of all.
    for one in sorted(groups, key=lambda one: (-len(one.members), rank(one.name, str(seed)))):
        family = one.family
        chosen = min(range(folds), key=lambda k: (family_load[family, k], load[k], k))
        family_load[family, chosen] += len(one.members)
        load[chosen] += len(one.members)
        place[one.name] = chosen
    held: dict[int, Side] = {fold: "test", (fold + 1) % folds: "validation"}
    return {name: held.get(chosen, "train") for name, chosen in place.items()}


def _leave_out(
    groups: Sequence[Group], clips: Sequence[Clip], held_out: str
) -> tuple[dict[str, Side], list[str]]:
    families = {clip.corpus: clip.family or clip.corpus for clip in clips}
    families |= {family: family for family in families.values()}
    if held_out not in families:
        raise CorpusError(
            f"“{held_out}” is not among the clips. Hold out one of: {', '.join(sorted(families))}."
        )
    out = families[held_out]
    rest = [one for one in groups if one.family != out]
    fixed = _fixed(rest)
    sides: dict[str, Side] = {
        name: "validation" if side == "validation" else "train" for name, side in fixed.items()
    }
    if rest and "validation" not in sides.values():
        quota = _quota([one.name for one in rest])
        sides = {name: "train" if side == "train" else "validation" for name, side in quota.items()}
    sides |= dict.fromkeys((one.name for one in groups if one.family == out), "test")
    together = sorted(corpus for corpus, family in families.items() if family == out)
    return sides, [f"{', '.join(together)}: not one clip or person of it is trained on."]


def _random(clips: Sequence[Clip], seed: int) -> Splits:
    held = max(1, round(HELD_OUT_SHARE * len(clips))) if len(clips) >= 3 else 0
    order = np.random.default_rng(seed).permutation(len(clips))
    sides: dict[int, Side] = dict.fromkeys(range(len(clips)), "train")
    for place, index in enumerate(order[: 2 * held]):
        sides[int(index)] = "test" if place < held else "validation"
    return _collect(clips, sides, "random", [LEAK_NOTE])


def _strictest(sides: Iterable[Side]) -> Side:
    return max(sides, key=SIDES.index)


def _part(
    clips: Sequence[Clip],
    grouping: Grouping,
    group_sides: Mapping[str, Side],
    scheme: str,
    notes: Sequence[str],
) -> Splits:
    sides = {index: group_sides[one.name] for one in grouping.groups for index in one.members}
    notes = list(notes)
    unclear = 0
    for index, owners in grouping.ambiguous.items():
        possible = {group_sides[name] for name in owners}
        if len(possible) == 1:
            sides[index] = possible.pop()
        else:
            unclear += 1
    shared = 0
    for same in grouping.same_content:
        placed = [index for index in same if index in sides]
        if not placed:
            continue
        kept = _strictest(sides[index] for index in placed)
        for index in placed:
            if sides[index] != kept:
                del sides[index]
                shared += 1
    if unclear:
        notes.append(
            f"{unclear} clips left out: copies of recordings of several people on several sides."
        )
    if shared:
        notes.append(f"{shared} clips left out: the same bytes are on a side that is held out.")
    return _collect(clips, sides, scheme, notes)


def _collect(
    clips: Sequence[Clip], sides: Mapping[int, Side], scheme: str, notes: Sequence[str]
) -> Splits:
    def on(side: Side) -> tuple[Clip, ...]:
        return tuple(clip for index, clip in enumerate(clips) if sides.get(index) == side)

    empty = [side for side in SIDES if clips and side not in sides.values()]
    messages = [*notes, *(f"The side {side} is empty." for side in empty)]
    return Splits(on("train"), on("validation"), on("test"), scheme, tuple(messages))

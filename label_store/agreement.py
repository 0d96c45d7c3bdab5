"""How far annotators agree: by pair, all together, and for each emotion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from label_store.fold import State

Annotations = Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class PairAgreement:
    """Two annotators on the clips that both labelled.

    Attributes:
        first, second: who.
        clips: clips that both labelled.
        share: clips that both named alike, 0..1.
        kappa: Cohen's kappa; None where both used one same emotion only (it is undefined).
    """

    first: str
    second: str
    clips: int
    share: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement in a store.

    Attributes:
        alpha: Krippendorff's alpha (nominal); None where it is undefined.
        by_emotion: emotion -> alpha of "this one or another".
        pairs: every pair that shares a clip, most clips first.
        shared: clips that two or more labelled.
    """

    alpha: float | None
    by_emotion: Mapping[str, float | None]
    pairs: tuple[PairAgreement, ...]
    shared: int


def annotations_by_clip(
    state: State, trusted: Collection[str] | None = None
) -> list[dict[str, str]]:
    """Return one mapping a clip, annotator -> emotion over the whole clip; reviews don't count.

    Args:
        state: the store's state.
        trusted: annotators that count; None = all.
    """
    found = (view.whole() for view in state.clips())
    kept = ({n: e for n, e in clip.items() if trusted is None or n in trusted} for clip in found)
    return [clip for clip in kept if clip]


def agreement(items: Annotations) -> Agreement:
    """Return how far annotators agree.

    Args:
        items: one mapping a clip, annotator -> emotion; see `annotations_by_clip`.
    """
    emotions = sorted({emotion for item in items for emotion in item.values()})
    by_emotion = {
        emotion: krippendorff_alpha(
            [[str(value == emotion) for value in i.values()] for i in items]
        )
        for emotion in emotions
    }
    return Agreement(
        krippendorff_alpha([list(item.values()) for item in items]),
        by_emotion,
        tuple(pairs(items)),
        sum(len(item) > 1 for item in items),
    )


def with_others(items: Annotations) -> dict[str, dict[str, tuple[int, int]]]:
    """Return annotator -> emotion -> clips that they named as the others did, and all of them.

    The emotion is what most of the clip's other annotators said; where they are even, the clip
    does not count.

    Args:
        items: one mapping a clip, annotator -> emotion; see `annotations_by_clip`.

    >>> with_others([{"ada": "joy", "bob": "joy"}, {"ada": "fear", "bob": "joy"}])["ada"]
    {'joy': (1, 2)}
    """
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for item in items:
        for name, emotion in item.items():
            first = Counter(other for who, other in item.items() if who != name).most_common(2)
            if not first or (len(first) > 1 and first[0][1] == first[1][1]):
                continue
            mine = found.setdefault(name, {})
            alike, seen = mine.get(first[0][0], (0, 0))
            mine[first[0][0]] = (alike + (emotion == first[0][0]), seen + 1)
    return {
        name: dict(sorted(by.items(), key=lambda one: (-one[1][1], one[0])))
        for name, by in sorted(found.items())
    }


def krippendorff_alpha(units: Sequence[Sequence[str]]) -> float | None:
    """Return Krippendorff's alpha for nominal data, or None where it is undefined.

    Source: K. Krippendorff, "Computing Krippendorff's Alpha-Reliability", 2011, section C.

    Args:
        units: the values that each unit was given; units with fewer than two do not count.

    Returns:
        1 = perfect, 0 = as by chance, below 0 = worse; None without two values to compare or
        where all values are the same.

    >>> first, second = "0100000010", "1110010000"
    >>> round(krippendorff_alpha([list(pair) for pair in zip(first, second)]), 3)
    0.095
    """
    totals: Counter[str] = Counter()
    alike = 0.0
    for unit in units:
        if len(unit) < 2:
            continue
        counts = Counter(unit)
        totals.update(counts)
        alike += sum(count * (count - 1) for count in counts.values()) / (len(unit) - 1)
    size = totals.total()
    expected = size * size - sum(count * count for count in totals.values())
    if not expected:
        return None
    return 1 - (size - 1) * (size - alike) / expected


def pairs(items: Annotations) -> list[PairAgreement]:
    """Return Cohen's kappa for each pair of annotators that share a clip, most clips first.

    Source: J. Cohen, "A Coefficient of Agreement for Nominal Scales", 1960.
    """
    both: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for item in items:
        for first, second in combinations(sorted(item), 2):
            both.setdefault((first, second), []).append((item[first], item[second]))
    found = [_pair(first, second, given) for (first, second), given in both.items()]
    return sorted(found, key=lambda pair: (-pair.clips, pair.first, pair.second))


def _pair(first: str, second: str, given: list[tuple[str, str]]) -> PairAgreement:
    share = sum(one == other for one, other in given) / len(given)
    kappa = None
    if len({emotion for pair in given for emotion in pair}) > 1:
        from sklearn.metrics import cohen_kappa_score

        ones, others = zip(*given, strict=True)
        kappa = float(cohen_kappa_score(ones, others))
    return PairAgreement(first, second, len(given), share, kappa)

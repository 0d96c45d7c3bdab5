"""Look into the files of a reading: equal contents, contradictions, broken and silent audio."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable

from ser_core.corpora.clip import Clip, Problem, Reading
from ser_core.corpora.grouping import equal_contents
from ser_core.errors import AudioError

Ticker = Callable[[int, int], None]


def examine(reading: Reading, *, decode: bool = True, progress: Ticker | None = None) -> Reading:
    """Return a reading without what can't be learned from, and with a problem for each such clip.

    Of clips with the same content and emotion the first stays; where the emotions differ, none
    does. Contents are equal when the bytes are or, where clips are decoded, when the sound is.

    Args:
        reading: as read.
        decode: whether each clip is decoded too, to find broken and silent ones (minutes for a
            large corpus); otherwise only bytes count.
        progress: called with the clips done and the clips in all.

    Returns:
        The reading with fewer clips and more problems; nothing is lost between the two.
    """
    problems: dict[int, Problem] = {}
    clips = list(reading.clips)
    present = []
    for index, clip in enumerate(clips):
        if clip.path.is_file():
            present.append(index)
        else:
            problems[index] = _problem(clip, "missing-file", "the file is gone.")
    for places in equal_contents([clips[index] for index in present]):
        for same in _by_segment(clips, [present[place] for place in places]):
            problems |= _equal(clips, same, "bytes")
    if decode:
        sounds: dict[str, list[int]] = {}
        for done, index in enumerate(present, start=1):
            if index not in problems:
                heard = _listen(clips[index])
                if isinstance(heard, Problem):
                    problems[index] = heard
                else:
                    sounds.setdefault(heard, []).append(index)
            if progress is not None:
                progress(done, len(present))
        for alike in sounds.values():
            for same in _by_segment(clips, alike):
                problems |= _equal(clips, same, "sound")
    kept = tuple(clip for index, clip in enumerate(clips) if index not in problems)
    found = tuple(problems[index] for index in sorted(problems))
    return Reading(reading.corpus, kept, (*reading.problems, *found))


def counts(reading: Reading) -> dict[str, int]:
    """Return how many problems of each kind there are, most frequent first.

    >>> counts(Reading("x", (), (Problem("a.wav", "silent", "it holds no sound"),)))
    {'silent': 1}
    """
    return dict(Counter(problem.kind for problem in reading.problems).most_common())


def summary(problems: Iterable[Problem]) -> list[str]:
    """Return one sentence for each kind of problem: how many, and the first of them.

    >>> summary([Problem("a.wav", "silent", "it holds no sound.")])
    ['1 × silent, for example a.wav: it holds no sound.']
    """
    kinds: dict[str, list[Problem]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    ranked = sorted(kinds.items(), key=lambda one: -len(one[1]))
    return [
        f"{len(found)} × {kind.replace('-', ' ')}, for example {found[0].name}: {found[0].reason}"
        for kind, found in ranked
    ]


def _by_segment(clips: list[Clip], same: list[int]) -> list[list[int]]:
    """Part clips of equal content by the segment of it that they are."""
    parts: dict[tuple[float | None, float | None], list[int]] = {}
    for index in same:
        parts.setdefault((clips[index].start, clips[index].end), []).append(index)
    return [found for found in parts.values() if len(found) > 1]


def _problem(clip: Clip, kind: str, reason: str) -> Problem:
    return Problem(clip.key + clip.path.suffix, kind, reason)


def _equal(clips: list[Clip], same: list[int], what: str) -> dict[int, Problem]:
    emotions = {clips[index].emotion for index in same}
    names = {index: clips[index].key + clips[index].path.suffix for index in same}
    if len(emotions) == 1:
        first, *rest = same
        reason = f"the same {what} as {names[first]}; only that one is used."
        return {index: _problem(clips[index], "duplicate", reason) for index in rest}
    found = {}
    for index in same:
        others = ", ".join(
            f"{names[other]} ({clips[other].emotion})" for other in same if other != index
        )
        reason = f"{clips[index].emotion}, but the same {what} as {others}; none of them is used."
        found[index] = _problem(clips[index], "conflicting-duplicate", reason)
    return found


def _listen(clip: Clip) -> Problem | str:
    """Return what is wrong with a clip's sound, or a hash of it that other containers share."""
    # Decoders are loaded only by those who listen.
    from ser_core import audio
    from ser_core.audio import quality

    try:
        loaded = audio.load(clip.path)
    except AudioError as error:
        return _problem(clip, "broken-audio", str(error))
    if quality.inspect(loaded).silent:
        return _problem(clip, "silent", "it holds no sound.")
    return hashlib.sha256(loaded.samples.tobytes()).hexdigest()

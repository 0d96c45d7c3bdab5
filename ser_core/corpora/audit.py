"""Look into the files of a reading: equal contents, contradictions, broken and silent audio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from ser_core.corpora.clip import Clip, Problem, Reading
from ser_core.errors import AudioError

Ticker = Callable[[int, int], None]


def examine(reading: Reading, *, decode: bool = True, progress: Ticker | None = None) -> Reading:
    """Return a reading without what can't be learned from, and with a problem for each such clip.

    Of clips with the same bytes and emotion the first stays; where the emotions differ, none does.

    Args:
        reading: as read.
        decode: whether each clip is decoded too, to find broken and silent ones (minutes for a
            large corpus); otherwise only bytes are compared.
        progress: called with the clips done and the clips in all.

    Returns:
        The reading with fewer clips and more problems; nothing is lost between the two.
    """
    from ser_core.grouping import equal_contents

    problems: dict[int, Problem] = {}
    clips = list(reading.clips)
    present = []
    for index, clip in enumerate(clips):
        if clip.path.is_file():
            present.append(index)
        else:
            problems[index] = _problem(clip, "missing-file", "the file is gone.")
    for places in equal_contents([clips[index] for index in present]):
        same = [present[place] for place in places]
        for index, problem in _equal(clips, same):
            problems[index] = problem
    if decode:
        for done, index in enumerate(present, start=1):
            if index not in problems and (fault := _listen(clips[index])) is not None:
                problems[index] = fault
            if progress is not None:
                progress(done, len(present))
    kept = tuple(clip for index, clip in enumerate(clips) if index not in problems)
    found = tuple(problems[index] for index in sorted(problems))
    return Reading(reading.corpus, kept, (*reading.problems, *found))


def counts(reading: Reading) -> dict[str, int]:
    """Return how many problems of each kind there are, most frequent first.

    >>> counts(Reading("x", (), (Problem("a.wav", "silent", "it holds no sound"),)))
    {'silent': 1}
    """
    return dict(Counter(problem.kind for problem in reading.problems).most_common())


def _problem(clip: Clip, kind: str, reason: str) -> Problem:
    return Problem(clip.key + clip.path.suffix, kind, reason)


def _equal(clips: list[Clip], same: list[int]) -> list[tuple[int, Problem]]:
    emotions = sorted({clips[index].emotion for index in same})
    names = {index: clips[index].key + clips[index].path.suffix for index in same}
    if len(emotions) == 1:
        first, *rest = same
        reason = f"the same bytes as {names[first]}; only that one is used."
        return [(index, _problem(clips[index], "duplicate", reason)) for index in rest]
    found = []
    for index in same:
        others = ", ".join(
            f"{names[other]} ({clips[other].emotion})" for other in same if other != index
        )
        reason = f"{clips[index].emotion}, but the same bytes as {others}; none of them is used."
        found.append((index, _problem(clips[index], "conflicting-duplicate", reason)))
    return found


def _listen(clip: Clip) -> Problem | None:
    # Decoders are loaded only by those who listen.
    from ser_core import audio, quality

    try:
        loaded = audio.load(Path(clip.path))
    except AudioError as error:
        return _problem(clip, "broken-audio", str(error))
    if quality.inspect(loaded).silent:
        return _problem(clip, "silent", "it holds no sound.")
    return None

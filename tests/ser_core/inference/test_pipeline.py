"""Clips through the pipeline: in order, in batches, a little ahead, and none in another's way."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_core.audio import Audio, load
from ser_core.checkpoints.specification import Specification
from ser_core.errors import AudioError, SerError
from ser_core.inference.abstention import NO_SPEECH, SILENT
from ser_core.inference.pipeline import Pipeline, WindowLogits
from ser_core.inference.runtime import Lengths, Logits, Samples
from ser_core.inference.windows import (
    SpeechActivity,
    detect_speech,
    plan_windows,
    window_starts,
)

RATE = 16_000
SPOKEN = SpeechActivity(((0.0, 3600.0),))


class Loudness:
    """A runtime whose logits are the mean of each window and its length, for two emotions."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, waveform: Samples, lengths: Lengths) -> Logits:
        self.batches.append(len(waveform))
        sums = waveform.astype(np.float64).sum(axis=(1, 2))
        return np.stack([sums / lengths, lengths.astype(np.float64)], axis=1)


def pipeline(runtime: Loudness | None = None, *, batch_size: int = 4, **fields: object) -> Pipeline:
    specification = Specification(emotions=("anger", "joy"), seconds=1.0, **fields)  # type: ignore[arg-type]
    return Pipeline(specification, runtime or Loudness(), batch_size=batch_size)


def level(value: float, seconds: float) -> Audio:
    return Audio(np.full((1, round(seconds * RATE)), value, np.float32), RATE, RATE)


def logits(found: WindowLogits | SerError) -> list[float]:
    assert isinstance(found, WindowLogits)
    return found.logits.tolist()


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_clips_come_out_in_order_whatever_the_batch_and_the_workers(
    workers: int, batch_size: int
) -> None:
    lengths = [0.5, 4.0, 1.0, 0.7, 2.5]
    clips = [level(float(place), seconds) for place, seconds in enumerate(lengths)]
    found = list(
        pipeline(batch_size=batch_size).run(
            range(5), lambda place: clips[place], detect=lambda _, clip: SPOKEN, workers=workers
        )
    )
    assert [place for place, _ in found] == [0, 1, 2, 3, 4]
    for place, one in found:
        assert logits(one)[0] == pytest.approx(place)


def test_windows_of_several_clips_share_a_batch() -> None:
    runtime = Loudness()
    clips = [level(0.1, 1.0)] * 6
    list(pipeline(runtime).run(clips, lambda clip: clip, detect=lambda _, clip: SPOKEN))
    assert runtime.batches == [4, 2]


def test_a_bad_clip_takes_its_turn_and_the_rest_go_on() -> None:
    def read(place: int) -> Audio:
        if place == 1:
            raise AudioError("torn")
        return level(0.5, 1.0)

    found = list(pipeline().run(range(3), read, detect=lambda _, clip: SPOKEN, workers=2))
    assert isinstance(found[1][1], AudioError)
    assert logits(found[0][1]) == logits(found[2][1])


def test_sources_are_taken_only_a_little_ahead() -> None:
    taken: list[int] = []

    def sources() -> Iterator[int]:
        for place in range(1000):
            taken.append(place)
            yield place

    found = pipeline(batch_size=4).run(
        sources(), lambda place: level(0.1, 1.0), detect=lambda _, clip: SPOKEN, workers=2
    )
    next(found)
    assert len(taken) < 20
    found.close()
    assert len(taken) < 20


def test_an_error_that_is_none_of_ours_is_raised() -> None:
    def read(place: int) -> Audio:
        raise ZeroDivisionError

    for workers in (0, 2):
        with pytest.raises(ZeroDivisionError):
            list(pipeline().run(range(3), read, workers=workers))


def test_for_a_folder_such_an_error_is_that_clip_s_outcome() -> None:
    def read(place: int) -> Audio:
        if place == 1:
            raise IndexError("0 is out of bounds")
        return level(0.2, 1.0)

    for workers in (0, 2):
        found = [one for _, one in pipeline().run(range(3), read, workers=workers, tolerant=True)]
        assert [isinstance(one, SerError) for one in found] == [False, True, False]
        assert "IndexError: 0 is out of bounds" in str(found[1])


def test_the_network_is_not_asked_about_silence_unless_it_must() -> None:
    runtime = Loudness()
    silence = level(0.0, 3.0)
    ((_, found),) = pipeline(runtime).run([silence], lambda clip: clip)
    assert isinstance(found, WindowLogits)
    assert runtime.batches == []
    assert found.activity.abstention is not None
    assert np.isnan(found.by_window).all()
    ((_, found),) = pipeline(runtime).run([silence], lambda clip: clip, always=True)
    assert isinstance(found, WindowLogits)
    assert np.isfinite(found.by_window).all()


def test_windows_without_speech_are_neither_computed_nor_counted() -> None:
    clip = Audio(
        np.concatenate([np.full(RATE, 0.5), np.zeros(RATE), np.full(RATE, 0.1)])[None].astype(
            np.float32
        ),
        RATE,
        RATE,
    )
    spoken = SpeechActivity(((0.0, 0.9), (2.5, 3.0)))
    ((_, found),) = pipeline().run([clip], lambda one: one, detect=lambda _, one: spoken)
    assert isinstance(found, WindowLogits)
    assert found.plan.judged == (True, True, False, False, True)
    assert np.isnan(found.by_window[2]).all()
    assert found.logits[0] == pytest.approx((0.5 + 0.25 + 0.1) / 3, abs=1e-3)


def test_stereo_is_mixed_for_a_mono_model_and_mono_doubled_for_a_stereo_one() -> None:
    both = Audio(np.stack([np.full(RATE, 0.2), np.full(RATE, 0.6)]).astype(np.float32), RATE, RATE)
    for channels, clip in itertools.product((1, 2), (both, level(0.4, 1.0))):
        chosen = pipeline(input_channels=channels)
        waveform, lengths = chosen.batch([clip.samples])
        assert waveform.shape == (1, channels, RATE)
        assert lengths.tolist() == [RATE]
        assert waveform.mean() == pytest.approx(0.4)


def test_progress_counts_windows() -> None:
    seen: list[tuple[int, int]] = []
    list(
        pipeline(batch_size=2).run(
            [level(0.1, 2.5)],
            lambda clip: clip,
            detect=lambda _, clip: SPOKEN,
            progress=lambda done, known: seen.append((done, known)),
        )
    )
    assert seen == [(2, 4), (4, 4)]


def test_a_batch_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="1 or more"):
        pipeline(batch_size=0)


def test_silent_ends_are_left_out_of_a_trimming_model_alone() -> None:
    speech = SpeechActivity(((2.0, 3.0),))
    whole = plan_windows(5 * RATE, speech, window=RATE, rate=RATE, trim=False)
    judged = [pair for pair, judged in zip(whole.bounds, whole.judged, strict=True) if judged]
    assert judged == [(int(s * RATE), int((s + 1) * RATE)) for s in (1.5, 2.0, 2.5)]
    trimmed = plan_windows(5 * RATE, speech, window=RATE, rate=RATE, trim=True)
    assert trimmed.bounds[0][0] == round(1.9 * RATE)
    assert trimmed.bounds[-1][1] == round(3.1 * RATE)


def test_a_little_speech_in_a_long_clip_is_judged_by_its_best_window() -> None:
    speech = SpeechActivity(((2.0, 2.1),))
    plan = plan_windows(5 * RATE, speech, window=RATE, rate=RATE, trim=False)
    assert sum(plan.judged) == 1
    assert plan.speech[plan.judged.index(True)] == pytest.approx(0.1)


def test_why_there_is_no_answer_has_a_reason_and_a_sentence(repository: Path) -> None:
    silent = detect_speech(level(0.0, 1.0)).abstention
    short = detect_speech(level(0.1, 0.05)).abstention
    tone = 0.3 * np.sin(np.arange(2 * RATE, dtype=np.float32) * 0.1)[None]
    wordless = detect_speech(Audio(tone, RATE, RATE)).abstention
    assert silent is not None
    assert short is not None
    assert wordless is not None
    assert [one.reason for one in (silent, short, wordless)] == [SILENT, SILENT, NO_SPEECH]
    assert "silent" in silent.message
    assert "too short" in short.message
    assert "No speech" in wordless.message
    assert detect_speech(load(repository / "examples" / "2_lively.flac")).abstention is None


@given(st.integers(1, 5000), st.integers(1, 500), st.integers(1, 500))
def test_windows_cover_the_clip_and_stay_inside(samples: int, window: int, hop: int) -> None:
    starts = window_starts(samples, window, min(hop, window))
    assert starts[0] == 0
    assert starts[-1] + window >= samples
    assert all(start + window <= samples for start in starts) or starts == [0]
    assert all(b - a <= window for a, b in itertools.pairwise(starts))

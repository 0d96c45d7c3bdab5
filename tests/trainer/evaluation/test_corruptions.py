"""Conditions do to a clip what they say, samples stand for all, and made sounds are no speech."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ser_core.audio import Audio
from ser_core.corpora.clip import Clip
from ser_core.inference.windows import detect_speech
from trainer.errors import DataError
from trainer.evaluation.corruptions import CLEAN, CONDITIONS, stratified
from trainer.evaluation.non_speech import AS_IT_IS, KINDS, LEVELS, RATE, sounds

BY_NAME = {corruption.name: corruption for corruption in CONDITIONS}


def clip(number: int, corpus: str = "a", emotion: str = "joy") -> Clip:
    return Clip(Path(f"{number}.wav"), corpus, str(number), emotion)


@pytest.mark.parametrize("distance", [20, 10, 5])
def test_noise_is_as_far_below_the_voice_as_it_says(distance: int) -> None:
    voice = 0.1 * np.sin(np.arange(2 * RATE) * 0.3).astype(np.float32)[None]
    changed = BY_NAME[f"noise {distance} dB"].change(clip(1), voice, RATE)
    noise = changed - voice
    measured = 10 * np.log10(np.mean(voice**2) / np.mean(noise**2))
    assert measured == pytest.approx(distance, abs=0.5)


def test_quiet_is_thirty_decibels_and_clean_is_untouched() -> None:
    voice = np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32)
    quiet = BY_NAME["quiet -30 dB"].change(clip(1), voice, RATE)
    assert 20 * np.log10(np.std(voice) / np.std(quiet)) == pytest.approx(30, abs=0.01)
    assert CLEAN.change(clip(1), voice, RATE) is voice


def test_a_telephone_keeps_the_middle_of_the_voice() -> None:
    time = np.arange(2 * RATE) / RATE

    def left(pitch: float) -> float:
        tone = np.sin(2 * np.pi * pitch * time).astype(np.float32)[None]
        changed = BY_NAME["telephone band"].change(clip(1), tone, RATE)
        return float(np.std(changed[:, RATE // 2 : -RATE // 2]) / np.std(tone))

    assert left(1000) > 0.9
    assert left(60) < 0.1
    assert left(6000) < 0.01


def test_what_is_drawn_belongs_to_the_clip_alone() -> None:
    voice = np.full((1, RATE), 0.1, np.float32)
    noise = BY_NAME["noise 10 dB"]
    once = noise.change(clip(1), voice, RATE)
    noise.change(clip(2), voice, RATE)
    assert (noise.change(clip(1), voice, RATE) == once).all()
    assert (noise.change(clip(2), voice, RATE) != once).any()


def test_a_sample_keeps_every_corpus_and_emotion_in_its_share() -> None:
    clips = [clip(i, "large", "joy" if i % 2 else "fear") for i in range(80)]
    clips += [clip(i, "small", "joy") for i in range(18)] + [clip(0, "small", "calm")]
    chosen = stratified(clips, 50, seed=1)
    assert chosen == stratified(clips, 50, seed=1)
    assert chosen != stratified(clips, 50, seed=2)
    assert chosen == [c for c in clips if c in chosen]
    counts = Counter((c.corpus, c.emotion) for c in chosen)
    assert counts[("large", "joy")] == counts[("large", "fear")] == 20
    assert counts[("small", "joy")] == 9
    assert counts[("small", "calm")] == 1
    assert stratified(clips, 0, seed=1) == clips
    with pytest.raises(DataError, match="0 for all"):
        stratified(clips, -1, seed=1)


def test_made_sounds_are_the_same_again_and_within_their_levels() -> None:
    one, two = (list(sounds(2, seed=5)) for _ in range(2))
    assert {sound.kind for sound in one} == set(KINDS)
    for a, b in zip(one, two, strict=True):
        assert (a.samples == b.samples).all()
        assert a.samples.dtype == np.float32
        assert RATE <= a.samples.shape[1] <= 6 * RATE
        if a.kind not in AS_IT_IS:
            peak = 20 * np.log10(np.abs(a.samples).max())
            assert LEVELS[0] - 0.01 <= peak <= LEVELS[1] + 0.01
    assert (next(sounds(1, seed=6)).samples == 0).all()


def test_most_made_sounds_get_no_answer_whatever_the_model() -> None:
    made = list(sounds(1, seed=3))
    assert all(np.isfinite(sound.samples).all() for sound in made)
    clips = {sound.kind: Audio(sound.samples, RATE, RATE) for sound in made}
    silent = {kind for kind, clip in clips.items() if detect_speech(clip).abstention}
    assert {"digital silence", "last bits", "white noise", "clicks"} <= silent

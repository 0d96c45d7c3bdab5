"""What a batch shows of its clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from ser_core import audio
from ser_core.corpora.clip import Clip
from ser_core.checkpoints.specification import Specification
from trainer.data.batches import Example, training_batches
from trainer.data.decoded import DecodedClips
from trainer.settings import Settings

RATE = 16_000


def prepared(folder: Path, lengths: list[float]) -> tuple[list[Example], DecodedClips]:
    rng = np.random.default_rng(0)
    decoded = DecodedClips(folder / "cache")
    clips = []
    for number, seconds in enumerate(lengths):
        path = folder / f"{number}.wav"
        soundfile.write(path, 0.1 * rng.standard_normal(round(seconds * RATE)), RATE)
        clips.append(Clip(path, "x", path.stem, "joy" if number % 2 else "anger"))
    digests, _ = decoded.prepare(clips)
    return [
        Example(clip, digests[clip.path], (1.0, 0.0) if clip.emotion == "anger" else (0.0, 1.0))
        for clip in clips
    ], decoded


def test_a_batch_shows_one_length_and_shapes_are_few(tmp_path: Path) -> None:
    items, decoded = prepared(tmp_path, [2.0, 0.6, 1.7, 2.4] * 12)
    specification = Specification(emotions=("anger", "joy"), seconds=2.0)
    settings = Settings(
        seconds=2.0, crop_seconds=(0.5, 1.3), batch_size=4, workers=0, balance="none"
    )
    seen = set()
    for epoch in (0, 1):
        for batch in training_batches(items, decoded, specification, settings, epoch=epoch):
            shown = batch.waveform.shape[2]
            seen.add(shown / RATE)
            assert int(batch.lengths.max()) <= shown
            for samples, length in zip(batch.waveform, batch.lengths, strict=True):
                assert not samples[:, int(length) :].any()
                assert int(length) in (shown, round(0.6 * RATE))
    assert seen == {0.5, 0.75, 1.0, 1.25}

    def draw() -> list[np.ndarray]:
        found = training_batches(items, decoded, specification, settings, epoch=3)
        return [batch.waveform.numpy() for batch in found]

    assert all(np.array_equal(a, b) for a, b in zip(draw(), draw(), strict=True))


def test_a_short_clip_begins_again_where_asked(tmp_path: Path) -> None:
    items, decoded = prepared(tmp_path, [0.4] * 8)
    specification = Specification(emotions=("anger", "joy"), seconds=2.0)
    for fill in ("repeat", "silence"):
        settings = Settings(
            seconds=2.0,
            crop_seconds=(1.0, 1.0),
            batch_size=4,
            workers=0,
            balance="none",
            short_clips=fill,
        )
        for batch in training_batches(items, decoded, specification, settings, epoch=0):
            clip = round(0.4 * RATE)
            first, second = batch.waveform[:, :, :clip], batch.waveform[:, :, clip : 2 * clip]
            if fill == "repeat":
                assert batch.lengths.tolist() == [RATE] * 4
                assert first.equal(second)
            else:
                assert batch.lengths.tolist() == [clip] * 4
                assert not second.any()


def test_clips_are_kept_without_their_silent_ends(tmp_path: Path) -> None:
    folder = Path(__file__).resolve().parents[3] / "examples"
    spoken = audio.mono(audio.load(folder / "2_lively.flac").samples)[0][:RATE]
    quiet = np.zeros(2 * RATE, np.float32)
    path = tmp_path / "a.wav"
    soundfile.write(path, np.concatenate([quiet, spoken, quiet]), RATE)
    clip = Clip(path, "x", "a", "joy")
    for trim, low, high in ((False, 5.0, 5.0), (True, 0.7, 1.5)):
        decoded = DecodedClips(tmp_path / "cache", trim=trim)
        digests, problems = decoded.prepare([clip])
        assert problems == []
        assert low <= decoded.samples(digests[path]).shape[1] / RATE <= high

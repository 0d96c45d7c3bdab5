"""Monte-Carlo dropout: seeded, spread by dropout alone, beside the usual prediction."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from label_store.scores import bald
from ser_core.audio import Audio, load
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.errors import SpecificationError
from ser_core.inference.monte_carlo_dropout import (
    PASSES,
    dropout_samples,
    information,
    predict_with_dropout,
)
from ser_core.inference.recognizer import Recognizer

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"


def recognizer(folder: Path, dropout: float = 0.3, seconds: float = 1.0) -> Recognizer:
    torch.manual_seed(0)
    made = Specification(
        frontend_parameters={"n_mels": 32, "n_fft": 1024, "hop_length": 512},
        backbone="cnn",
        backbone_parameters={"dropout": dropout},
        emotions=("anger", "joy", "neutral", "sadness"),
        seconds=seconds,
        name="tiny",
        version="tiny-1",
    )
    checkpoint.save(folder / "m", build(made).eval(), made, Calibration(temperature=0.5), {}, "A.")
    return Recognizer(folder / "m", "cpu")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Recognizer:
    return recognizer(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def speech() -> Audio:
    clip = load(EXAMPLES / "2_lively.flac")
    return Audio(clip.samples[:, : 2 * clip.sample_rate], clip.sample_rate, clip.source_rate)


def test_the_same_seed_gives_the_same_samples_beside_the_usual_prediction(
    tiny: Recognizer, speech: Audio
) -> None:
    first = predict_with_dropout(tiny, speech, np.random.default_rng(1))
    again = predict_with_dropout(tiny, speech, np.random.default_rng(1))
    other = predict_with_dropout(tiny, speech, np.random.default_rng(2))
    assert first.samples is not None
    assert first.samples.shape == (PASSES, 4)
    assert np.array_equal(first.samples, again.samples)
    assert not np.array_equal(first.samples, other.samples)
    usual = tiny.predict(speech).probabilities
    assert first.prediction.probabilities == pytest.approx(usual, abs=1e-5)
    assert first.samples.sum(axis=1) == pytest.approx(1.0)


def test_the_samples_lie_around_the_prediction(tiny: Recognizer, speech: Audio) -> None:
    found = predict_with_dropout(tiny, speech, np.random.default_rng(0), passes=4000)
    assert found.samples is not None
    logits = np.log(found.samples)
    logits -= logits.mean(axis=1, keepdims=True)
    usual = np.log(list(found.prediction.probabilities.values()))
    usual -= usual.mean()
    spread = logits.std(axis=0)
    assert (spread > 0).all()
    assert (np.abs(logits.mean(axis=0) - usual) < 5 * spread / np.sqrt(4000) + 1e-4).all()


def test_without_dropout_all_samples_are_the_prediction(tmp_path: Path, speech: Audio) -> None:
    found = predict_with_dropout(
        recognizer(tmp_path, dropout=0.0), speech, np.random.default_rng(0)
    )
    assert found.samples is not None
    usual = list(found.prediction.probabilities.values())
    assert np.allclose(found.samples, usual, atol=1e-5)
    assert information(found.samples) == pytest.approx(0.0, abs=1e-9)


def test_more_dropout_differs_more(tmp_path: Path, speech: Audio) -> None:
    found = []
    for rate in (0.05, 0.6):
        model = recognizer(tmp_path / str(rate), dropout=rate)
        drawn = predict_with_dropout(model, speech, np.random.default_rng(0)).samples
        assert drawn is not None
        found.append(information(drawn))
    assert found[0] < found[1]


def test_silence_has_no_samples(tiny: Recognizer) -> None:
    quiet = Audio(np.zeros((1, 16_000), np.float32), 16_000, 16_000)
    found = predict_with_dropout(tiny, quiet, np.random.default_rng(0))
    assert found.prediction.emotion is None
    assert found.samples is None


def test_one_pass_cannot_differ(tiny: Recognizer, speech: Audio) -> None:
    with pytest.raises(SpecificationError, match="2 or more"):
        predict_with_dropout(tiny, speech, np.random.default_rng(0), passes=1)


def test_two_threads_do_not_mix(tiny: Recognizer, speech: Audio) -> None:
    rate = speech.sample_rate
    half = Audio(speech.samples[:, :rate], rate, rate)
    clips = [speech, half] * 4

    def spread(clip: Audio) -> float:
        found = predict_with_dropout(tiny, clip, np.random.default_rng(0)).samples
        assert found is not None
        return information(found)

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(spread, clips))
    assert together == pytest.approx([spread(clip) for clip in clips])


def test_the_score_is_the_stores_own(tiny: Recognizer) -> None:
    rng = np.random.default_rng(3)
    drawn = dropout_samples(tiny, rng.normal(size=(2, tiny.model.backbone.width)), rng)
    assert information(drawn) == pytest.approx(float(bald(drawn[None])[0]))

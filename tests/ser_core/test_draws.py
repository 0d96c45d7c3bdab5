"""Draws: seeded, spread by dropout alone, and the prediction beside them is the usual one."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from label_store.scores import bald
from ser_core import checkpoint
from ser_core.audio import Audio, from_array, load
from ser_core.calibration import Calibration
from ser_core.draws import PASSES, _tapped, draw, information, judge
from ser_core.errors import SpecificationError
from ser_core.model import build
from ser_core.recognizer import Recognizer
from ser_core.specification import Specification

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


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
    return from_array(clip.samples[:, : 2 * clip.sample_rate], clip.sample_rate)


def test_the_same_seed_draws_the_same_and_the_prediction_is_the_usual_one(
    tiny: Recognizer, speech: Audio
) -> None:
    first = judge(tiny, speech, np.random.default_rng(1))
    again = judge(tiny, speech, np.random.default_rng(1))
    other = judge(tiny, speech, np.random.default_rng(2))
    assert first.draws is not None
    assert first.draws.shape == (PASSES, 4)
    assert np.array_equal(first.draws, again.draws)
    assert not np.array_equal(first.draws, other.draws)
    assert first.prediction.probabilities == tiny.predict(speech).probabilities
    assert first.draws.sum(axis=1) == pytest.approx(1.0)


def test_the_draws_lie_around_the_prediction(tiny: Recognizer, speech: Audio) -> None:
    found = judge(tiny, speech, np.random.default_rng(0), passes=4000)
    assert found.draws is not None
    logits = np.log(found.draws)
    logits -= logits.mean(axis=1, keepdims=True)
    usual = np.log(list(found.prediction.probabilities.values()))
    usual -= usual.mean()
    spread = logits.std(axis=0)
    assert (spread > 0).all()
    assert (np.abs(logits.mean(axis=0) - usual) < 5 * spread / np.sqrt(4000) + 1e-4).all()


def test_without_dropout_all_draws_are_the_prediction(tmp_path: Path, speech: Audio) -> None:
    found = judge(recognizer(tmp_path, dropout=0.0), speech, np.random.default_rng(0))
    assert found.draws is not None
    usual = list(found.prediction.probabilities.values())
    assert np.allclose(found.draws, usual, atol=1e-5)
    assert information(found.draws) == pytest.approx(0.0, abs=1e-9)


def test_more_dropout_differs_more(tmp_path: Path, speech: Audio) -> None:
    found = []
    for rate in (0.05, 0.6):
        model = recognizer(tmp_path / str(rate), dropout=rate)
        drawn = judge(model, speech, np.random.default_rng(0)).draws
        assert drawn is not None
        found.append(information(drawn))
    assert found[0] < found[1]


def test_silence_has_no_draws(tiny: Recognizer) -> None:
    quiet = from_array(np.zeros((1, 16_000), np.float32), 16_000)
    found = judge(tiny, quiet, np.random.default_rng(0))
    assert found.prediction.emotion is None
    assert found.draws is None


def test_one_draw_cannot_differ(tiny: Recognizer, speech: Audio) -> None:
    with pytest.raises(SpecificationError, match="2 or more"):
        judge(tiny, speech, np.random.default_rng(0), passes=1)


def test_what_other_threads_ask_is_not_seen(tiny: Recognizer, speech: Audio) -> None:
    with _tapped(tiny) as held:
        other = threading.Thread(target=tiny.predict, args=(speech,))
        other.start()
        other.join()
        assert held == []
        tiny.predict(speech)
        rows = sum(len(one) for one in held)
    assert rows >= 2
    tiny.predict(speech)
    assert sum(len(one) for one in held) == rows


def test_the_score_is_the_stores_own(tiny: Recognizer) -> None:
    rng = np.random.default_rng(3)
    drawn = draw(tiny, rng.normal(size=(2, tiny.model.backbone.width)), rng)
    assert information(drawn) == pytest.approx(float(bald(drawn[None])[0]))

"""The trainer's predictions are the page's, and what was predicted once is remembered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core.audio import Audio, load
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.inference.abstention import AMBIGUOUS, NO_SPEECH, SILENT, UNFAMILIAR
from ser_core.inference.recognizer import Recognizer
from trainer.data.decoded import DecodedClips
from trainer.data.prepare import read_corpora
from trainer.evaluation.cached_predictions import CachedInference
from trainer.evaluation.corruptions import CLEAN, CONDITIONS
from trainer.evaluation.inference import clip_logits
from trainer.evaluation.predictions import abstentions
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks

RATE = 16_000
Make = Callable[..., Recognizer]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A small model with drawn weights."""

    def make(name: str = "model", seed: int = 0, temperature: float = 1.0) -> Recognizer:
        torch.manual_seed(seed)
        specification = Specification(
            backbone="cnn",
            frontend_parameters={"n_mels": 32, "hop_length": 512},
            emotions=("anger", "joy", "sadness"),
            seconds=1.0,
            trim_silence=True,
        )
        calibrated = Calibration(temperature=temperature, entropy_limit=1.0)
        model = build(specification)
        checkpoint.save(tmp_path / name, model, specification, calibrated, {}, "card")
        return Recognizer(tmp_path / name, "cpu")

    return make


def test_probabilities_and_abstentions_are_those_of_the_page(make: Make, repository: Path) -> None:
    model = make()
    voices = [load(path).samples for path in sorted((repository / "examples").glob("*.flac"))[:2]]
    voices = [voice[:, : 3 * RATE] for voice in voices]
    gap = np.zeros((1, 2 * RATE), np.float32)
    clips = [
        np.concatenate([gap, voices[0], gap], axis=1),
        np.concatenate([voices[0], gap, voices[1]], axis=1),
        gap,
        0.3 * np.sin(np.arange(2 * RATE, dtype=np.float32) * 0.1)[None],
    ]
    found = clip_logits(model.pipeline(), len(clips), lambda index: clips[index], workers=0)
    assert found.abstained == ("", "", SILENT, NO_SPEECH)
    assert np.isfinite(found.logits).all()
    chances = model.calibration.probabilities(found.logits)
    for place in (0, 1):
        answer = model.predict(Audio(clips[place], RATE, RATE))
        assert answer.abstained is None
        assert chances[place] == pytest.approx(list(answer.probabilities.values()), abs=1e-4)
    alone = clip_logits(model.pipeline(), 1, lambda index: clips[1], workers=2)
    assert alone.logits[0] == pytest.approx(found.logits[1], abs=1e-4)


def test_what_no_model_can_answer_comes_before_the_models_own_reasons() -> None:
    calibrated = Calibration(entropy_limit=0.5, energy_limit=0.0)
    logits = np.array([[9.0, 0.0], [0.1, 0.0], [-9.0, -9.0], [9.0, 0.0]])
    reasons = abstentions(calibrated, logits, ("", "", "", SILENT))
    assert reasons == ("", AMBIGUOUS, UNFAMILIAR, SILENT)


def inference(model: Recognizer, tmp_path: Path, lines: list[str]) -> CachedInference:
    decoded = DecodedClips(tmp_path / "decoded")
    return CachedInference(model, tmp_path / "memory", decoded, "fp32", workers=0, log=lines.append)


def test_a_set_is_predicted_once_for_the_same_weights_and_condition(
    make: Make, tiny_corpora: Path, tmp_path: Path
) -> None:
    clips = read_corpora(Settings(corpora=str(tiny_corpora)))[0][:6]
    lines: list[str] = []
    model = make("one")
    first = inference(model, tmp_path, lines).clips(clips)
    again = inference(make("one", temperature=2.0), tmp_path, lines).clips(clips)
    assert len(lines) == 1
    assert (first.outcomes.raw == again.outcomes.raw).all()
    assert not np.allclose(first.outcomes.probabilities, again.outcomes.probabilities)
    inference(make("two", seed=1), tmp_path, lines).clips(clips)
    noisy = inference(model, tmp_path, lines).clips(clips, CONDITIONS[3])
    assert len(lines) == 3
    assert noisy.outcomes.key == first.outcomes.key
    assert not np.allclose(noisy.outcomes.raw, first.outcomes.raw)
    inference(model, tmp_path, lines).clips(clips[:3], CLEAN)
    assert len(lines) == 4


def test_emotions_that_the_model_lacks_and_broken_files_are_counted(
    make: Make, tiny_corpora: Path, tmp_path: Path
) -> None:
    import dataclasses

    clips = list(read_corpora(Settings(corpora=str(tiny_corpora)))[0][:4])
    clips[0] = dataclasses.replace(clips[0], emotion="boredom")
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF nothing")
    clips[1] = dataclasses.replace(clips[1], path=broken)
    found = inference(make(), tmp_path, []).clips(clips)
    assert len(found.outcomes) == 2
    assert len(found.left_out) == 2
    assert any("boredom" in item.reason for item in found.left_out)


def test_the_probe_of_a_budget_tells_a_rate(tiny_settings: Settings, tmp_path: Path) -> None:
    from trainer.data.prepare import prepare
    from trainer.training.budget import measure_pace, within

    prepared = prepare(tiny_settings, tmp_path)
    pace = measure_pace(tiny_settings, prepared, seconds=0.1)
    assert pace.clips_per_second > 0
    assert pace.validation_seconds > 0
    planned = within(tiny_settings, pace, 10)
    assert planned.epochs == tiny_settings.epochs
    assert planned.epoch_clips % tiny_settings.batch_size == 0


def test_a_row_is_trained_once_and_the_test_speakers_stay_shut_until_asked(
    tiny_settings: Settings, tmp_path: Path
) -> None:
    from trainer.experiments.study import Study, Variant, table

    lines: list[str] = []

    def study() -> Study:
        return Study(tmp_path / "rows", tmp_path / "cache", tmp_path / "memory", log=lines.append)

    entry = Variant("cnn, plain", tiny_settings)
    shut = study().row(entry)
    assert shut.test == {}
    assert set(shut.validation) == {"cremad"}
    assert shut.clips_seen > 0
    trained = sum("training," in line for line in lines)
    opened = study().row(entry, test=True)
    assert set(opened.test) == {"cremad"}
    assert opened.validation == shut.validation
    assert study().row(entry) == opened
    assert sum("training," in line for line in lines) == trained == 1
    shown = table("t", [opened])
    assert shown.columns[-1] == "test cremad"
    assert Callbacks().log is print

"""The same clip gets the same answer, whoever asks: the page, the command line, the trainer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from ser_core.audio import Audio, load, to_wav_bytes
from ser_core.augment import Chain
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.corpora.clip import Clip
from ser_core.inference.abstention import NO_SPEECH, SILENT
from ser_core.inference.explain import view
from ser_core.inference.monte_carlo_dropout import predict_with_dropout
from ser_core.inference.prediction import Prediction
from ser_core.inference.recognizer import Recognizer
from trainer.data.batches import Example
from trainer.data.decoded import DecodedClips
from trainer.evaluation.cached_predictions import CachedInference
from trainer.evaluation.inference import clip_logits, predict_examples
from trainer.evaluation.predictions import Predictions
from ui.augment.session import judge
from ui.robustness.session import predictions_of

ROOT = Path(__file__).resolve().parent.parent
RATE = 16_000
EMOTIONS = ("anger", "joy", "neutral", "sadness")
SECONDS = 1.0


def made() -> dict[str, np.ndarray]:
    """Return clips by name: real and made, short and long, silent, stereo."""
    real = [load(path).samples for path in sorted((ROOT / "examples").glob("*.flac"))]
    gap = np.zeros((1, RATE), np.float32)
    time = np.arange(2 * RATE) / RATE
    tone = (0.2 * np.sin(2 * np.pi * 220 * time))[None].astype(np.float32)
    noise = 0.05 * np.random.default_rng(0).standard_normal((1, RATE)).astype(np.float32)
    clips = {f"example {place}": one for place, one in enumerate(real, 1)}
    clips |= {
        "short": real[1][:, RATE // 2 : RATE // 2 + 8000],
        "a blink": real[1][:, :3000],
        "silent ends": np.concatenate([gap, gap, real[1][:, : 2 * RATE], gap], axis=1),
        "long with pauses": np.concatenate([real[0], gap, gap, gap, real[3], gap, real[4]], axis=1),
        "silence": gap,
        "tone": tone,
        "noise": noise,
        "stereo": np.concatenate([real[1], 0.3 * np.roll(real[1], 900)]),
    }
    return clips


CLIPS = made()
Ask = Callable[[Recognizer, Audio, Path], Any]


@pytest.fixture(scope="module", params=[False, True], ids=["whole", "trimmed"])
def recognizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A small model with drawn weights that leaves silent ends as they are, or out."""
    torch.manual_seed(4)
    specification = Specification(
        backbone="cnn",
        backbone_parameters={"dropout": 0.3},
        frontend_parameters={"n_mels": 32, "hop_length": 512},
        emotions=EMOTIONS,
        seconds=SECONDS,
        trim_silence=request.param,
        name="small",
        version="small-1",
    )
    calibrated = Calibration(
        temperature=0.02, conformal_threshold=0.7, entropy_limit=0.6, energy_limit=-10.0
    )
    folder = tmp_path_factory.mktemp("model") / "small-1"
    checkpoint.save(folder, build(specification).eval(), specification, calibrated, {}, "A card.")
    return Recognizer(folder, "cpu")


def clip_of(name: str) -> Audio:
    """Return a clip as a file of 16 bits holds it, so that a decoder changes nothing."""
    return load(to_wav_bytes(CLIPS[name], RATE), name=f"{name}.wav")


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer says of a clip, without where it came from."""
    kept = ("emotion", "confidence", "probabilities", "entropy", "unsure", "conformal_set")
    return {key: answer[key] for key in (*kept, "windows", "summary")}


def same(one: dict[str, Any], other: dict[str, Any], within: float = 2e-5) -> None:
    """Assert that two answers agree, numbers within a little arithmetic."""
    assert one["emotion"] == other["emotion"]
    assert one["unsure"] == other["unsure"]
    assert one["conformal_set"] == other["conformal_set"]
    for key in ("confidence", "entropy"):
        assert one[key] == pytest.approx(other[key], abs=within)
    assert one["probabilities"] == pytest.approx(other["probabilities"], abs=within)
    assert len(one["windows"]) == len(other["windows"])
    for a, b in zip(one["windows"], other["windows"], strict=True):
        assert (a["start"], a["end"], a["emotion"]) == (b["start"], b["end"], b["emotion"])
        assert a["probabilities"] == pytest.approx(b["probabilities"], abs=within)
    assert (one["summary"] is None) == (other["summary"] is None)


def drawn(recipe: list[dict[str, Any]], clip: Audio) -> Any:
    return Chain.from_json(recipe).draw(np.random.default_rng(0), clip.samples, RATE)


def augmented(recognizer: Recognizer, clip: Audio, recipe: list[dict[str, Any]]) -> dict[str, Any]:
    return judge(recognizer, clip, clip.samples, drawn(recipe, clip))


def in_memory(recognizer: Recognizer, clip: Audio, folder: Path) -> dict[str, Any]:
    return recognizer.predict(to_wav_bytes(clip.samples, RATE), name=clip.name).to_json()


def on_disk(recognizer: Recognizer, clip: Audio, folder: Path) -> dict[str, Any]:
    path = folder / "clip.wav"
    path.write_bytes(to_wav_bytes(clip.samples, RATE))
    return recognizer.predict(path).to_json()


def among_others(recognizer: Recognizer, clip: Audio, folder: Path) -> dict[str, Any]:
    others = [clip_of(name) for name in ("example 3", "silence", "short")]
    clips = [others[0], clip, *others[1:], b"no sound", clip]
    found = list(recognizer.predict_many(clips, workers=2, batch_size=5))
    assert isinstance(found[1], Prediction)
    assert isinstance(found[5], Prediction)
    same(found[1].to_json(), found[5].to_json())
    return found[1].to_json()


def one_by_one(recognizer: Recognizer, clip: Audio, folder: Path) -> dict[str, Any]:
    (found,) = recognizer.predict_many([clip], workers=0, batch_size=1)
    assert isinstance(found, Prediction)
    return found.to_json()


PATHS: dict[str, Ask] = {
    "its bytes": in_memory,
    "its file": on_disk,
    "a folder, in batches": among_others,
    "a folder, window by window": one_by_one,
    "Augment without an effect": lambda model, clip, _: augmented(model, clip, []),
    "Augment with masks of no width": lambda model, clip, _: augmented(
        model, clip, [{"name": "time_mask", "width": 0.0}, {"name": "frequency_mask", "width": 0.0}]
    ),
    "Robustness": lambda model, clip, _: predictions_of(model, [clip.samples], RATE)[0].to_json(),
    "background scoring": lambda model, clip, _: predict_with_dropout(
        model, clip, np.random.default_rng(0)
    ).prediction.to_json(),
}


@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("path", PATHS)
def test_every_path_of_the_page_gives_the_answer_of_predict(
    path: str, name: str, recognizer: Recognizer, tmp_path: Path
) -> None:
    clip = clip_of(name)
    expected = recognizer.predict(clip).to_json()
    same(plain(PATHS[path](recognizer, clip, tmp_path)), plain(expected))


@pytest.mark.parametrize("name", CLIPS)
def test_the_trainer_scores_what_the_page_answers(
    name: str, recognizer: Recognizer, tmp_path: Path
) -> None:
    clip = clip_of(name)
    answer = recognizer.predict(clip)
    path = tmp_path / "clip.wav"
    soundfile.write(path, clip.samples.T, RATE, subtype="PCM_16")
    labelled = Clip(path, "made", name, "joy", speaker="ada")
    decoded = DecodedClips(tmp_path / "cache", RATE)
    digests, problems = decoded.prepare([labelled])
    if problems:  # nothing to evaluate, and nothing to answer at the page either
        assert answer.emotion is None
        return
    direct = clip_logits(recognizer.pipeline(), 1, lambda _: clip.samples)
    trimmed = DecodedClips(tmp_path / "cache", RATE, trim=True)
    trimmed.prepare([labelled])
    item = Example(labelled, digests[path], (0.0, 1.0, 0.0, 0.0))
    calibrated = recognizer.calibration
    remembered = CachedInference(recognizer, tmp_path / "memory", decoded, "fp32")
    found = [
        predict_examples(recognizer.pipeline(), calibrated, [item], held)
        for held in (decoded, trimmed)
    ]
    found += [remembered.clips([labelled]), remembered.clips([labelled])]
    # The trainer keeps mono copies of 16 bits, the mixture of two channels rounded once more.
    within = 2e-5 if clip.samples.shape[0] == 1 else 2e-3
    for one in found:
        agrees(one, answer, within)
        assert one.logits is not None
        assert one.logits[0] == pytest.approx(direct.logits[0], abs=within)


def agrees(found: Predictions, answer: Prediction, within: float) -> None:
    (reason,) = found.abstained
    assert (reason == "") == (answer.abstained is None)
    if answer.emotion is None:  # no answer at the page; scored all the same
        assert reason in (SILENT, NO_SPEECH)
        return
    (row,) = found.outcomes.probabilities
    assert row == pytest.approx(list(answer.probabilities.values()), abs=within)
    assert found.sets is not None
    kept = {e for e, inside in zip(EMOTIONS, found.sets[0], strict=True) if inside}
    assert kept == set(answer.conformal_set)


@pytest.mark.parametrize("name", CLIPS)
def test_what_is_explained_are_the_windows_of_the_answer(name: str, recognizer: Recognizer) -> None:
    clip = clip_of(name)
    answer, shown = recognizer.predict(clip), view(recognizer, clip)
    judged = [
        (window.start, window.end)
        for window in answer.windows
        if window.emotion is not None or answer.emotion is None
    ]
    assert list(shown.bounds) == judged


def test_live_answers_as_for_a_clip_of_the_same_window(recognizer: Recognizer) -> None:
    from ui.live.session import LiveSession

    samples = CLIPS["example 2"][:, RATE // 2 : RATE // 2 + round(SECONDS * RATE)]
    answer = recognizer.predict(Audio(samples, RATE, RATE))
    shot = LiveSession(RATE).hear(recognizer, samples[0], RATE, "none")
    shown = shot.moments[-1].probabilities
    assert shown is not None
    assert shown.tolist() == pytest.approx(list(answer.probabilities.values()), abs=1e-5)


def test_a_mask_brings_its_own_uncertainty_and_its_own_set(recognizer: Recognizer) -> None:
    """What is said of a masked clip all follows from the same logits."""
    clip = clip_of("example 2")
    answer = augmented(recognizer, clip, [{"name": "time_mask", "width": 0.5, "count": 3}])
    shares = np.array(list(answer["probabilities"].values()))
    calibrated = recognizer.calibration
    expected = [EMOTIONS[place] for place in calibrated.conformal_set(shares)]
    assert answer["conformal_set"] == expected
    nats = -(shares * np.log(np.maximum(shares, 1e-12))).sum()
    assert answer["entropy"] == pytest.approx(nats / np.log(4), abs=1e-4)
    assert answer["confidence"] == pytest.approx(shares.max(), abs=1e-6)
    unmasked = recognizer.predict(clip).to_json()
    assert answer["probabilities"] != unmasked["probabilities"]
    assert [one["start"] for one in answer["windows"]] == [
        one["start"] for one in unmasked["windows"]
    ]


def test_a_mask_of_no_width_changes_nothing_for_the_shipped_model() -> None:
    shipped = Recognizer(ROOT / "models" / "default", "cpu")
    clip = load(ROOT / "examples" / "2_lively.flac")
    answer = augmented(shipped, clip, [{"name": "time_mask", "width": 0.0}])
    same(plain(answer), plain(shipped.predict(clip).to_json()))


@pytest.mark.slow
def test_the_command_line_gives_the_answer_of_predict(
    recognizer: Recognizer, tmp_path: Path
) -> None:
    for name in ("example 2", "silence", "stereo"):
        (tmp_path / f"{name}.wav").write_bytes(to_wav_bytes(CLIPS[name], RATE))
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SER_")}
    ran = subprocess.run(
        [sys.executable, "-m", "ser_core", "predict", "--json", str(tmp_path)],
        cwd=ROOT,
        env=kept | {"SER_MODEL": str(recognizer.folder), "SER_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(answers) == 3
    for answer in answers:
        same(plain(answer), plain(recognizer.predict(answer["file"]).to_json()), 1e-4)

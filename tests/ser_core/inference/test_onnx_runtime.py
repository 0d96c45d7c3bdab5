"""A model in ONNX Runtime answers as it does in torch, and is found again without torch."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ser_core import audio
from ser_core.backbones import BACKBONES
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration, softmax
from ser_core.checkpoints.model import Model, build
from ser_core.checkpoints.shipped import locate, shipped_models
from ser_core.checkpoints.specification import Specification
from ser_core.frontends import PRESETS
from ser_core.frontends.mel import Mel
from ser_core.inference.onnx_graph import ConvolvedMelFrontEnd, export
from ser_core.inference.onnx_runtime import (
    OnnxRuntime,
    graph_name,
    largest_difference,
    open_runtime,
)
from ser_core.inference.pipeline import Pipeline
from ser_core.inference.torch_runtime import TorchRuntime

SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"base_width": 8},
    "resnet1d": {"base_width": 16, "blocks": [1, 1]},
    "alexnet1d": {"base_width": 8, "hidden": 32},
    "bigru": {"hidden": 16},
    "bilstm": {"hidden": 16},
    "attention": {"size": 32},
    "pooling": {"kind": "attentive"},
}
LARGE = ("resnet50", "resnext50_32x4d", "densenet161")
BACKBONE_CASES = [
    pytest.param(name, marks=[pytest.mark.slow] if name in LARGE else [])
    for name in BACKBONES
    if name != "layer_pooling"  # for the states of an encoder
]


def made(backbone: str = "cnn", **changes: Any) -> tuple[Specification, Model]:
    """A model with random weights whose answers depend on every layer."""
    torch.manual_seed(1)
    specification = Specification(
        frontend_parameters={"n_mels": 64, "n_fft": 1024, "win_length": 800, "hop_length": 400},
        backbone=backbone,
        backbone_parameters=SMALL.get(backbone, {}),
        emotions=("anger", "joy", "neutral", "sadness"),
        seconds=2.0,
        **changes,
    )
    model = build(specification).eval()
    for name, value in model.named_parameters():
        if name.endswith("bn3.weight"):
            torch.nn.init.ones_(value)  # 0 in a fresh residual network, which hides its layers
    return specification, model


def saved(folder: Path, specification: Specification, model: Model) -> Path:
    return checkpoint.save(folder, model, specification, Calibration(), {}, "A small model.")


def sounds(
    rng: np.random.Generator, lengths: tuple[int, ...], channels: int = 1, time: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    waveform = np.zeros((len(lengths), channels, time or max(lengths)), np.float32)
    for row, length in zip(waveform, lengths, strict=True):
        row[:, :length] = 0.1 * rng.standard_normal((channels, length))
    return waveform, np.array(lengths, np.int64)


def test_two_models_are_exported_at_once() -> None:
    models = [made("cnn")[1] for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        graphs = list(pool.map(lambda one: export(one, sample_rate=16000, channels=1), models))
    assert all(graphs)


@pytest.mark.parametrize("backbone", BACKBONE_CASES)
def test_every_backbone_answers_as_in_torch(backbone: str, rng: np.random.Generator) -> None:
    specification, model = made(backbone)
    onnx = OnnxRuntime(export(model, sample_rate=16000, channels=1))
    inside_torch = TorchRuntime(model)
    assert np.ptp(inside_torch(*sounds(rng, (32000, 9000))), axis=0).max() > 1e-3
    for lengths in ((32000,), (9000,), (700,), (32000, 20001, 4000), (5000, 5000), (96000,)):
        waveform, valid = sounds(rng, lengths)
        expected = softmax(inside_torch(waveform, valid))
        np.testing.assert_allclose(softmax(onnx(waveform, valid)), expected, atol=2e-5)
    assert largest_difference(onnx, inside_torch, specification) < 1e-4


def test_two_channels_and_other_normalisations(rng: np.random.Generator) -> None:
    for kind in ("minmax", "zscore_bin", "none"):
        _, model = made("resnet1d", input_channels=2, normalisation={"kind": kind})
        onnx = OnnxRuntime(export(model, sample_rate=16000, channels=2))
        waveform, valid = sounds(rng, (32000, 6000), channels=2)
        expected = softmax(TorchRuntime(model)(waveform, valid))
        np.testing.assert_allclose(softmax(onnx(waveform, valid)), expected, atol=2e-5)


def small_whisper() -> tuple[Specification, Model]:
    """Three layers of a Whisper encoder with random weights, and a head on all their states."""
    config = {
        "model_type": "whisper",
        "num_mel_bins": 80,
        "d_model": 32,
        "encoder_layers": 3,
        "encoder_attention_heads": 4,
        "encoder_ffn_dim": 64,
        "max_source_positions": 150,
    }
    torch.manual_seed(2)
    specification = Specification(
        frontend="encoder",
        frontend_parameters={"config": config, "stack": True, "keep_layers": 2},
        backbone="layer_pooling",
        backbone_parameters={"sizes": [16]},
        normalisation={"kind": "none"},
        emotions=("anger", "joy", "neutral", "sadness"),
        seconds=2.0,
    )
    model = build(specification).eval()
    with torch.no_grad():
        model.backbone.classifier.weight *= 10
    return specification, model


def test_whispers_encoder_answers_as_in_torch(rng: np.random.Generator) -> None:
    specification, model = small_whisper()
    onnx = OnnxRuntime(export(model, sample_rate=16000, channels=1))
    inside_torch = TorchRuntime(model)
    for lengths in ((32000,), (3000,), (200,), (32000, 20001, 4000), (5003, 5003)):
        waveform, valid = sounds(rng, lengths)
        expected = softmax(inside_torch(waveform, valid))
        np.testing.assert_allclose(softmax(onnx(waveform, valid)), expected, atol=5e-5)
    assert largest_difference(onnx, inside_torch, specification) < 1e-4


def test_an_answer_depends_neither_on_padding_nor_on_other_clips(rng: np.random.Generator) -> None:
    _, model = made("attention")
    onnx = OnnxRuntime(export(model, sample_rate=16000, channels=1))
    waveform, valid = sounds(rng, (32000, 12000, 3000))
    together = onnx(waveform, valid)
    for row, (sound, length) in enumerate(zip(waveform, valid, strict=True)):
        alone = onnx(sound[None, :, :length], valid[row : row + 1])
        np.testing.assert_allclose(alone[0], together[row], atol=1e-4)


@pytest.mark.parametrize("preset", [*PRESETS["mel"], "ln", "magnitude", "odd"])
def test_the_spectrogram_inside_is_the_same_to_a_thousandth_of_a_decibel(
    preset: str, repository: Path
) -> None:
    other: dict[str, dict[str, Any]] = {
        "ln": {"log": "ln", "norm": "slaney", "mel_scale": "slaney"},
        "magnitude": {"power": 1, "top_db": None},
        "odd": {"n_fft": 1001, "win_length": 901, "hop_length": 333},
    }
    parameters = PRESETS["mel"].get(preset) or other[preset]
    mel = Mel(sample_rate=16000, input_channels=1, **parameters)
    inside = ConvolvedMelFrontEnd(mel)
    for name in ("1_even", "4_hard"):
        clip = audio.load(repository / "examples" / f"{name}.flac")
        waveform = torch.from_numpy(np.ascontiguousarray(clip.samples[:1, :48000]))[None]
        lengths = torch.tensor([waveform.shape[2]])
        expected, found = mel(waveform, lengths), inside(waveform, lengths)
        assert torch.equal(expected.lengths, found.lengths)
        scale = 10 / math.log(10) if preset == "ln" else 1.0
        # Where there is no floor, float32 itself is rough far below the loudest.
        reach = 80.0 if mel.log == "db" and mel.top_db else 60.0
        counts = expected.values >= expected.values.max() - reach / scale
        assert counts.float().mean() > 0.3
        difference = (expected.values - found.values).abs()[counts] * scale
        assert float(difference.max()) < 1e-3


def test_a_checkpoint_is_exported_once(tmp_path: Path, rng: np.random.Generator) -> None:
    specification, model = made()
    folder, cache = saved(tmp_path / "model", specification, model), tmp_path / "cache"
    read: list[int] = []

    def load() -> Model:
        read.append(1)
        return checkpoint.load(folder).model

    first = open_runtime(folder, specification, load, cache=cache, device="cpu")
    again = open_runtime(folder, specification, load, cache=cache, device="cpu")
    assert (type(first.runtime), type(again.runtime), first.note) == (OnnxRuntime, OnnxRuntime, "")
    assert len(read) == 1
    assert sorted(p.name for p in cache.iterdir()) == [graph_name(folder, specification)]
    assert not list(folder.glob("*.onnx"))
    clip = sounds(rng, (30000,))
    np.testing.assert_array_equal(first.runtime(*clip), again.runtime(*clip))


def test_a_kept_graph_runs_without_torch(tmp_path: Path) -> None:
    specification, model = made()
    folder, cache = saved(tmp_path / "model", specification, model), tmp_path / "cache"
    open_runtime(folder, specification, lambda: model, cache=cache, device="cpu")
    program = f"""
import sys
from pathlib import Path
import numpy as np
from ser_core.checkpoints.specification import Specification
from ser_core.inference.onnx_runtime import open_runtime
folder = Path({str(folder)!r})
specification = Specification.from_json((folder / "specification.json").read_text())
def load(): raise SystemExit("torch was asked for")
found = open_runtime(folder, specification, load, cache={str(cache)!r}, device="cpu")
found.runtime(np.zeros((1, 1, 16000), np.float32), np.array([16000]))
print([name for name in ("torch", "torchaudio", "transformers", "librosa") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_other_weights_are_another_graph(tmp_path: Path) -> None:
    specification, model = made()
    one = graph_name(saved(tmp_path / "one", specification, model), specification)
    with torch.no_grad():
        model.backbone.classifier.bias[0] += 0.5
    two = graph_name(saved(tmp_path / "two", specification, model), specification)
    assert one != two


def test_a_damaged_graph_is_made_again(tmp_path: Path) -> None:
    specification, model = made()
    folder, cache = saved(tmp_path / "model", specification, model), tmp_path / "cache"
    cache.mkdir()
    (cache / graph_name(folder, specification)).write_bytes(b"half of a graph")
    found = open_runtime(folder, specification, lambda: model, cache=cache, device="cpu")
    assert isinstance(found.runtime, OnnxRuntime)
    assert (cache / graph_name(folder, specification)).stat().st_size > 10_000


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path: Path) -> None:
    specification, model = made()
    folder = saved(tmp_path / "model", specification, model)
    (tmp_path / "file").write_text("no folder")
    found = open_runtime(
        folder, specification, lambda: model, cache=tmp_path / "file" / "cache", device="cpu"
    )
    assert isinstance(found.runtime, OnnxRuntime)


def test_a_frontend_without_a_graph_runs_in_torch_and_says_so(tmp_path: Path) -> None:
    torch.manual_seed(0)
    specification = Specification(
        frontend="descriptors",
        frontend_parameters={"mode": "statistics"},
        backbone="pooling",
        normalisation={"kind": "none"},
    )
    model = build(specification).eval()
    folder, cache = saved(tmp_path / "model", specification, model), tmp_path / "cache"
    for _ in range(2):
        found = open_runtime(folder, specification, lambda: model, cache=cache, device="cpu")
        assert isinstance(found.runtime, TorchRuntime)
        assert "descriptors" in found.note
        assert "torch" in found.note
    assert [p.suffix for p in cache.iterdir()] == [".txt"]


def test_a_graph_that_answers_otherwise_is_noticed() -> None:
    specification, model = made()
    right = TorchRuntime(model)
    wrong: Callable[..., Any] = lambda waveform, lengths: right(0.0 * waveform, lengths)  # noqa: E731
    assert largest_difference(right, right, specification) == 0.0
    assert largest_difference(wrong, right, specification) > 1e-4  # type: ignore[arg-type]
    broken: Callable[..., Any] = lambda waveform, lengths: right(waveform, lengths) * np.nan  # noqa: E731
    assert largest_difference(broken, right, specification) == np.inf  # type: ignore[arg-type]


def test_many_threads_get_the_answers_of_one(rng: np.random.Generator) -> None:
    _, model = made("resnet1d")
    onnx = OnnxRuntime(export(model, sample_rate=16000, channels=1))
    clips = [sounds(rng, (int(length),)) for length in rng.integers(2000, 48000, 24)]
    alone = [onnx(*clip) for clip in clips]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda clip: onnx(*clip), clips))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_models())
def test_a_shipped_model_answers_as_in_torch(name: str, repository: Path) -> None:
    held = checkpoint.load(locate(name))
    specification = held.specification
    graph = export(held.model, sample_rate=specification.sample_rate, channels=1)
    onnx, inside_torch = OnnxRuntime(graph), TorchRuntime(held.model)
    clips = []
    for path in sorted((repository / "examples").glob("*.flac")):
        sound = audio.mono(audio.load(path, sample_rate=specification.sample_rate).samples)
        clips += [sound[:, : specification.samples], sound[:, : specification.sample_rate // 3]]
    waveform, lengths = Pipeline(specification, onnx).batch(clips)
    expected = held.calibration.probabilities(inside_torch(waveform, lengths))
    assert np.ptp(expected, axis=0).max() > 0.2  # the clips are told apart
    together = held.calibration.probabilities(onnx(waveform, lengths))
    np.testing.assert_allclose(together, expected, atol=1e-4)
    for place in range(len(clips)):
        one = slice(place, place + 1)
        alone = held.calibration.probabilities(onnx(waveform[one], lengths[one]))
        np.testing.assert_allclose(alone, expected[one], atol=1e-4)


def test_both_models_are_among_the_shipped_ones() -> None:
    assert set(shipped_models()) >= {"default", "encoder"}


def test_every_backbone_is_compared_with_torch() -> None:
    compared = {str(case.values[0]) for case in BACKBONE_CASES} | {"layer_pooling"}
    assert compared == set(BACKBONES)

"""An exported checkpoint answers as the checkpoint, and says all that is needed to use it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ser_core import audio
from ser_core.__main__ import main
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.corpora.committed_sides import TABLES
from ser_core.export.hub import push
from ser_core.export.onnx_folder import ExportError, export_onnx
from ser_core.export.web_folder import export_web
from ser_core.inference.torch_runtime import TorchRuntime

CARD = "---\nlicense: cc-by-4.0\n---\n# A small model"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    specification = Specification(
        frontend_parameters={"n_mels": 64, "n_fft": 1024, "hop_length": 400},
        backbone="cnn",
        backbone_parameters={"base_width": 16, "depth": 3},
        emotions=("anger", "joy", "neutral", "sadness"),
        seconds=2.0,
        name="small",
        version="small-1",
    )
    made = build(specification).eval()
    with torch.no_grad():
        made.backbone.classifier.weight *= 20  # so that answers differ between clips
    folder = tmp_path_factory.mktemp("model") / "small"
    calibration = Calibration(temperature=1.7)
    return checkpoint.save(folder, made, specification, calibration, {}, CARD, half=True)


@pytest.fixture(scope="module")
def clips(rng_of_module: np.random.Generator) -> list[np.ndarray]:
    sounds = []
    for pitch in (90, 140, 220, 330, 500, 800):
        time = np.arange(28000) / 16000
        sound = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 8))
        noise = 0.02 * rng_of_module.standard_normal(len(time))
        sounds.append((0.1 * sound + noise).astype(np.float32)[None])
    return sounds


@pytest.fixture(scope="module")
def rng_of_module() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.fixture(scope="module")
def exported(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return export_onnx(model, tmp_path_factory.mktemp("out") / "onnx")


def answers(graph: Path, clips: list[np.ndarray]) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    waveform = np.stack(clips)
    lengths = np.full(len(clips), waveform.shape[2], np.int64)
    found: np.ndarray = session.run(["probabilities"], {"waveform": waveform, "lengths": lengths})[
        0
    ]
    return found


def expected(model: Path, clips: list[np.ndarray]) -> np.ndarray:
    held = checkpoint.load(model)
    lengths = np.full(len(clips), clips[0].shape[1], np.int64)
    return held.calibration.probabilities(TorchRuntime(held.model)(np.stack(clips), lengths))


def test_the_file_gives_calibrated_probabilities(
    model: Path, exported: Any, clips: list[np.ndarray]
) -> None:
    found = answers(exported.graph, clips)
    np.testing.assert_allclose(found, expected(model, clips), atol=1e-4)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert exported.difference < 1e-4


def test_what_must_be_known_lies_beside_it(model: Path, exported: Any) -> None:
    folder = exported.folder
    assert (folder / "labels.txt").read_text().split() == ["anger", "joy", "neutral", "sadness"]
    held = checkpoint.load(model).specification
    assert Specification.from_json((folder / "specification.json").read_text()) == held
    assert json.loads((folder / "calibration.json").read_text())["temperature"] == 1.7
    assert "cc-by-4.0" in (folder / "LICENSE.md").read_text()
    assert (folder / "MODEL_CARD.md").read_text() == CARD


def test_the_example_in_the_readme_runs(
    exported: Any, clips: list[np.ndarray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (exported.folder / "README.md").read_text()
    program = re.search(r"```python\n(.*?)```", text, re.DOTALL)
    assert program is not None
    (tmp_path / "clip.wav").write_bytes(audio.to_wav_bytes(clips[0], 16000))
    for name in ("model.onnx", "labels.txt"):
        (tmp_path / name).write_bytes((exported.folder / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    held: dict[str, Any] = {}
    exec(program.group(1), held)
    assert held["probabilities"].shape == (1, 4)


def test_half_precision_weights_are_kept_as_such(model: Path, exported: Any) -> None:
    weights = (model / "weights.safetensors").stat().st_size
    assert exported.graph.stat().st_size < 1.3 * weights + 250_000


def test_eight_bits_are_smaller_and_answer_alike(
    model: Path, exported: Any, clips: list[np.ndarray], tmp_path: Path
) -> None:
    made = export_onnx(model, tmp_path / "int8", calibration_clips=clips)
    kinds = {
        initializer.data_type
        for initializer in onnx.load(made.graph).graph.initializer
        if np.prod(initializer.dims) > 1000
    }
    assert onnx.TensorProto.INT8 in kinds
    found, right = answers(made.graph, clips), expected(model, clips)
    assert 0 < np.abs(found - right).max() < 0.15
    assert (found.argmax(axis=1) == right.argmax(axis=1)).mean() >= 0.8


@pytest.mark.slow
@pytest.mark.parametrize(("name", "megabytes"), [("default", 25), ("encoder", 19)])
def test_a_shipped_model_in_eight_bits_says_the_same(
    name: str, megabytes: float, tmp_path: Path
) -> None:
    root = Path(__file__).resolve().parents[3]
    spoken = [audio.load(path, sample_rate=16000) for path in (root / "examples").glob("*.flac")]
    sounds = [one.samples[:, :24000] for one in spoken]
    folder = root / "models" / name
    made = export_onnx(folder, tmp_path / "int8", calibration_clips=sounds)
    assert made.graph.stat().st_size < megabytes * 1e6
    found, right = answers(made.graph, sounds), expected(folder, sounds)
    assert np.abs(found - right).max() < 0.15


def test_eight_bits_need_speech(model: Path, tmp_path: Path, capsys: Any) -> None:
    assert main(["export", str(model), str(tmp_path / "out"), "--onnx", "--int8"]) == 1
    assert "--clips" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_line_exports(
    model: Path, tmp_path: Path, capsys: Any, clips: list[np.ndarray]
) -> None:
    (tmp_path / "clips").mkdir()
    for number, clip in enumerate(clips):
        path = tmp_path / "clips" / f"{number}.wav"
        path.write_bytes(audio.to_wav_bytes(clip, 16000))
    out = tmp_path / "out"
    given = ["--onnx", "--int8", "--clips", str(tmp_path / "clips")]
    assert main(["export", str(model), str(out), *given]) == 0
    assert "model.onnx" in capsys.readouterr().out
    assert answers(out / "model.onnx", clips).shape == (6, 4)


def test_the_recall_on_validation_speakers_is_printed(
    model: Path, tmp_path: Path, capsys: Any, clips: list[np.ndarray]
) -> None:
    folder = tmp_path / "corpora" / "cremad"
    folder.mkdir(parents=True)
    speakers = {}
    for speaker, side in sorted(TABLES["cremad"].items()):
        speakers.setdefault(side, speaker)
    for side, speaker in speakers.items():
        for code, clip in zip(("ANG", "HAP", "NEU", "SAD"), clips, strict=False):
            path = folder / f"{speaker}_DFA_{code}_XX.wav"
            path.write_bytes(audio.to_wav_bytes(clip * (0.5 + len(side) / 20), 16000))
    given = ["export", str(model), str(tmp_path / "out"), "--onnx"]
    assert main([*given, "--corpora", str(tmp_path / "corpora")]) == 0
    lines = dict(
        line.split(": ") for line in capsys.readouterr().out.splitlines() if "model" not in line
    )
    assert lines["checkpoint"] == lines["export"]
    assert float(lines["export"]) in (0.0, 0.25, 0.5, 0.75, 1.0)


def test_a_folder_that_cannot_be_written_is_named(model: Path, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ExportError, match="taken"):
        export_onnx(model, tmp_path / "taken")


class FakeHub:
    """Takes what the Hub's client takes."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.made, self.files = error, [], {}

    def create_repo(self, repository: str, **options: Any) -> None:
        self.made.append((repository, options))

    def create_commit(self, repository: str, **options: Any) -> SimpleNamespace:
        if self.error is not None:
            raise self.error
        for operation in options["operations"]:
            with operation.as_file() as file:
                self.files[operation.path_in_repo] = file.read()
        return SimpleNamespace(commit_url=f"https://hub/{repository}/commit/1")


def test_a_push_uploads_checkpoint_card_and_graph(model: Path, exported: Any) -> None:
    hub = FakeHub()
    address = push(exported, "someone/small", web=False, client=hub)
    assert address == "https://hub/someone/small/commit/1"
    assert hub.made == [
        ("someone/small", {"repo_type": "model", "exist_ok": True, "space_sdk": None})
    ]
    assert hub.files["README.md"].decode() == CARD
    assert hub.files["weights.safetensors"] == (model / "weights.safetensors").read_bytes()
    assert hub.files["onnx/model.onnx"] == exported.graph.read_bytes()
    assert {"specification.json", "calibration.json", "metrics.json"} < set(hub.files)


def test_a_refused_push_says_what_to_do(exported: Any) -> None:
    hub = FakeHub(httpx.ConnectError("no route"))
    with pytest.raises(ExportError, match=r"someone/small.*HF_TOKEN"):
        push(exported, "someone/small", web=False, client=hub)


def test_the_page_is_whole_and_fetches_from_nowhere_else(model: Path, tmp_path: Path) -> None:
    made = export_web(model, tmp_path / "page")
    folder = made.folder
    values = json.loads((folder / "model.json").read_text())
    for file in values["files"].values():
        assert (folder / file["name"]).stat().st_size == file["bytes"]
    assert (folder / "vendor" / "ort-wasm-simd-threaded.wasm").read_bytes()[:4] == b"\0asm"
    pages = [*folder.glob("*.html"), *folder.glob("*.js"), *folder.glob("*.css")]
    named = set()
    for page in pages:
        text = page.read_text()
        assert not re.search(r"https?://", text), page.name
        named |= set(re.findall(r'(?:src|href|from|URL\()\s*=?\s*"([\w./-]+\.\w+)"', text))
    assert {"page.js", "worker.js", "style.css", "recorder.js"} <= {Path(n).name for n in named}
    for name in named:
        assert (folder / name).is_file(), name
    assert "sdk: static" in (folder / "README.md").read_text()


def test_the_page_has_the_colours_and_letters_of_the_studio(model: Path, tmp_path: Path) -> None:
    from ser_core.export.web_folder import LETTERS, SOURCES
    from ui import theme

    sheet = (SOURCES / "style.css").read_text()
    for emotion, colour in theme.COLOURS.items():
        assert f"--emotion-{emotion}: {colour};" in sheet
    for colour in (theme.PAPER[50], theme.PAPER[900], theme.PETROL[600], theme.PETROL[300]):
        assert colour in sheet
    assert LETTERS == theme.LETTERS


def test_a_space_gets_the_page(model: Path, tmp_path: Path) -> None:
    hub = FakeHub()
    push(export_web(model, tmp_path / "page"), "someone/page", web=True, client=hub)
    assert hub.made[0][1] == {"repo_type": "space", "exist_ok": True, "space_sdk": "static"}
    assert {"index.html", "model.onnx", "vendor/ort-wasm-simd-threaded.wasm"} < set(hub.files)

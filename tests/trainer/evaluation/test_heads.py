"""A head on kept states of the windows answers as the whole model does at the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import build
from ser_core.checkpoints.specification import Specification
from ser_core.corpora.clip import Clip
from ser_core.inference.abstention import NO_SPEECH
from ser_core.inference.pipeline import Pipeline
from ser_core.inference.torch_runtime import TorchRuntime
from trainer.data.batches import Example
from trainer.data.decoded import DecodedClips
from trainer.data.embeddings import Embeddings
from trainer.evaluation import heads
from trainer.evaluation.heads import head_predictions
from trainer.evaluation.inference import predict_examples


@pytest.mark.parametrize("trim", [False, True])
def test_a_head_answers_from_the_windows_of_the_page(
    trim: bool, tiny_corpora: Path, repository: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    specification = Specification(
        backbone="cnn",
        frontend_parameters={"n_mels": 32, "hop_length": 512},
        emotions=("anger", "joy", "sadness"),
        seconds=1.0,
        trim_silence=trim,
    )
    model = build(specification).eval()
    files = [
        *sorted((repository / "examples").glob("*.flac"))[:3],
        next(tiny_corpora.rglob("*.wav")),
    ]
    clips = [Clip(path, "made", path.stem, "joy", speaker="ada") for path in files]
    decoded = DecodedClips(tmp_path / "decoded", trim=trim)
    digests, problems = decoded.prepare(clips)
    assert not problems
    items = [Example(clip, digests[clip.path], (0.0, 1.0, 0.0)) for clip in clips]
    embeddings = Embeddings(model, specification, decoded)
    calibrated = Calibration(entropy_limit=1.0)
    pipeline = Pipeline(specification, TorchRuntime(model, precision="fp32"))
    whole = predict_examples(pipeline, calibrated, items, decoded)
    found = head_predictions(model, specification, calibrated, embeddings, items)
    assert found.logits == pytest.approx(whole.logits, abs=5e-3)
    assert found.abstained == whole.abstained
    assert found.abstained[-1] == NO_SPEECH
    assert found.outcomes.labels.tolist() == [1, 1, 1, 1]


def test_no_clip_goes_through_the_network_twice(
    tiny_corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specification = Specification(
        backbone="cnn", frontend_parameters={"n_mels": 32}, emotions=("anger", "joy"), seconds=0.5
    )
    model = build(specification).eval()
    path = next(tiny_corpora.rglob("*.wav"))
    clip = Clip(path, "made", "a", "joy")
    decoded = DecodedClips(tmp_path / "decoded")
    digests, _ = decoded.prepare([clip])
    items = [Example(clip, digests[path], (0.0, 1.0))] * 2
    embeddings = Embeddings(model, specification, decoded)
    first = head_predictions(model, specification, Calibration(), embeddings, items)
    monkeypatch.setattr(heads, "pooled_states", None)
    again = head_predictions(model, specification, Calibration(), embeddings, items)
    assert np.array_equal(first.outcomes.raw, again.outcomes.raw)

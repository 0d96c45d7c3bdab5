"""Pretrained encoders, stood in for by small random ones of the same families."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ser_core.errors import SpecificationError
from ser_core.frontends import FeatureMap, FrontEnd, build_frontend

SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "conv_dim": [16, 16, 16],
    "conv_kernel": [10, 3, 3],
    "conv_stride": [5, 4, 4],
    "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
}
FAMILIES = [
    ("wav2vec2", "group"),
    ("wav2vec2", "layer"),
    ("hubert", "group"),
    ("hubert", "layer"),
    ("wavlm", "group"),
    ("wavlm", "layer"),
]


def encoder(folder: Path, kind: str, norm: str) -> str:
    """Write an encoder with random weights and return its folder."""
    from transformers import AutoConfig, AutoModel, Wav2Vec2FeatureExtractor

    torch.manual_seed(7)
    config = AutoConfig.for_model(
        kind, **SMALL, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer"
    )
    AutoModel.from_config(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(
        do_normalize=norm == "layer", return_attention_mask=norm == "layer"
    ).save_pretrained(folder)
    return str(folder)


def front(source: str, **parameters: Any) -> FrontEnd:
    return build_frontend(
        "wav2vec2", {"source": source} | parameters, sample_rate=16_000, input_channels=1
    )


@pytest.mark.parametrize(("kind", "norm"), FAMILIES)
def test_padding_and_batch_mates_change_nothing(tmp_path: Path, kind: str, norm: str) -> None:
    frontend = front(encoder(tmp_path, kind, norm)).eval()
    lengths = [6000, 3000, 6000, 200, 20]
    batch = torch.full((5, 1, 8000), 0.8)  # what lies behind the end must not be heard
    clips = [torch.randn(n) * 0.1 + 0.05 for n in lengths]
    for row, clip in zip(batch, clips, strict=True):
        row[0, : clip.numel()] = clip
    with torch.inference_mode():
        together = frontend(batch, torch.tensor(lengths))
        for index, clip in enumerate(clips):
            alone = frontend(clip[None, None], torch.tensor([clip.numel()]))
            frames = int(alone.lengths[0])
            assert frames == int(together.lengths[index]) == frontend.frames(clip.numel())
            torch.testing.assert_close(
                together.values[index : index + 1, ..., :frames],
                alone.values,
                atol=2e-4,
                rtol=1e-4,
            )
            assert not together.values[index, ..., frames:].any()


@pytest.mark.parametrize(("kind", "norm"), FAMILIES[:2])
def test_the_layers_are_those_of_the_library(tmp_path: Path, kind: str, norm: str) -> None:
    from transformers import AutoFeatureExtractor, AutoModel

    source = encoder(tmp_path, kind, norm)
    frontend = front(source).eval()
    wave = torch.randn(1, 1, 4000)
    inputs = AutoFeatureExtractor.from_pretrained(source)(
        wave[0, 0].numpy(), sampling_rate=16_000, return_tensors="pt"
    )
    with torch.inference_mode():
        frontend.layer_weights.copy_(torch.tensor([0.0, 1.0, 2.0]))
        states = AutoModel.from_pretrained(source).eval()(
            inputs["input_values"], output_hidden_states=True
        )
        stacked = torch.stack(states.hidden_states)
        wanted = (stacked * torch.tensor([0.0, 1.0, 2.0]).softmax(0).view(-1, 1, 1, 1)).sum(0)
        found = frontend(wave, torch.tensor([4000])).values
    torch.testing.assert_close(found[0, 0].T, wanted[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("train", "reached"), [("none", set()), ("last", {"1"}), ("all", {"0", "1"})]
)
def test_only_what_is_trained_gets_gradients(tmp_path: Path, train: str, reached: set[str]) -> None:
    frontend = front(encoder(tmp_path, "wav2vec2", "layer"), train=train, last_layers=1).train()
    found: FeatureMap = frontend(torch.randn(2, 1, 3000), torch.tensor([3000, 2000]))
    found.values.square().mean().backward()
    assert frontend.layer_weights.grad is not None
    moved = {
        name.split("encoder.encoder.layers.")[1].split(".")[0]
        for name, value in frontend.named_parameters()
        if "encoder.encoder.layers." in name and value.grad is not None and value.grad.any()
    }
    assert moved == reached
    convolutional = [
        value.grad is not None
        for name, value in frontend.named_parameters()
        if "feature_extractor" in name
    ]
    assert all(convolutional) if train == "all" else not any(convolutional)


def test_a_frozen_encoder_repeats_itself_while_the_rest_trains(tmp_path: Path) -> None:
    frontend = front(encoder(tmp_path, "wav2vec2", "group")).train()
    wave, lengths = torch.randn(1, 1, 3000), torch.tensor([3000])
    assert torch.equal(frontend(wave, lengths).values, frontend(wave, lengths).values)


@pytest.mark.parametrize(("kind", "norm"), FAMILIES)
def test_parameters_build_it_again_without_the_source(tmp_path: Path, kind: str, norm: str) -> None:
    first = front(encoder(tmp_path / "encoder", kind, norm), train="last", last_layers=1).eval()
    text = json.dumps(first.parameters_json())
    assert str(tmp_path) not in text
    for file in (tmp_path / "encoder").iterdir():
        file.unlink()
    second = build_frontend(
        "wav2vec2", json.loads(text), sample_rate=16_000, input_channels=1
    ).eval()
    second.load_state_dict(first.state_dict())
    wave, lengths = torch.randn(1, 1, 3000), torch.tensor([3000])
    with torch.inference_mode():
        assert torch.equal(first(wave, lengths).values, second(wave, lengths).values)
    assert json.dumps(second.parameters_json()) == text


def test_stereo_is_averaged(tmp_path: Path) -> None:
    source = encoder(tmp_path, "wav2vec2", "layer")
    mono = front(source).eval()
    stereo = build_frontend("wav2vec2", {"source": source}, sample_rate=16_000, input_channels=2)
    stereo = stereo.eval()
    wave, lengths = torch.randn(1, 1, 3000), torch.tensor([3000])
    assert torch.equal(stereo(wave.expand(1, 2, -1), lengths).values, mono(wave, lengths).values)


def test_a_source_without_preprocessing_has_its_familys_ways(tmp_path: Path) -> None:
    source = encoder(tmp_path, "wav2vec2", "layer")
    (tmp_path / "preprocessor_config.json").unlink()
    assert front(source).parameters_json()["do_normalize"] is True


def test_what_can_not_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match="nothing-here"):
        front(str(tmp_path / "nothing-here"))
    source = encoder(tmp_path / "encoder", "wav2vec2", "group")
    with pytest.raises(SpecificationError, match="last_layers"):
        front(source, train="last", last_layers=3)
    with pytest.raises(SpecificationError, match="some"):
        front(source, train="some")
    with pytest.raises(SpecificationError, match="16000"):
        build_frontend("wav2vec2", {"source": source}, sample_rate=8000, input_channels=1)
    with pytest.raises(SpecificationError, match="bert"):
        front(
            "",
            config={
                "model_type": "bert",
                "hidden_size": 8,
                "num_hidden_layers": 1,
                "num_attention_heads": 1,
                "intermediate_size": 8,
                "vocab_size": 9,
            },
        )
    with pytest.raises(SpecificationError, match="no-such-kind"):
        front("", config={"model_type": "no-such-kind"})

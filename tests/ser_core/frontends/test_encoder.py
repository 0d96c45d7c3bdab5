"""Pretrained encoders, stood in for by small random ones of the same families."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
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
    ("whisper", ""),
]
WHISPER: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 3,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 48,
    "decoder_layers": 1,
    "decoder_attention_heads": 2,
    "decoder_ffn_dim": 8,
    "num_mel_bins": 20,
    "max_source_positions": 50,
    "vocab_size": 16,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}


def encoder(folder: Path, kind: str, norm: str) -> str:
    """Write an encoder with random weights and return its folder."""
    from transformers import AutoConfig, AutoModel, Wav2Vec2FeatureExtractor

    if kind == "whisper":
        return whisper(folder)
    torch.manual_seed(7)
    config = AutoConfig.for_model(
        kind, **SMALL, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer"
    )
    AutoModel.from_config(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(
        do_normalize=norm == "layer", return_attention_mask=norm == "layer"
    ).save_pretrained(folder)
    return str(folder)


def whisper(folder: Path, whole: bool = False) -> str:
    """Write a Whisper encoder of 1 s, alone or inside the whole recogniser of speech."""
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration

    torch.manual_seed(7)
    model = WhisperForConditionalGeneration(WhisperConfig(**WHISPER))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(8)  # the library's first weights are so small that nothing would show
    (model if whole else model.get_encoder()).save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=20, chunk_length=1).save_pretrained(folder)
    return str(folder)


def front(source: str, **parameters: Any) -> FrontEnd:
    return build_frontend(
        "encoder", {"source": source} | parameters, sample_rate=16_000, input_channels=1
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
        expected = (stacked * torch.tensor([0.0, 1.0, 2.0]).softmax(0).view(-1, 1, 1, 1)).sum(0)
        found = frontend(wave, torch.tensor([4000])).values
    torch.testing.assert_close(found[0, 0].T, expected[0], atol=1e-4, rtol=1e-4)


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
        "encoder", json.loads(text), sample_rate=16_000, input_channels=1
    ).eval()
    second.load_state_dict(first.state_dict())
    wave, lengths = torch.randn(1, 1, 3000), torch.tensor([3000])
    with torch.inference_mode():
        assert torch.equal(first(wave, lengths).values, second(wave, lengths).values)
    assert json.dumps(second.parameters_json()) == text


def test_stereo_is_averaged(tmp_path: Path) -> None:
    source = encoder(tmp_path, "wav2vec2", "layer")
    mono = front(source).eval()
    stereo = build_frontend("encoder", {"source": source}, sample_rate=16_000, input_channels=2)
    stereo = stereo.eval()
    wave, lengths = torch.randn(1, 1, 3000), torch.tensor([3000])
    assert torch.equal(stereo(wave.expand(1, 2, -1), lengths).values, mono(wave, lengths).values)


def test_a_source_without_preprocessing_has_its_familys_ways(tmp_path: Path) -> None:
    source = encoder(tmp_path, "wav2vec2", "layer")
    (tmp_path / "preprocessor_config.json").unlink()
    assert front(source).parameters_json()["do_normalize"] is True


def test_what_can_not_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match=r"no folder .*nothing-here"):
        front(str(tmp_path / "nothing-here"))
    source = encoder(tmp_path / "encoder", "wav2vec2", "group")
    with pytest.raises(SpecificationError, match="last_layers"):
        front(source, train="last", last_layers=3)
    with pytest.raises(SpecificationError, match="some"):
        front(source, train="some")
    with pytest.raises(SpecificationError, match="16000"):
        build_frontend("encoder", {"source": source}, sample_rate=8000, input_channels=1)
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


@pytest.fixture(scope="module")
def real_encoder(repository: Path) -> str:
    folder = repository.parent / "shared" / "encoders" / "whisper-base"
    if not (folder / "model.safetensors").is_file():
        pytest.skip(f"no real encoder at {folder}")
    return str(folder)


def librarys_states(source: str, wave: torch.Tensor) -> list[torch.Tensor]:
    """What transformers gives for a clip that is exactly as long as Whisper wants."""
    from transformers import WhisperFeatureExtractor
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

    model = WhisperEncoder.from_pretrained(source, dtype=torch.float32).eval()
    mel = WhisperFeatureExtractor.from_pretrained(source)(
        wave.numpy(), sampling_rate=16_000, return_tensors="pt"
    )["input_features"]
    return list(model(mel, output_hidden_states=True).hidden_states)


def check_against_library(source: str, seconds: int) -> None:
    wave = torch.randn(seconds * 16_000) * torch.linspace(0.01, 0.2, seconds * 16_000)
    frontend = front(source, peak=0.0).eval()
    with torch.inference_mode():
        expected = librarys_states(source, wave)
        found, frames = frontend.hidden_states(wave[None, None], torch.tensor([wave.numel()]))
    assert frames.tolist() == [seconds * 50]
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected, strict=True):
        scale = float(theirs.abs().max())
        torch.testing.assert_close(ours, theirs, atol=1e-4 * scale, rtol=0)


def test_whisper_gives_what_the_library_gives(tmp_path: Path) -> None:
    check_against_library(whisper(tmp_path), 1)


@pytest.mark.slow
def test_the_real_whisper_gives_what_the_library_gives(real_encoder: str) -> None:
    check_against_library(real_encoder, 30)


def test_the_real_whisper_hears_a_clip_in_company_as_it_does_alone(real_encoder: str) -> None:
    frontend = front(real_encoder, keep_layers=2, stack=True).eval()
    lengths = torch.tensor([9_000, 16_000, 4_321])
    batch = torch.full((3, 1, 20_000), 0.9)
    for row, length in zip(batch, lengths.tolist(), strict=True):
        row[0, :length] = torch.randn(length) * 0.1
    with torch.inference_mode():
        together = frontend(batch, lengths)
        for index, length in enumerate(lengths.tolist()):
            alone = frontend(batch[index : index + 1, :, :length], lengths[index : index + 1])
            frames = int(alone.lengths[0])
            torch.testing.assert_close(
                together.values[index : index + 1, ..., :frames], alone.values, atol=1e-3, rtol=1e-4
            )


@pytest.mark.parametrize("samples", [400, 401, 8_000, 12_345])
def test_whispers_mel_is_the_librarys_without_padding(tmp_path: Path, samples: int) -> None:
    from transformers import WhisperFeatureExtractor

    source = whisper(tmp_path)
    wave = torch.randn(samples) * 0.1
    expected = WhisperFeatureExtractor.from_pretrained(source)(
        wave.numpy(), sampling_rate=16_000, padding="do_not_pad", return_tensors="pt"
    )["input_features"]
    batch = torch.cat([wave, torch.full((700,), 5.0)])[None]  # louder, and behind the clip's end
    found, frames = front(source).log_mel(batch, torch.tensor([samples]))
    assert int(frames[0]) == expected.shape[-1]
    torch.testing.assert_close(found[..., : int(frames[0])], expected, atol=1e-4, rtol=0)


def test_whisper_hears_no_level(tmp_path: Path) -> None:
    source, wave = whisper(tmp_path), torch.randn(1, 1, 8000) * 0.1
    lengths = torch.tensor([8000])
    with torch.inference_mode():
        even, raw = front(source).eval(), front(source, peak=0.0).eval()
        torch.testing.assert_close(
            even(wave, lengths).values, even(wave * 0.1, lengths).values, atol=1e-4, rtol=1e-4
        )
        assert (raw(wave, lengths).values - raw(wave * 0.1, lengths).values).abs().max() > 0.01
        assert bool(torch.isfinite(even(wave * 0, lengths).values).all())


def test_whisper_is_told_when_a_window_is_too_long_for_it(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match=r"1 s .*1\.2 s"):
        front(whisper(tmp_path))(torch.randn(1, 1, 19_200), torch.tensor([19_200]))


@pytest.mark.parametrize(("kind", "norm"), FAMILIES)
def test_the_first_layers_alone_give_their_states(tmp_path: Path, kind: str, norm: str) -> None:
    source = encoder(tmp_path, kind, norm)
    wave, lengths = torch.randn(1, 1, 6000), torch.tensor([6000])
    whole, first = front(source).eval(), front(source, keep_layers=1).eval()
    with torch.inference_mode():
        expected, _ = whole.hidden_states(wave, lengths)
        found, _ = first.hidden_states(wave, lengths)
    assert len(found) == 2 < len(expected)
    for ours, theirs in zip(found, expected, strict=False):
        torch.testing.assert_close(ours, theirs)
    assert sum(p.numel() for p in first.parameters()) < sum(p.numel() for p in whole.parameters())
    again = build_frontend(
        "encoder",
        json.loads(json.dumps(first.parameters_json())),
        sample_rate=16_000,
        input_channels=1,
    ).eval()
    again.load_state_dict(first.state_dict())
    with torch.inference_mode():
        assert torch.equal(again(wave, lengths).values, first(wave, lengths).values)
    with pytest.raises(SpecificationError, match="keep_layers 9"):
        front(source, keep_layers=9)


def test_stacked_states_are_channels(tmp_path: Path) -> None:
    source = whisper(tmp_path)
    wave, lengths = torch.randn(2, 1, 8000), torch.tensor([8000, 5000])
    frontend = front(source, stack=True).eval()
    with torch.inference_mode():
        found = frontend(wave, lengths)
        states, _ = frontend.hidden_states(wave, lengths)
    assert frontend.channels == found.values.shape[1] == 4
    for index, state in enumerate(states):
        assert torch.equal(found.values[0, index].T, state[0])
    assert not found.values[1, ..., int(found.lengths[1]) :].any()
    assert "layer_weights" not in frontend.state_dict()


def test_masks_lie_on_what_whisper_hears(tmp_path: Path) -> None:
    model = build_frontend(
        "encoder", {"source": whisper(tmp_path)}, sample_rate=16_000, input_channels=1
    ).eval()
    heard: list[torch.Tensor] = []
    model.encoder.conv1.register_forward_pre_hook(lambda module, given: heard.append(given[0]))
    waveform = torch.randn(2, 1, 8_000)
    lengths = torch.tensor([8_000, 4_800])

    def change(values: torch.Tensor, frames: int) -> torch.Tensor:
        assert values.shape[:2] == (1, 20)
        covered = values.clone()
        covered[:, 5:9, :frames] = 0.25
        return covered

    with torch.no_grad():
        plain = model(waveform, lengths)
        masked = model(waveform, lengths, change)
        alone = model(waveform[1:, :, :4_800], lengths[1:], change)
    assert (heard[1][0, 5:9] == 0.25).all()
    assert (heard[1][1, 5:9, :30] == 0.25).all()
    assert (heard[1][1, :, 30:] == 0).all(), "nothing is laid over padding"
    untouched = [band for band in range(20) if not 5 <= band < 9]
    assert torch.equal(heard[1][:, untouched], heard[0][:, untouched])
    assert not torch.allclose(plain.values, masked.values)
    frames = int(masked.lengths[1])
    torch.testing.assert_close(
        masked.values[1, ..., :frames], alone.values[0], atol=1e-5, rtol=1e-4
    )


def test_the_encoder_is_found_inside_a_whole_whisper(tmp_path: Path) -> None:
    alone = front(whisper(tmp_path / "alone")).eval()
    inside = front(whisper(tmp_path / "whole", whole=True)).eval()
    wave, lengths = torch.randn(1, 1, 8000), torch.tensor([8000])
    with torch.inference_mode():
        assert torch.equal(alone(wave, lengths).values, inside(wave, lengths).values)


def test_half_of_an_encoder_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    source = whisper(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    weights.pop("layers.1.fc1.weight")
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SpecificationError, match=r"layers\.1\.fc1"):
        front(source)


def test_an_unreachable_hub_is_said_at_once(tmp_path: Path) -> None:
    """In a process of its own, where the Hub's address is one that nobody answers."""
    code = (
        "from ser_core.frontends import build_frontend\n"
        "build_frontend('encoder', {'source': 'nobody/never-made'}, sample_rate=16000, "
        "input_channels=1)"
    )
    environment = os.environ | {
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path),
        "NO_PROXY": "127.0.0.1",
    }
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert "give its path instead of its name" in done.stderr
    assert time.monotonic() - started < 30  # of which the imports take most


def test_the_old_name_opens_old_checkpoints(tmp_path: Path) -> None:
    source = encoder(tmp_path, "wav2vec2", "layer")
    old = front(source).parameters_json()
    for later in ("keep_layers", "peak", "stack"):
        old.pop(later)
    frontend = build_frontend("wav2vec2", old, sample_rate=16_000, input_channels=1)
    frontend.load_state_dict(front(source).state_dict())
    assert frontend.peak == 0

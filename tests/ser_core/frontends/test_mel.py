"""Log-mel: librosa's numbers, level, padding and parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ser_core.errors import SpecificationError
from ser_core.frontends import PRESETS, build_frontend
from ser_core.frontends.mel import Mel

RATE = 16_000


def speechlike(rng: np.random.Generator, seconds: float = 1.0) -> np.ndarray:
    """A gliding harmonic tone with breath noise."""
    time = np.arange(int(seconds * RATE)) / RATE
    pitch = 2 * np.pi * np.cumsum(140 + 40 * np.sin(5 * time)) / RATE
    tone = sum(np.sin(n * pitch) / n for n in range(1, 12))
    return (0.1 * tone + 0.01 * rng.standard_normal(time.size)).astype(np.float32)


def maps(frontend: torch.nn.Module, samples: np.ndarray) -> torch.Tensor:
    wave = torch.from_numpy(np.atleast_2d(samples))[None]
    return frontend(wave, torch.tensor([wave.shape[-1]])).values[0]


@pytest.mark.parametrize("preset", sorted(PRESETS["mel"]))
@pytest.mark.parametrize("scale", [("htk", None), ("slaney", "slaney")])
def test_agrees_with_librosa_within_a_hundredth_of_a_decibel(
    rng: np.random.Generator, preset: str, scale: tuple[str, str | None]
) -> None:
    import librosa

    samples = speechlike(rng)
    parameters = PRESETS["mel"][preset] | {"mel_scale": scale[0], "norm": scale[1]}
    frontend = build_frontend("mel", parameters, sample_rate=RATE, input_channels=1)
    full = frontend.parameters_json()
    theirs = librosa.feature.melspectrogram(
        y=samples,
        sr=RATE,
        n_fft=full["n_fft"],
        hop_length=full["hop_length"],
        win_length=full["win_length"],
        pad_mode="constant",
        n_mels=full["n_mels"],
        fmin=full["f_min"],
        fmax=full["f_max"],
        htk=scale[0] == "htk",
        norm=scale[1],
    )
    theirs = librosa.power_to_db(theirs, top_db=full["top_db"])
    ours = maps(frontend, samples)[0].numpy()
    assert ours.shape == theirs.shape == (full["n_mels"], frontend.frames(samples.size))
    np.testing.assert_allclose(ours, theirs, atol=0.01)


def test_magnitude_and_natural_logarithm_say_the_same_in_other_units(
    rng: np.random.Generator,
) -> None:
    samples = speechlike(rng, 0.3)
    decibel = maps(Mel(top_db=None), samples)
    natural = maps(Mel(top_db=None, log="ln"), samples)
    plain = maps(Mel(log="none"), samples)
    torch.testing.assert_close(natural * (10 / np.log(10)), decibel, atol=1e-3, rtol=1e-5)
    torch.testing.assert_close(plain.clamp_min(1e-10).log(), natural)


def test_level_is_an_offset_and_nothing_else(rng: np.random.Generator) -> None:
    samples = speechlike(rng, 0.5)
    loud, soft = maps(Mel(), samples), maps(Mel(), samples * 0.1)
    torch.testing.assert_close(loud - soft, torch.full_like(loud, 20.0), atol=0.02, rtol=0)


def test_a_tone_lies_in_its_own_band() -> None:
    time = np.arange(RATE) / RATE
    mel = Mel(n_mels=64, n_fft=1024, hop_length=256)
    import torchaudio

    bank = torchaudio.functional.melscale_fbanks(513, 0.0, 8000.0, 64, RATE)
    for hertz in (300.0, 1000.0, 4000.0):
        found = maps(mel, np.sin(2 * np.pi * hertz * time).astype(np.float32))[0].mean(-1)
        assert int(found.argmax()) == int(bank[round(hertz / RATE * 1024)].argmax())


def test_padding_and_what_lies_in_it_change_no_valid_frame(rng: np.random.Generator) -> None:
    mel = Mel(n_fft=1024, hop_length=256)
    samples = torch.from_numpy(speechlike(rng, 0.5))
    alone = mel(samples[None, None], torch.tensor([samples.numel()]))
    batch = torch.full((2, 1, RATE), 0.9)
    batch[0, 0, : samples.numel()] = samples
    together = mel(batch, torch.tensor([samples.numel(), RATE]))
    frames = int(alone.lengths[0])
    assert int(together.lengths[0]) == frames == mel.frames(samples.numel())
    torch.testing.assert_close(together.values[:1, ..., :frames], alone.values, atol=1e-3, rtol=0)


def test_the_parameters_build_the_same_front_end(rng: np.random.Generator) -> None:
    first = build_frontend("mel", PRESETS["mel"]["speech16k"], sample_rate=RATE, input_channels=2)
    second = build_frontend("mel", first.parameters_json(), sample_rate=RATE, input_channels=2)
    stereo = np.stack([speechlike(rng, 0.3), speechlike(rng, 0.3)])
    assert torch.equal(maps(first, stereo), maps(second, stereo))
    assert maps(first, stereo).shape[0] == first.channels == 2
    assert first.state_dict() == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"f_min": 9000.0},
        {"f_max": 9000.0},
        {"win_length": 4096},
        {"n_mels": 0},
        {"mel_scale": "bark"},
        {"norm": "area"},
        {"power": 3},
        {"log": "log2"},
        {"top_db": -1.0},
        {"n_mel": 80},
    ],
)
def test_a_wrong_parameter_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(SpecificationError, match=next(iter(wrong))):
        build_frontend("mel", wrong, sample_rate=RATE, input_channels=1)


def test_an_unknown_front_end_is_answered_with_the_known() -> None:
    with pytest.raises(SpecificationError, match="descriptors"):
        build_frontend("cqt", {}, sample_rate=RATE, input_channels=1)

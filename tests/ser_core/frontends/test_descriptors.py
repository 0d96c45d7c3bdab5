"""Descriptors: librosa's numbers, physics, padding, statistics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from ser_core.errors import SpecificationError
from ser_core.frontends import DESCRIPTORS, build_frontend, describe_clip
from ser_core.frontends.descriptor_math import tonnetz_basis
from ser_core.frontends.descriptors import STATISTICS, Descriptors

RATE, N_FFT, HOP = 16_000, 1024, 256


@pytest.fixture
def voice(rng: np.random.Generator) -> np.ndarray:
    """Three quarters of a second of a gliding harmonic tone with breath and a pause."""
    time = np.arange(12_000) / RATE
    pitch = 2 * np.pi * np.cumsum(180 + 60 * np.sin(7 * time)) / RATE
    tone = sum(np.sin(n * pitch) / n for n in range(1, 15))
    wave = 0.1 * tone * (time > 0.1) + 0.005 * rng.standard_normal(time.size)
    return wave.astype(np.float32)


def librosa_features(samples: np.ndarray) -> dict[str, np.ndarray]:
    import librosa

    spectrum = np.abs(librosa.stft(samples, n_fft=N_FFT, hop_length=HOP, pad_mode="constant"))
    mel = librosa.feature.melspectrogram(S=spectrum**2, sr=RATE)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel), n_mfcc=20)
    chroma = librosa.feature.chroma_stft(S=spectrum**2, sr=RATE, n_fft=N_FFT, tuning=0.0)
    feature = librosa.feature
    return {
        "zcr": feature.zero_crossing_rate(samples, frame_length=N_FFT, hop_length=HOP),
        "rms": feature.rms(y=samples, frame_length=N_FFT, hop_length=HOP),
        "mfcc": mfcc,
        "mfcc_delta": feature.delta(mfcc),
        "mfcc_delta2": feature.delta(mfcc, order=2),
        "centroid": feature.spectral_centroid(S=spectrum, sr=RATE),
        "bandwidth": feature.spectral_bandwidth(S=spectrum, sr=RATE),
        "flatness": feature.spectral_flatness(S=spectrum),
        "rolloff_85": feature.spectral_rolloff(S=spectrum, sr=RATE, roll_percent=0.85),
        "rolloff_01": feature.spectral_rolloff(S=spectrum, sr=RATE, roll_percent=0.01),
        "chroma": chroma,
        "tonnetz": feature.tonnetz(chroma=chroma, sr=RATE),
    }


# Absolute, in each descriptor's unit; a roll-off may fall on the neighbouring bin (15.6 Hz).
TOLERANCE = {
    "zcr": 1e-6,
    "rms": 1e-5,
    "mfcc": 0.02,
    "mfcc_delta": 0.005,
    "mfcc_delta2": 0.005,
    "centroid": 0.5,
    "bandwidth": 0.5,
    "flatness": 1e-4,
    "rolloff_85": 16.0,
    "rolloff_01": 16.0,
    "chroma": 1e-3,
    "tonnetz": 1e-3,
}


def test_every_descriptor_agrees_with_librosa(voice: np.ndarray) -> None:
    ours, times = describe_clip(voice, RATE)
    theirs = librosa_features(voice)
    assert list(ours) == list(DESCRIPTORS) == list(theirs)
    for name, rows in theirs.items():
        assert ours[name].shape == rows.shape == (DESCRIPTORS[name].count, times.size), name
        np.testing.assert_allclose(ours[name], rows, atol=TOLERANCE[name], rtol=0, err_msg=name)


def test_a_pure_tone_is_where_it_should_be() -> None:
    time = np.arange(RATE) / RATE
    values, times = describe_clip((0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), RATE)
    inner = slice(3, -3)
    assert np.allclose(values["centroid"][0, inner], 440, atol=10)
    assert np.allclose(values["rms"][0, inner], 0.5 / np.sqrt(2), atol=0.005)
    assert np.allclose(values["zcr"][0, inner], 2 * 440 / RATE, atol=0.002)
    assert (values["chroma"][:, inner].argmax(0) == 9).all()  # A, counted from C
    assert (values["flatness"][0, inner] < 1e-3).all()
    assert times[1] == HOP / RATE


def test_noise_is_flatter_and_brighter_than_a_tone(rng: np.random.Generator) -> None:
    noise = describe_clip((0.1 * rng.standard_normal(RATE)).astype(np.float32), RATE).values
    time = np.arange(RATE) / RATE
    tone = describe_clip(np.sin(2 * np.pi * 200 * time).astype(np.float32), RATE).values
    for name in ("flatness", "centroid", "bandwidth", "zcr", "rolloff_85"):
        assert noise[name].mean() > 2 * tone[name].mean(), name


def test_a_fifth_away_turns_the_circle_of_fifths_by_the_same_angle() -> None:
    basis = tonnetz_basis()
    angles = torch.atan2(basis[0], basis[1])
    steps = torch.remainder(angles.roll(-7) - angles, 2 * np.pi)
    torch.testing.assert_close(steps, steps[:1].expand(12), atol=1e-5, rtol=0)
    torch.testing.assert_close(basis[:2].square().sum(0), torch.ones(12))


@pytest.mark.parametrize("mode", ["frames", "statistics"])
def test_padding_and_batch_mates_change_nothing(voice: np.ndarray, mode: str) -> None:
    frontend = Descriptors(mode=mode)
    short, long = torch.from_numpy(voice[:5000]), torch.from_numpy(voice)
    batch = torch.full((2, 1, RATE), 0.7)  # what lies behind the end must not be heard
    batch[0, 0, :5000], batch[1, 0, :12_000] = short, long
    together = frontend(batch, torch.tensor([5000, 12_000]))
    for index, clip in enumerate((short, long)):
        alone = frontend(clip[None, None], torch.tensor([clip.numel()]))
        frames = int(alone.lengths[0])
        assert frames == int(together.lengths[index]) == frontend.frames(clip.numel())
        torch.testing.assert_close(
            together.values[index : index + 1, ..., :frames], alone.values, atol=2e-2, rtol=1e-4
        )
        assert not together.values[index, ..., frames:].any()


def test_statistics_are_those_of_the_valid_frames(voice: np.ndarray) -> None:
    wave, lengths = torch.from_numpy(voice)[None, None], torch.tensor([voice.size])
    rows = Descriptors(names=["mfcc", "rms"])(wave, lengths).values[0, 0].numpy()
    found = Descriptors(mode="statistics", names=["mfcc", "rms"])(wave, lengths)
    assert found.values.shape == (1, 1, len(STATISTICS) * 21, 1)
    whole = np.concatenate([rows.mean(1), rows.std(1), rows.min(1), rows.max(1)])
    np.testing.assert_allclose(found.values.numpy().ravel(), whole, atol=1e-3)


@pytest.mark.parametrize("samples", [1, 200, 1500, 16_000])
def test_silence_and_the_shortest_clip_give_numbers(samples: int) -> None:
    values, _ = describe_clip(np.zeros(samples, np.float32), RATE)
    for name, rows in values.items():
        assert np.isfinite(rows).all(), name
    assert not values["rms"].any()
    assert np.abs(values["mfcc_delta"]).max() < 1e-4


@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_other_rates_are_described_in_hertz_too(rate: int) -> None:
    time = np.arange(rate // 2) / rate
    tone = np.stack([np.sin(2 * np.pi * 1000 * time)] * 2).astype(np.float32)
    values, times = describe_clip(tone, rate)
    assert abs(np.median(values["centroid"]) - 1000) < 20
    assert times[-1] <= 0.5


def test_the_table_and_the_parameters_are_complete(voice: np.ndarray) -> None:
    first = build_frontend("descriptors", {}, sample_rate=RATE, input_channels=2)
    assert first.bins == sum(d.count for d in DESCRIPTORS.values())
    assert all(d.unit and d.says.endswith(".") for d in DESCRIPTORS.values())
    second = build_frontend(
        "descriptors", first.parameters_json(), sample_rate=RATE, input_channels=2
    )
    stereo = torch.from_numpy(np.stack([voice, voice[::-1].copy()]))[None]
    lengths = torch.tensor([voice.size])
    assert torch.equal(first(stereo, lengths).values, second(stereo, lengths).values)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mode": "median"},
        {"names": ["pitch"]},
        {"names": []},
        {"n_fft": 33},
        {"hop_length": 0},
        {"n_mfcc": 129},
        {"delta_width": 4},
    ],
)
def test_a_wrong_parameter_is_named(wrong: dict[str, object]) -> None:
    build: Callable[..., object] = build_frontend
    with pytest.raises(SpecificationError, match=next(iter(wrong))):
        build("descriptors", wrong, sample_rate=RATE, input_channels=1)

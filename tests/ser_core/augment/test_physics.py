"""What each effect does to a sound, measured on tones, clicks and noise."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from ser_core.augment import EFFECTS, DrawnChain

RATE = 16000
Samples = npt.NDArray[np.float32]


def tone(frequency: float, seconds: float = 2.0, level: float = 0.3) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE
    return (level * np.sin(2 * np.pi * frequency * time)).astype(np.float32)[np.newaxis]


def click(seconds: float = 2.0) -> Samples:
    samples = np.zeros((1, round(seconds * RATE)), np.float32)
    samples[0, 0] = 1.0
    return samples


def run(samples: Samples, name: str, **values: float) -> Samples:
    step = {"name": name, **EFFECTS[name].defaults(), **values}
    if EFFECTS[name].seeded:
        step.setdefault("seed", 7)
    return DrawnChain.from_json([step]).apply(samples, RATE)


def level(samples: Samples) -> float:
    """Level of the middle half in dB, away from the ends that filters need to settle."""
    quarter = samples.shape[1] // 4
    middle = samples[:, quarter : 3 * quarter].astype(np.float64)
    return float(10 * np.log10(np.mean(middle**2) + 1e-30))


def pitch(samples: Samples) -> float:
    """Frequency of the strongest component of the middle half, in Hz."""
    quarter = samples.shape[1] // 4
    middle = samples[0, quarter : 3 * quarter]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 17))
    return float(np.argmax(spectrum) * RATE / (1 << 17))


@pytest.mark.parametrize("snr", [-5.0, 0.0, 10.0, 30.0])
@pytest.mark.parametrize("name", ["gaussian_noise", "coloured_noise"])
def test_noise_lies_below_the_voice_as_far_as_asked(name: str, snr: float) -> None:
    voice = tone(300)
    noise = run(voice, name, snr=snr) - voice
    found = 20 * np.log10(np.sqrt(np.mean(voice**2)) / np.sqrt(np.mean(noise**2)))
    assert found == pytest.approx(snr, abs=0.05)


def test_amplitude_noise_does_not_depend_on_the_voice() -> None:
    loud, soft = tone(300, level=0.8), tone(300, level=0.001)
    for voice in (loud, soft):
        noise = run(voice, "amplitude_noise", amplitude=0.01) - voice
        assert np.std(noise) == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize("slope", [-6.0, -3.0, 0.0, 3.0])
def test_coloured_noise_falls_with_its_slope(slope: float) -> None:
    voice = tone(50, seconds=8)
    noise = run(voice, "coloured_noise", snr=0, slope=slope) - voice
    power = np.abs(np.fft.rfft(noise[0])) ** 2
    frequencies = np.fft.rfftfreq(noise.shape[1], 1 / RATE)
    bands = [np.mean(power[(frequencies > f) & (frequencies < 1.2 * f)]) for f in (400, 3200)]
    assert 10 * np.log10(bands[1] / bands[0]) / 3 == pytest.approx(slope, abs=0.4)


@pytest.mark.parametrize("cutoff", [250.0, 500.0, 1000.0])
def test_a_lowpass_is_a_single_pole(cutoff: float) -> None:
    def gain(frequency: float, poles: int = 1) -> float:
        sound = tone(frequency)
        return level(run(sound, "lowpass", cutoff=cutoff, poles=poles)) - level(sound)

    assert gain(cutoff / 8) == pytest.approx(-0.07, abs=0.1)
    assert gain(cutoff) == pytest.approx(-3.0, abs=0.3)
    assert gain(2 * cutoff) == pytest.approx(-7.0, abs=0.4)
    assert gain(4 * cutoff) - gain(2 * cutoff) == pytest.approx(-5.3, abs=0.8)
    assert gain(2 * cutoff, poles=4) == pytest.approx(4 * gain(2 * cutoff), abs=0.1)
    assert gain(2 * cutoff, poles=8) < -50  # with all its poles the tone is dead at its octave


def test_a_highpass_is_a_single_pole() -> None:
    gains = [level(run(tone(f), "highpass", cutoff=400)) - level(tone(f)) for f in (200, 400, 4000)]
    assert gains == pytest.approx([-7.0, -3.0, 0.0], abs=0.4)


def test_a_telephone_keeps_its_band_alone() -> None:
    def gain(frequency: float, **values: float) -> float:
        return level(run(tone(frequency), "telephone", **values)) - level(tone(frequency))

    assert gain(1000) == pytest.approx(0, abs=0.3)
    assert gain(100) < -30
    assert gain(5000) < -60
    assert gain(3000, high=2000) < -12
    assert gain(1000, companding=1) == pytest.approx(0, abs=0.3)
    assert not np.array_equal(run(tone(1000), "telephone"), run(tone(1000), "telephone", high=2500))


def test_a_lower_rate_loses_what_lies_above_half_of_it() -> None:
    assert level(run(tone(3000), "rate", rate=4000)) < level(tone(3000)) - 60
    assert level(run(tone(1000), "rate", rate=4000)) == pytest.approx(level(tone(1000)), abs=0.1)
    assert np.array_equal(run(tone(3000), "rate", rate=16000), tone(3000))


@pytest.mark.parametrize("rate", [0.5, 0.8, 1.25, 2.0])
def test_a_stretched_tone_keeps_its_pitch(rate: float) -> None:
    stretched = run(tone(440), "time_stretch", rate=rate)
    assert stretched.shape == (1, round(2 * RATE / rate))
    assert pitch(stretched) == pytest.approx(440, rel=0.01)
    assert level(stretched) == pytest.approx(level(tone(440)), abs=1.5)
    assert run(tone(440), "time_stretch", rate=rate, keep_length=1).shape == (1, 2 * RATE)


@pytest.mark.parametrize("semitones", [-12.0, -3.0, 0.0, 4.0, 12.0])
def test_a_pitch_shifted_tone_keeps_its_length(semitones: float) -> None:
    shifted = run(tone(440), "pitch_shift", semitones=semitones)
    assert shifted.shape == (1, 2 * RATE)
    assert pitch(shifted) == pytest.approx(440 * 2 ** (semitones / 12), rel=0.015)


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.043712, 1.1, 2.0])
def test_speed_changes_pace_and_pitch_together(factor: float) -> None:
    faster = run(tone(440), "speed", factor=factor)
    assert faster.shape == (1, round(2 * RATE / factor))
    assert pitch(faster) == pytest.approx(440 * factor, rel=0.002)
    assert level(faster) == pytest.approx(level(tone(440)), abs=0.1)


def test_a_shift_moves_the_sound() -> None:
    sound = np.zeros((1, RATE), np.float32)
    sound[0, 4000] = 1.0
    assert np.flatnonzero(run(sound, "shift", shift=0.25)[0]).tolist() == [8000]
    assert np.flatnonzero(run(sound, "shift", shift=-0.125)[0]).tolist() == [2000]
    assert not run(sound, "shift", shift=0.9).any()
    assert np.flatnonzero(run(sound, "shift", shift=0.9, rollover=1)[0]).tolist() == [2400]


@pytest.mark.parametrize("shift", [-1.0, 1.0])
def test_a_shift_by_the_whole_clip_leaves_silence(shift: float) -> None:
    assert not run(tone(440), "shift", shift=shift).any()
    assert np.array_equal(run(tone(440), "shift", shift=shift, rollover=1), tone(440))


@pytest.mark.parametrize("decay", [0.2, 0.5, 1.0])
def test_a_reverb_dies_away_in_the_time_asked(decay: float) -> None:
    tail = run(click(3.0), "reverb", decay=decay, wet=1.0, delay=0)[0].astype(np.float64)
    # Schroeder's backward integral, fitted between -5 and -35 dB as ISO 3382 does.
    energy = np.cumsum(tail[::-1] ** 2)[::-1]
    curve = 10 * np.log10(energy / energy[0] + 1e-30)
    first, last = np.argmax(curve < -5), np.argmax(curve < -35)
    assert 60 / 30 * (last - first) / RATE == pytest.approx(decay, rel=0.1)


def test_a_reverb_waits_before_its_first_echo_and_leaves_the_voice() -> None:
    answer = run(click(), "reverb", decay=0.5, wet=0.25, delay=20)[0]
    assert answer[0] == pytest.approx(0.75, abs=1e-4)
    assert np.abs(answer[1:319]).max() < 1e-5
    assert np.abs(answer[320:640]).max() > 1e-3
    dry = run(tone(300), "reverb", wet=0.0)
    assert np.allclose(dry, tone(300), atol=1e-6)


def test_another_seed_is_another_room() -> None:
    assert not np.array_equal(run(click(), "reverb", seed=1), run(click(), "reverb", seed=2))


def test_gain_is_in_decibels() -> None:
    assert level(run(tone(300), "gain", gain=-20)) == pytest.approx(level(tone(300)) - 20, abs=1e-3)


def test_clipping_cuts_off_the_peaks_and_nothing_else() -> None:
    sound = tone(300, level=0.5)
    clipped = run(sound, "clipping", depth=6)
    ceiling = float(np.abs(sound).max() * 10 ** (-6 / 20))
    assert np.abs(clipped).max() == pytest.approx(ceiling, rel=1e-5)
    below = np.abs(sound) < 0.99 * ceiling
    assert np.array_equal(clipped[below], sound[below])

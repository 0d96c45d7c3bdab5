"""Effects on time and pitch: stretch, pitch shift, shift, speed."""

from __future__ import annotations

import numpy as np

from ser_core.augment.effect import Effect, Parameter, Samples, Values, fit_length, switch


def _by_channels(samples: Samples) -> list[Samples]:
    # The stretcher takes one or two channels at a time.
    if samples.shape[0] <= 2:
        return [np.ascontiguousarray(samples)]
    return [np.ascontiguousarray(samples[i : i + 1]) for i in range(samples.shape[0])]


def _time_stretch(samples: Samples, rate: int, values: Values) -> Samples:
    from audiomentations import TimeStretch

    factor = values["rate"]
    length = samples.shape[1] if values["keep_length"] else max(1, round(samples.shape[1] / factor))
    transform = TimeStretch(min_rate=factor, max_rate=factor, leave_length_unchanged=False)
    transform.parameters = {"should_apply": True, "rate": factor}
    transform.freeze_parameters()
    parts = [fit_length(transform(part, rate), length) for part in _by_channels(samples)]
    return np.concatenate(parts)


def _pitch_shift(samples: Samples, rate: int, values: Values) -> Samples:
    from audiomentations import PitchShift

    semitones = values["semitones"]
    transform = PitchShift(min_semitones=semitones, max_semitones=semitones)
    transform.parameters = {"should_apply": True, "num_semitones": semitones}
    transform.freeze_parameters()
    parts = [fit_length(transform(p, rate), samples.shape[1]) for p in _by_channels(samples)]
    return np.concatenate(parts)


def _shift(samples: Samples, rate: int, values: Values) -> Samples:
    from audiomentations import Shift

    fraction, rollover = values["shift"], bool(values["rollover"])
    places = round(fraction * samples.shape[1])
    if places == 0:
        return samples.copy()
    if abs(places) == samples.shape[1]:  # audiomentations fails to fade what is not there
        return samples.copy() if rollover else np.zeros_like(samples)
    transform = Shift(min_shift=fraction, max_shift=fraction, rollover=rollover)
    transform.parameters = {"should_apply": True, "shift_amount": fraction}
    transform.freeze_parameters()
    shifted: Samples = transform(samples, rate)
    return shifted


def _speed(samples: Samples, rate: int, values: Values) -> Samples:
    factor = values["factor"]
    # A ratio of whole numbers is resampled three times faster than one of any digits; a
    # thousandth is less than two cents, a third of what a good ear tells apart.
    whole = round(1000 * factor)
    return resample(samples, whole, 1000, max(1, round(samples.shape[1] / factor)))


def resample(samples: Samples, source: float, target: float, length: int) -> Samples:
    """Resample from one rate to another, with ``length`` samples at the end.

    Args:
        samples: float32 ``[channel, time]``.
        source: the rate that the samples have; only its ratio to the target matters.
        target: the rate they get.
        length: how many samples the result has; the ends are cut or filled with silence.
    """
    import soxr

    if samples.shape[0] == 1:  # spares the transposition
        resampled = soxr.resample(samples[0], source, target)[np.newaxis]
    else:
        resampled = soxr.resample(np.ascontiguousarray(samples.T), source, target).T
    return np.ascontiguousarray(fit_length(resampled, length))


EFFECTS = (
    Effect(
        "time_stretch",
        "Time stretch",
        "Makes the speech slower or faster at the same pitch, as if the speaker took more or less "
        "time.",
        (
            # Beyond twice as long the stretcher fills in with random phases of its own.
            Parameter("rate", "×", 0.5, 2.0, 1.0, 0.01, "Above 1 is faster, below 1 is slower."),
            switch("keep_length", False, "Cut or pad the result to the length that went in."),
        ),
        _time_stretch,
        {"mild": {"rate": 0.95}, "medium": {"rate": 1.15}, "strong": {"rate": 1.4}},
        changes_length=True,
    ),
    Effect(
        "pitch_shift",
        "Pitch shift",
        "Moves the voice up or down in pitch at the same pace, formants and all, as if the speaker "
        "were smaller or larger.",
        (
            Parameter(
                "semitones", "semitones", -12, 12, 0, 0.5, "Above 0 is higher, 12 is an octave."
            ),
        ),
        _pitch_shift,
        {"mild": {"semitones": 1}, "medium": {"semitones": 2}, "strong": {"semitones": 4}},
    ),
    Effect(
        "shift",
        "Shift",
        "Moves the clip later or earlier; what leaves at one end is lost, or comes back at the "
        "other.",
        (
            Parameter(
                "shift",
                "of the clip",
                -1.0,
                1.0,
                0.0,
                0.01,
                "Above 0 is later; 1 moves the whole clip out and leaves silence.",
            ),
            switch("rollover", False, "What leaves at one end comes back at the other."),
        ),
        _shift,
        {"mild": {"shift": 0.1}, "medium": {"shift": 0.25}, "strong": {"shift": 0.5}},
    ),
    Effect(
        "speed",
        "Speed",
        "Plays the clip faster or slower like a tape, so that pace and pitch change together.",
        (
            Parameter(
                "factor", "×", 0.5, 2.0, 1.0, 0.01, "Above 1 is faster and higher, and shorter."
            ),
        ),
        _speed,
        {"mild": {"factor": 0.95}, "medium": {"factor": 1.1}, "strong": {"factor": 1.25}},
        changes_length=True,
    ),
)
"""The effects of this module, in the order of the table."""

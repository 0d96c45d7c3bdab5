"""What is wrong with a clip before any model hears it, in sentences.

Nothing here judges speech; it measures the signal: length, level, clipping, noise, bandwidth and
channels. `reject` is set when no honest prediction can be made (silence, a fraction of a second);
the warnings are for everything that makes a prediction less sure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ser_core.audio.decoding import Audio, duration

Samples = npt.NDArray[np.float32]

SHORTEST = 0.3
"""Seconds below which a clip is refused: shorter than one stressed syllable."""

SHORT = 1.0
"""Seconds below which a warning is given."""

SILENT_DBFS = -75.0
"""Level of the loudest 50 ms below which a clip counts as silence.

Speech this far down still stands some 25 dB above the rounding of 16 bits, and whether it is speech
the voice detection says; at -60 dBFS the quietest studio recordings of RAVDESS fell out as soon as
they were played 30 dB lower.
"""

_DEAD_DBFS = -60.0
_QUIET_DBFS = -55.0
_CLIPPED = 0.001
_NOISY_DB = 10.0
_NARROW_HZ = 4250.0
_FRAME = 0.05


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of one clip.

    Attributes:
        seconds: length.
        silent: the loudest 50 ms are below -75 dBFS.
        too_short: shorter than 0.3 s.
        clipped: share of samples that sit in runs at the top of the range, 0 to 1.
        level_dbfs: root mean square over the clip in decibels below full scale; -inf for zeros.
        noise_snr_db: how far the loud tenth of the frames stands above the quiet tenth, in
            decibels; inf where the pauses are digital silence.
        bandwidth_hz: highest frequency within 50 dB of the strongest, in bands of 250 Hz.
        warnings: one plain sentence each.
        reject: why no prediction should be made, or None.
    """

    seconds: float
    silent: bool
    too_short: bool
    clipped: float
    level_dbfs: float
    noise_snr_db: float
    bandwidth_hz: float
    warnings: tuple[str, ...] = ()
    reject: str | None = None


def inspect(audio: Audio) -> Quality:
    """Measure a clip and say what is wrong with it.

    Args:
        audio: samples `[channel, time]` of any rate.
    """
    samples, rate = audio.samples, audio.sample_rate
    centred = samples - samples.mean(axis=1, keepdims=True)
    loudest = centred[int(np.argmax(np.abs(centred).max(axis=1)))]
    levels = _frame_levels(loudest, rate)
    silent = float(levels.max()) < SILENT_DBFS
    too_short = audio.seconds < SHORTEST
    clipped = _clipped_share(samples)
    level = _decibels(float(np.sqrt(np.mean(np.square(loudest, dtype=np.float64)))))
    snr = _signal_to_noise(levels)
    width = 0.0 if silent else _bandwidth(loudest, rate)
    reject = _reason_to_reject(audio.seconds, silent, too_short, float(levels.max()))
    warnings = list(audio.notes)
    if not silent:
        warnings += _channel_warnings(samples, rate)
        warnings += _signal_warnings(audio, clipped, level, snr, width)
    return Quality(
        seconds=audio.seconds,
        silent=silent,
        too_short=too_short,
        clipped=clipped,
        level_dbfs=level,
        noise_snr_db=snr,
        bandwidth_hz=width,
        warnings=tuple(warnings),
        reject=reject,
    )


def _reason_to_reject(seconds: float, silent: bool, too_short: bool, peak: float) -> str | None:
    if too_short:
        return (
            f"The clip is too short: {duration(seconds)}, and at least {SHORTEST} s are needed. "
            "Record a word or a sentence."
        )
    if silent:
        heard = "nothing at all" if peak < -120 else f"at most {peak:.0f} dBFS"
        return f"The clip is silent ({heard}). Check the microphone and record it again."
    return None


def _signal_warnings(
    audio: Audio, clipped: float, level: float, snr: float, width: float
) -> list[str]:
    warnings = []
    if SHORTEST <= audio.seconds < SHORT:
        warnings.append(
            f"The clip is short ({duration(audio.seconds)}): a whole sentence tells more."
        )
    if clipped >= _CLIPPED:
        warnings.append(
            f"The recording is clipped: {100 * clipped:.1f} % of it sits at full scale. "
            "Turn the microphone down or step back."
        )
    if level < _QUIET_DBFS:
        warnings.append(
            f"The recording is very quiet ({level:.0f} dBFS). Turn the microphone up or come "
            "closer."
        )
    if snr < _NOISY_DB:
        warnings.append(
            f"The voice stands only about {max(snr, 0):.0f} dB above the background: noise, music "
            "or hall may mislead the model."
        )
    if width <= _NARROW_HZ and audio.sample_rate > 2 * _NARROW_HZ:
        warnings.append(
            f"The sound ends near {width / 1000:.1f} kHz, as over a telephone: the model gets "
            "less than it was trained on."
        )
    return warnings


def _channel_warnings(samples: Samples, rate: int) -> list[str]:
    warnings = []
    offset = float(np.abs(samples.mean(axis=1)).max())
    if offset > 0.02:
        warnings.append(
            f"The signal is off centre (a constant of {100 * offset:.0f} % of full scale): the "
            "sound card or microphone adds a direct current."
        )
    if len(samples) > 1:
        centred = samples - samples.mean(axis=1, keepdims=True)
        peaks = [float(_frame_levels(channel, rate).max()) for channel in centred]
        dead = [str(place) for place, peak in enumerate(peaks, 1) if peak < _DEAD_DBFS]
        if dead and len(dead) < len(samples):
            word = "Channel" if len(dead) == 1 else "Channels"
            verb = "is" if len(dead) == 1 else "are"
            warnings.append(f"{word} {', '.join(dead)} of {len(samples)} {verb} silent.")
        if len(samples) == 2 and not dead and _different_voices(centred, rate):
            warnings.append(
                "The two channels hold different sound, like the two sides of a call; they were "
                "mixed. Split them to judge each voice by itself."
            )
    return warnings


def _different_voices(channels: Samples, rate: int) -> bool:
    """Say whether two channels take turns: where one is loud, the other is not."""
    levels = np.stack(
        [np.maximum(_frame_levels(channel, rate), _DEAD_DBFS) for channel in channels]
    )
    if levels.shape[1] < 20 or np.ptp(levels, axis=1).min() < 10.0:
        return False
    return float(np.corrcoef(levels)[0, 1]) < 0.1


def _decibels(amplitude: float) -> float:
    return float(20 * np.log10(amplitude)) if amplitude > 0 else float("-inf")


def _frames(samples: Samples, rate: int) -> Samples:
    length = min(max(1, int(_FRAME * rate)), len(samples))
    return samples[: len(samples) // length * length].reshape(-1, length)


def _frame_levels(samples: Samples, rate: int) -> npt.NDArray[np.float64]:
    power = np.mean(np.square(_frames(samples, rate), dtype=np.float64), axis=1)
    with np.errstate(divide="ignore"):
        levels: npt.NDArray[np.float64] = 10 * np.log10(power)
    return levels


def _signal_to_noise(levels: npt.NDArray[np.float64]) -> float:
    low, high = (float(np.sort(levels)[int(share * (len(levels) - 1))]) for share in (0.1, 0.9))
    if np.isneginf(low):
        return float("inf")
    if len(levels) < 8:  # too few frames for a pause between words
        return float("inf")
    return high - low


def _clipped_share(samples: Samples) -> float:
    """Return the share of samples in runs of three or more at one level near the peak."""
    peak = float(np.abs(samples).max())
    if peak < 0.5:
        return 0.0
    flat = np.abs(samples) >= 0.995 * peak
    same = np.zeros_like(flat)
    same[:, 1:] = flat[:, 1:] & flat[:, :-1] & (np.sign(samples[:, 1:]) == np.sign(samples[:, :-1]))
    middle = same[:, 1:-1] & same[:, 2:]  # a run of three ends here
    return float(np.count_nonzero(middle)) / samples.size


def _bandwidth(samples: Samples, rate: int) -> float:
    """Return the upper edge of the highest 250 Hz band within 50 dB of the strongest one.

    The bands' level is the one exceeded in a twentieth of the frames, so that hissing sounds
    count although they are rare: a telephone line cuts them, a low voice does not.
    """
    length = min(max(2, rate * 32 // 1000), len(samples))
    frames = samples[: len(samples) // length * length].reshape(-1, length)
    frames = frames[:: max(1, len(frames) // 2000)]  # some of each minute tell enough
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(length))))
    often = np.sort(power, axis=0)[int(0.95 * (len(power) - 1)), 1:]
    width = max(1, round(250 * length / rate))
    bands = often[: max(1, len(often) // width) * width].reshape(-1, min(width, len(often)))
    levels = bands.mean(axis=1)
    top = int(np.nonzero(levels >= 1e-5 * levels.max())[0][-1]) + 1
    return float(min(top * width * rate / length, rate / 2))

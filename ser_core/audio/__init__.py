"""A clip's sound: decoding, what is wrong with it, and where somebody speaks."""

from ser_core.audio.decoding import (
    AUDIO_ENDINGS,
    MAX_BYTES,
    MAX_SECONDS,
    SAMPLE_RATE,
    Audio,
    Samples,
    duration,
    load,
    mono,
    resample,
    shown,
    stereo,
    to_wav_bytes,
)
from ser_core.audio.playback import playable

__all__ = [
    "AUDIO_ENDINGS",
    "MAX_BYTES",
    "MAX_SECONDS",
    "SAMPLE_RATE",
    "Audio",
    "Samples",
    "duration",
    "load",
    "mono",
    "playable",
    "resample",
    "shown",
    "stereo",
    "to_wav_bytes",
]

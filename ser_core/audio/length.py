"""How long a file is, told by its header alone."""

from __future__ import annotations

from pathlib import Path


def seconds_of(path: Path) -> float | None:
    """Return how long an audio file is in seconds, or None where its header does not tell.

    Args:
        path: the file; nothing of its sound is decoded.
    """
    import soundfile

    try:
        return float(soundfile.info(str(path)).duration)
    except (soundfile.SoundFileError, OSError):
        return None

"""How long a file is, told by its header."""

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


def ended_by(path: Path, moment: float | None) -> float | None:
    """Return how long a recording is, where it has ended by a moment; None where it goes on.

    A header that tells too short a length (a recorder that was switched off) is not believed: the
    sound is decoded then. Where a header tells nothing, the recording is taken to go on.

    Args:
        path: the file.
        moment: seconds; None = the beginning.
    """
    claimed = seconds_of(path)
    if claimed is None or claimed > (moment or 0.0):
        return None
    from ser_core.audio.decoding import load
    from ser_core.errors import SerError

    try:
        length = load(path).seconds
    except SerError:  # whoever reads it says what is wrong with it
        return None
    return length if length <= (moment or 0.0) else None

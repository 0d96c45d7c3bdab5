"""A clip as a browser plays it: its own bytes where the browser has the codec, else decoded."""

from __future__ import annotations

import io

from ser_core.audio.containers import container
from ser_core.audio.decoding import Audio, to_wav_bytes

_SUBTYPES: dict[str, frozenset[str]] = {
    "wav": frozenset({"PCM_U8", "PCM_16", "PCM_24", "FLOAT"}),
    "flac": frozenset({"PCM_S8", "PCM_16", "PCM_24"}),
    "ogg": frozenset({"VORBIS", "OPUS"}),
    "mp3": frozenset({"MPEG_LAYER_III"}),
}
_CODECS: dict[str, frozenset[str]] = {
    "mp4": frozenset({"aac", "mp3", "opus", "flac"}),
    "matroska": frozenset({"opus", "vorbis"}),
}
_MIME: dict[str, str] = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
    "mp4": "audio/mp4",
    "matroska": "audio/webm",
}


def playable(data: bytes, clip: Audio) -> tuple[bytes, str]:
    """Return bytes that every current browser plays, and their media type.

    Args:
        data: the file's own bytes.
        clip: what `load` made of them; written as 16-bit WAV where the codec is not for browsers
            (GSM, ADPCM, G.726, 64-bit float, Speex, ALAC, AMR ...) or the file was mended.
    """
    if not clip.notes and browsers_play(data):
        return data, _MIME[container(data) or ""]
    return to_wav_bytes(clip.samples, clip.sample_rate), _MIME["wav"]


def browsers_play(data: bytes) -> bool:
    """Return whether every current browser has the container and the codec of a file.

    Args:
        data: the file's own bytes.
    """
    kind = container(data)
    return kind is not None and _browsers_have(data, kind)


def _browsers_have(data: bytes, kind: str) -> bool:
    if kind in _SUBTYPES:
        import soundfile

        try:
            info = soundfile.info(io.BytesIO(data))
        except soundfile.LibsndfileError:
            return False
        return info.subtype in _SUBTYPES[kind] and info.channels <= 2
    if kind in _CODECS:
        import av

        try:
            with av.open(io.BytesIO(data), format=kind) as file:
                stream = file.streams.audio[0]
                return len(file.streams) == 1 and stream.codec_context.name in _CODECS[kind]
        except (av.FFmpegError, IndexError, ValueError):
            return False
    return False

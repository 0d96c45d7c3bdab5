"""What a file is, told from its first bytes: sound in which container, or something else."""

from __future__ import annotations

_HEAD = 65536
_STREAMED = 0x7FFF0000  # sizes from here on are placeholders of programs that wrote to a pipe

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"RIFF", "wav"),
    (0, b"RIFX", "wav"),
    (0, b"RF64", "wav"),
    (0, b"riff\x2e\x91\xcf\x11", "w64"),
    (0, b"FORM", "aiff"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (0, b".snd", "au"),
    (0, b"caff", "caf"),
    (4, b"ftyp", "mp4"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "asf"),
    (0, b"#!AMR", "amr"),
    (0, b"ADIF", "aac"),
    (0, b"wvPK", "wv"),
)

_OTHER: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive; unpack it and take the sound file inside"),
    (b"\x1f\x8b", "a gzip archive; unpack it and take the sound file inside"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"MThd", "a MIDI file: notes, not sound"),
    (b"version https://git-lfs", "a Git LFS pointer; fetch the file itself with “git lfs pull”"),
)


def container(data: bytes) -> str | None:
    """Return the container that the bytes are in, or None when they are no known sound file.

    Args:
        data: the file's bytes (the first 64 kB decide).

    Returns:
        A name that both libsndfile's and FFmpeg's users know: ``wav``, ``flac``, ``mp3``,
        ``mp4``, ``matroska`` ...

    >>> container(b"fLaC" + bytes(40)), container(b"<html>")
    ('flac', None)
    """
    head = data[:_HEAD]
    if head[:3] == b"ID3" and len(head) >= 10:
        size = 0
        for byte in head[6:10]:  # seven bits each, so that no tag looks like a frame
            size = size << 7 | byte & 0x7F
        behind = data[10 + size : 10 + size + 16]
        return _plain(behind) or "mp3"
    return _plain(head) or _plain(head.lstrip(b"\0"))


def _plain(head: bytes) -> str | None:
    for offset, magic, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[:3] != b"\xff\xd8\xff":
        if head[1] & 0xF6 == 0xF0:
            return "aac"
        if head[1] & 0x06 and head[1] & 0x18 != 0x08 and head[2] & 0xF0 != 0xF0:
            return "mp3"
    return None


def description(data: bytes) -> str:
    """Return in words what bytes that are no sound file seem to be.

    >>> description(b"<!DOCTYPE html><p>Not found</p>")
    'a web page (HTML); download the sound file itself'
    >>> description(b"Filename,Emotion")
    'text'
    """
    head = data[:4096]
    for magic, words in _OTHER:
        if head.startswith(magic):
            return words
    if not head.strip(b"\0"):
        return "nothing but zero bytes"
    try:
        text = head.decode("utf-8-sig", errors="ignore" if len(data) > len(head) else "strict")
    except UnicodeDecodeError:
        return "in a format that is not known here"
    if any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text):
        return "in a format that is not known here"
    if text.lstrip().lower().startswith(("<!doctype html", "<html")):
        return "a web page (HTML); download the sound file itself"
    return "text"


def ends_early(data: bytes, kind: str) -> bool:
    """Say whether the header of a WAV, AIFF or OGG file promises more bytes than there are.

    Args:
        data: the whole file.
        kind: its container.
    """
    if kind in ("wav", "aiff") and len(data) >= 8 and data[:4] in (b"RIFF", b"FORM"):
        declared = int.from_bytes(data[4:8], "little" if data[:4] == b"RIFF" else "big") + 8
        return declared < _STREAMED and declared - len(data) > 0.01 * declared
    if kind == "ogg":
        last = data.rfind(b"OggS")
        return not (last >= 0 and len(data) > last + 5 and data[last + 5] & 4)
    return False

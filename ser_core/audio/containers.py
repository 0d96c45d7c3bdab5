"""What a file is, told from its first bytes: sound in which container, or something else."""

from __future__ import annotations

_HEAD = 65536
_STREAMED = 0x7FFF0000  # sizes from here on are placeholders of programs that wrote to a pipe

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"RIFX", "wav"),
    (0, b"RF64", "wav"),
    (0, b"BW64", "wav"),
    (0, b"riff\x2e\x91\xcf\x11", "w64"),
    (0, b"fLaC", "flac"),
    (0, b"OggS", "ogg"),
    (0, b".snd", "au"),
    (0, b"caff", "caf"),
    (4, b"ftyp", "mp4"),
    (4, b"moov", "mp4"),
    (4, b"mdat", "mp4"),
    (4, b"wide", "mp4"),
    (0, b"\x1aE\xdf\xa3", "matroska"),
    (0, b"0&\xb2u\x8ef\xcf\x11", "asf"),
    (0, b"#!AMR", "amr"),
    (0, b"ADIF", "aac"),
    (0, b"wvpk", "wv"),
    (0, b"FLV\x01", "flv"),
    (0, b"\x00\x00\x01\xba", "mpeg"),
    (0, b"\x0bw", "ac3"),
    (0, b"TTA", "tta"),
    (0, b"NIST_1A", "nistsphere"),
    (0, b"Creative Voice File", "voc"),
    (0, b"MAC ", "ape"),
)

_RIFF: dict[bytes, str] = {b"WAVE": "wav", b"AVI ": "avi"}
_FORM: dict[bytes, str] = {b"AIFF": "aiff", b"AIFC": "aiff", b"8SVX": "iff", b"16SV": "iff"}

_RIFF_OTHER: dict[bytes, str] = {
    b"WEBP": "a picture (WebP)",
    b"RMID": "a MIDI file: notes, not sound",
    b"ACON": "an animated mouse pointer",
    b"sfbk": "a SoundFont: instruments, not a recording",
    b"DLS ": "a collection of instruments (DLS), not a recording",
}

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
    """Return the container that the bytes name themselves, or None when they name none.

    None is not the last word: MP3 behind junk or cut in a frame names nothing, and is found by
    FFmpeg's own probing. What certainly is something else, `other` says.

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
        start = _behind_tag(head)
        return _plain(data[start : start + 400]) or "mp3"
    return _plain(head) or _plain(head.lstrip(b"\0"))


def _behind_tag(head: bytes) -> int:
    """Return where the ID3 tag at the start ends."""
    size = 0
    for byte in head[6:10]:  # seven bits each, so that no tag looks like a frame
        size = size << 7 | byte & 0x7F
    return 10 + size


def _plain(head: bytes) -> str | None:
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12])
    if head[:4] == b"FORM":
        return _FORM.get(head[8:12])
    if head[:1] == b"G" and head[188:189] == b"G" and head[376:377] == b"G":
        return "mpegts"
    for offset, magic, name in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return name
    if len(head) > 3 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[:3] != b"\xff\xd8\xff":
        if head[1] & 0xF6 == 0xF0:
            return "aac"
        if head[1] & 0x06 and head[1] & 0x18 != 0x08 and head[2] & 0xF0 != 0xF0:
            return "mp3"
    return None


def other(data: bytes) -> str | None:
    """Return in words what the bytes are when they certainly are not sound, else None.

    >>> other(b"<!DOCTYPE html><p>Not found</p>")
    'a web page (HTML); download the sound file itself'
    >>> other(b"Filename,Emotion"), other(b"RIFF....WEBPVP8 ")
    ('text', 'a picture (WebP)')
    """
    head = data[:4096]
    for magic, words in _OTHER:
        if head.startswith(magic):
            return words
    if head[:4] == b"RIFF" and len(head) >= 12 and head[8:12] not in _RIFF:
        kind = head[8:12].decode("ascii", "replace").strip()
        return _RIFF_OTHER.get(head[8:12], f"a RIFF file of the kind “{kind}”, which holds no WAVE")
    if not head.strip(b"\0"):
        return "nothing but zero bytes" if not data.strip(b"\0") else None
    cut = "ignore" if len(data) > len(head) else "strict"
    try:
        if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            text = head.decode("utf-16", errors=cut)
            if not all(letter.isprintable() or letter.isspace() for letter in text):
                return None
        else:
            text = head.decode("utf-8-sig", errors=cut)
    except UnicodeDecodeError:
        return None
    if any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text):
        return None
    if text.startswith("NIST_1A"):  # a header of 1,024 letters and digits, then sound
        return None
    if text.lstrip().lower().startswith(("<!doctype html", "<html")):
        return "a web page (HTML); download the sound file itself"
    return "text"


def ends_early(data: bytes, kind: str | None) -> bool:
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


def whole_wav(data: bytes) -> tuple[bytes, bool]:
    """Return a RIFF WAVE whose data chunk reaches to the end, and whether that had to be mended.

    A recorder that loses power leaves the size that it wrote first, often 0, while the sound goes
    on behind it. What follows a sound data chunk is another chunk: four letters and a size that
    fits. Where anything else follows, the sound goes on.

    Args:
        data: the whole file.
    """
    place = 12
    while data[:4] == b"RIFF" and place + 8 <= len(data):
        size = int.from_bytes(data[place + 4 : place + 8], "little")
        end = place + 8 + size + size % 2
        if data[place : place + 4] != b"data":
            place = end
            continue
        rest = data[end:]
        if len(rest) < 1024 or not rest.strip(b"\0") or _is_chunk(rest):
            break
        length = (len(data) - place - 8).to_bytes(4, "little")
        total = (len(data) - 8).to_bytes(4, "little")
        return b"".join((b"RIFF", total, data[8 : place + 4], length, data[place + 8 :])), True
    return data, False


def _is_chunk(rest: bytes) -> bool:
    letters = all(32 <= letter < 127 for letter in rest[:4])
    return letters and int.from_bytes(rest[4:8], "little") <= len(rest) - 8 + 1

"""From bytes to text: which encoding a table is in, and whether that had to be guessed."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from ser_core.errors import TableError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = ("gb18030", "cp932", "big5", "euc_kr", "euc_jp", "cp1251", "cp1252")
"""What tables that are not Unicode are written in: by Excel, and by the corpora of East Asia."""

_TITLES = {
    "gb18030": "GBK (simplified Chinese)",
    "cp932": "Shift-JIS (Japanese)",
    "big5": "Big5 (traditional Chinese)",
    "euc_kr": "EUC-KR (Korean)",
    "euc_jp": "EUC-JP (Japanese)",
    "cp1251": "CP1251 (Cyrillic)",
    "cp1252": "CP1252 (Western Windows)",
}
_LOOKED_AT = 200_000
"""Bytes that the guess is made from."""


@dataclass(frozen=True, slots=True)
class DecodedText:
    """A table's text.

    Attributes:
        text: all of it, without a byte order mark.
        encoding: its encoding, as Python calls it.
        note: a sentence where the encoding was guessed, else "".
    """

    text: str
    encoding: str
    note: str = ""


def decode(data: bytes, name: str) -> DecodedText:
    """Return the text of a file in UTF-8, UTF-16, UTF-32 or a legacy encoding.

    Args:
        data: the file's bytes.
        name: its name, for messages.

    Raises:
        TableError: it is not text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return DecodedText(data.decode(encoding), encoding)
            except UnicodeDecodeError as error:
                raise TableError(
                    f"{name}: begins as {encoding}, but byte {error.start} does not fit. Save the "
                    "table as UTF-8 and read it again."
                ) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return _guessed(data, name)
    if 20 * text.count("\0") <= len(text):  # a stray one costs its row, not the table
        return DecodedText(text, "utf-8")
    return _unmarked_utf16(data, name)


def _unmarked_utf16(data: bytes, name: str) -> DecodedText:
    # Every second byte of Latin text in UTF-16 is zero; which one says the byte order.
    even, odd = data[::2].count(0), data[1::2].count(0)
    if 3 * max(even, odd) > len(data[::2]) and len(data) % 2 == 0:
        encoding = "utf-16-le" if odd > even else "utf-16-be"
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            text = "\0"
        if "\0" not in text:
            return DecodedText(text, encoding, f"{name}: read as UTF-16 (a guess: it has no mark).")
    raise TableError(f"{name}: holds zero bytes, so it is not a table. Save it as CSV in UTF-8.")


def _guessed(data: bytes, name: str) -> DecodedText:
    from charset_normalizer import from_bytes

    head = data[:_LOOKED_AT]
    if len(data) > _LOOKED_AT:  # cut behind a line, not inside a character
        head = head[: head.rfind(b"\n") + 1] or head
    # Runs of ASCII say nothing about the encoding; only the rest is judged.
    telling = b"\n".join(line for line in head.splitlines() if not line.isascii())
    best = from_bytes(telling, cp_isolation=list(_CANDIDATES), threshold=0.6).best()
    encoding = best.encoding if best is not None else "cp1252"
    if encoding in {"gb18030", "big5", "cp932", "euc_kr", "euc_jp"} and _sparse(telling):
        encoding = "cp1252"
    if encoding == "cp1252" and _paired(telling):
        encoding = next((one for one in _CANDIDATES[:5] if _fits(data, one)), encoding)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        encoding, text = "cp1252", data.decode("cp1252", errors="replace")
    note = (
        f"{name}: not UTF-8; read as {_TITLES.get(encoding, encoding)}, which is a guess. If words "
        "look wrong, save the table as UTF-8 and read it again."
    )
    return DecodedText(text, encoding, note)


def _sparse(data: bytes) -> bool:
    """Return whether high bytes mostly stand alone, as accents do and Chinese characters never."""
    high = [byte >= 0x80 for byte in data]
    alone = sum(
        here and not (place and high[place - 1]) and not (place + 1 < len(high) and high[place + 1])
        for place, here in enumerate(high)
    )
    return 2 * alone > sum(high)


def _paired(data: bytes) -> bool:
    """Return whether high bytes come in long runs, as in East Asian text."""
    runs = [len(run) for run in _high_runs(data)]
    return bool(runs) and sum(runs) / len(runs) >= 4


def _high_runs(data: bytes) -> list[bytes]:
    runs: list[bytes] = []
    run = bytearray()
    for byte in data:
        if byte >= 0x80:
            run.append(byte)
        elif run:
            runs.append(bytes(run))
            run.clear()
    return [*runs, bytes(run)] if run else runs


def _fits(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True

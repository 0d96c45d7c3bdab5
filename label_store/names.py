"""What a file name may be, here and in every table that comes in."""

from __future__ import annotations

import re
import unicodedata

MAX_NAME_BYTES = 1024
"""Longest file name, with its folders, in bytes of UTF-8."""

_DRIVE = re.compile(r"^[A-Za-z]:")


def problem(name: str) -> str | None:
    """Return why ``name`` can't stand as a clip's file name, or None where it can.

    Args:
        name: a file name, with or without relative folders, as a person or a table wrote it.

    >>> problem("session 1/-sad, ünhappy.wav") is None
    True
    >>> problem("../secret.wav")
    'climbs out of its folder with “..”'
    """
    if not name.strip():
        return "is empty"
    if has_control(name):
        return "holds a control character (a line break, a tab or a NUL byte)"
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "holds bytes that are not text"
    if size > MAX_NAME_BYTES:
        return f"is {size} bytes long; {MAX_NAME_BYTES} is the most"
    if name.startswith(("/", "\\")) or _DRIVE.match(name):
        return "is an absolute path; give it relative to the table"
    if ".." in re.split(r"[/\\]", name):
        return "climbs out of its folder with “..”"
    return None


def has_control(text: str) -> bool:
    """Return whether ``text`` holds a control character, line and paragraph separators included.

    >>> has_control("a b"), has_control("a\\tb")
    (False, True)
    """
    if text.isascii() and text.isprintable():
        return False
    return any(unicodedata.category(letter) in {"Cc", "Zl", "Zp"} for letter in text)


def fold(name: str) -> str:
    """Return the form under which two spellings of one file name are equal (case, Unicode form).

    >>> fold("Fear/Ä.WAV") == fold("fear/A\\u0308.wav")
    True
    """
    return unicodedata.normalize("NFC", name).replace("\\", "/").casefold()

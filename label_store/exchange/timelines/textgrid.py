"""Praat's TextGrid: a tier an annotator, each filled with intervals from start to end.

Source: Praat manual, "TextGrid file formats": free-standing numbers and strings are the file,
all else is comment, so that the long and the short form read alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from label_store.errors import LabelTableError
from label_store.exchange.timelines.timeline import Found, Timeline, chosen_tiers

_TOKEN = re.compile(
    r'"((?:[^"]|"")*)"|(?<!\S)(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?=\s|$)|(?<!\S)!.*'
)


def write(line: Timeline) -> bytes:
    """Return a clip's time line in the long form, in UTF-8."""
    tiers = line.tiers()
    total = repr(line.seconds)
    text = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {total}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (name, labelled) in enumerate(tiers.items(), 1):
        filled = list(_filled(labelled, line.seconds))
        text += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f"        name = {_quoted(name)}",
            "        xmin = 0",
            f"        xmax = {total}",
            f"        intervals: size = {len(filled)}",
        ]
        for place, (start, end, label) in enumerate(filled, 1):
            text += [
                f"        intervals [{place}]:",
                f"            xmin = {start!r}",
                f"            xmax = {end!r}",
                f"            text = {_quoted(label)}",
            ]
    return ("\n".join(text) + "\n").encode()


def read(data: bytes, file: str, name: str, is_emotion: Callable[[str], bool]) -> list[Found]:
    """Return a TextGrid's labels; point tiers have no stretch and are left out.

    Args:
        data: the file's bytes, in UTF-8 or UTF-16, long or short form.
        file: its name, for messages.
        name: the clip's.
        is_emotion: whether a word names an emotion.

    Raises:
        LabelTableError: it is no TextGrid, or ends too early.
    """
    if data.startswith(b"ooBinaryFile"):
        raise LabelTableError(f"{file}: a binary TextGrid; save it in Praat as a text file.")
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise LabelTableError(f"{file}: not UTF-8 or UTF-16 (byte {error.start}).") from error
    tokens = iter(
        [
            one[1].replace('""', '"') if one[2] is None else float(one[2])
            for one in _TOKEN.finditer(text)
            if one[1] is not None or one[2] is not None
        ]
    )
    tiers: dict[str, list[tuple[float, float, str]]] = {}
    try:
        if (next(tokens), next(tokens)) != ("ooTextFile", "TextGrid"):
            raise LabelTableError(f"{file}: not a TextGrid; its first words are others.")
        _, _, size = _numbers(tokens, 3)
        for _ in range(int(size)):
            kind, tier = str(next(tokens)), str(next(tokens))
            _, _, count = _numbers(tokens, 3)
            points = kind == "TextTier"
            some = tiers.setdefault(tier, [])
            for _ in range(int(count)):
                start, end = (*_numbers(tokens, 1 if points else 2), 0.0)[:2]
                label = str(next(tokens))
                if not points:
                    some.append((start, end, label))
    except (StopIteration, ValueError) as error:
        raise LabelTableError(f"{file}: the TextGrid ends early or is damaged.") from error
    return chosen_tiers(name, tiers, is_emotion)


def _numbers(tokens: Iterator[str | float], count: int) -> list[float]:
    return [float(next(tokens)) for _ in range(count)]


def _filled(
    labelled: list[tuple[float, float, str]], total: float
) -> Iterator[tuple[float, float, str]]:
    now = 0.0
    for start, end, label in labelled:
        if start > now:
            yield now, start, ""
        yield start, end, label
        now = end
    if now < total:
        yield now, total, ""


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'

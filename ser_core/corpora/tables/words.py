"""Emotion words in tables: other languages, other schemes, and words that are not emotions."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ser_core import emotions
from ser_core.errors import CorpusError, TableError, UnknownEmotionError

MAP_FILE: Final = "emotion-words.csv"
"""Beside a corpus's table: what its words mean, ``Word,Emotion``; the emotion - is none."""

NONE: Final = "-"
"""Stands in a map for a word that is to be left out."""

_SEX = re.compile(r"(?i)(fe)?male[\s_-]+(?=\w)|\b[\s_-]+(fe)?male$")


@dataclass(frozen=True, slots=True)
class WordMeaning:
    """What a word in a table means.

    Attributes:
        emotion: canonical; "" where the word says that there is none.
        sex: "f" or "m" where the word says that too (``male_angry``), else "".
    """

    emotion: str
    sex: str = ""


def read_word(word: str, words: Mapping[str, str] | None = None) -> WordMeaning:
    """Return what a word means.

    Args:
        word: as it stands in a table.
        words: folded word -> canonical emotion or NONE, as a person mapped it; it goes first.

    Raises:
        UnknownEmotionError: nothing is known of it; the message says how to map it.

    >>> read_word("male_angry"), read_word("中立/neutral").emotion, read_word("xxx").emotion
    (WordMeaning(emotion='anger', sex='m'), 'neutral', '')
    """
    mapped = (words or {}).get(emotions.fold(word))
    if mapped is not None:
        return WordMeaning("" if mapped == NONE else mapped)
    if emotions.is_none(word):
        return WordMeaning("")
    bare, sex = word, ""
    found = _SEX.search(word.strip())
    if found and (rest := _SEX.sub("", word.strip()).strip()):
        bare, sex = rest, "f" if "fe" in found[0].casefold() else "m"
    try:
        return WordMeaning(emotions.canonical(bare), sex)
    except UnknownEmotionError:
        pass
    parts = [part for part in re.split(r"[/|(){}\[\]]+", bare) if part.strip()]
    if len(parts) > 1:
        meant = {emotions.canonical(part) for part in parts if is_emotion(part)}
        if len(meant) == 1:
            return WordMeaning(meant.pop(), sex)
        if not meant and any(emotions.is_none(part) for part in parts):
            return WordMeaning("")
    near = emotions.nearest(bare)
    hint = f" Did you mean “{near}”?" if near else ""
    quoted = f'"{word[:30]}"' if re.search("[,;]", word) else word[:30]
    raise UnknownEmotionError(
        f"“{word[:60]}” is not an emotion known here.{hint} Correct it, or map it once: "
        f"{quoted}={near or 'EMOTION'} (or {quoted}=- to leave such rows out)."
    )


def is_emotion(word: str) -> bool:
    """Return whether a word names an emotion."""
    bare = _SEX.sub("", word.strip()).strip() or word
    try:
        emotions.canonical(bare)
    except UnknownEmotionError:
        parts = [part for part in re.split(r"[/|]", bare) if part.strip()]
        return len(parts) > 1 and any(is_emotion(part) for part in parts)
    return True


def parse_mapping(pairs: Mapping[str, str]) -> dict[str, str]:
    """Return folded word -> canonical emotion or NONE.

    Args:
        pairs: word -> emotion, alias or -.

    Raises:
        UnknownEmotionError: a word is mapped to what is not an emotion.
    """
    found = {}
    for word, meaning in pairs.items():
        text = meaning.strip()
        empty = text in {NONE, "–", ""} or emotions.is_none(text)
        found[emotions.fold(word)] = NONE if empty else emotions.canonical(text)
    return found


def parse_pairs(text: str) -> dict[str, str]:
    """Return what a person wrote as pairs, by commas or on lines of their own.

    Raises:
        TableError: a pair has no equals sign.

    >>> parse_pairs("excited = joy, fru=-")
    {'excited': 'joy', 'fru': '-'}
    >>> parse_pairs('"joy, great" = joy')
    {'joy, great': 'joy'}
    """
    pairs = {}
    for part in re.findall(r'(?:"[^"\n]*"|[^,;\n])+', text):
        left, sign, right = (side.strip().strip('"') for side in part.partition("="))
        if part.strip() and not (sign and left.strip() and right.strip()):
            raise TableError(f"“{part.strip()[:60]}” is not a pair; write it like excited = joy.")
        if part.strip():
            pairs[left.strip()] = right.strip()
    return pairs


def read_mapping(folder: Path) -> dict[str, str]:
    """Return what the words of a corpus mean, as it was mapped once; {} where it was not.

    Args:
        folder: the corpus.

    Raises:
        CorpusError: the map can't be read.
    """
    path = folder / MAP_FILE
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
        pairs = {row[0]: row[1] for row in rows[1:] if row}
        return parse_mapping(pairs)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, IndexError, csv.Error, UnknownEmotionError) as error:
        raise CorpusError(
            f"{path}: can't be read as a map of words ({error}). Expected the heading Word,Emotion "
            "and rows like excited,joy or fru,- ; correct it or remove it."
        ) from error


def keep_words(
    root: Path,
    corpora: Collection[str],
    words: Mapping[str, str],
    write: Callable[[Path, bytes], object],
    *,
    otherwise: Path,
) -> None:
    """Keep what words mean with each of some corpora, for its next import and for training.

    Args:
        root: the folder of corpora.
        corpora: their names.
        words, write: as for `keep_mapping`.
        otherwise: the folder that keeps them for labels of no corpus, and of one without a folder.

    Raises:
        CorpusError: a map can't be written.
    """
    own = {root / corpus for corpus in corpora if corpus and (root / corpus).is_dir()}
    for folder in sorted(own) if len(own) == len(corpora) else [*sorted(own), otherwise]:
        if words:
            keep_mapping(folder, words, write)


def keep_mapping(
    folder: Path, words: Mapping[str, str], write: Callable[[Path, bytes], object]
) -> None:
    """Keep what words mean with a corpus, besides what was mapped before.

    Args:
        folder: the corpus.
        words: as `parse_mapping` returns them.
        write: writes a file whole or not at all.

    Raises:
        CorpusError: it can't be written.
    """
    known = read_mapping(folder)
    fresh = known | dict(words)
    if fresh == known:
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Word", "Emotion"])
    writer.writerows(sorted(fresh.items()))
    try:
        write(folder / MAP_FILE, text.getvalue().encode())
    except OSError as error:
        raise CorpusError(
            f"{folder / MAP_FILE}: can't be written ({error.strerror or error}), so the meaning of "
            f"{', '.join(sorted(words))} is not kept. Make the folder writable."
        ) from error

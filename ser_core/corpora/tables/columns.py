"""Which column of a table means what: by its heading, by choice, or by what stands in it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from ser_core.audio import AUDIO_ENDINGS
from ser_core.corpora.tables.words import is_emotion
from ser_core.errors import ColumnError

FIELDS: Mapping[str, tuple[str, ...]] = {
    "file_name": (
        *("filename", "file", "filepath", "filepaths", "path", "name", "audio", "audiofile"),
        *("audiopath", "audiofilename", "wav", "wavfile", "wavpath", "clip", "recording", "fname"),
        *(
            "datei",
            "dateiname",
            "fichier",
            "archivo",
            "文件名",
            "文件",
            "音频",
            "ファイル名",
            "ファイル",
        ),
    ),
    "emotion": (
        *("emotion", "emotions", "emotionlabel", "emotionclass", "emo", "label", "labels", "class"),
        *("category", "sentiment", "feeling", "mood", "choice", "target", "gefühl", "émotion"),
        *("emoción", "emocion", "情感", "情绪", "感情"),
    ),
    "start": ("start", "begin", "starttime", "begintime", "onset", "von"),
    "end": ("end", "stop", "endtime", "stoptime", "offset", "bis"),
    "speaker": (
        "speaker",
        "speakerid",
        "spk",
        "actor",
        "actorid",
        "subject",
        "sprecher",
        "说话人",
        "話者",
    ),
    "sex": ("sex", "gender", "geschlecht", "性别", "性別"),
    "sentence": ("sentence", "sentenceid", "textid"),
    "corpus": ("corpus", "dataset", "source", "database"),
    "clip": ("sha256", "hash", "clip"),
    "annotator": ("annotator", "annotatorid", "rater", "completedby"),
}
"""What a heading may be, in any case, with spaces, hyphens or underscores; the best first."""

_HASH = re.compile(r"[0-9a-f]{64}")
_NEEDED = {"file_name": "Filename", "emotion": "Emotion"}


def fold_heading(heading: str) -> str:
    """Return a heading as it is compared.

    >>> fold_heading(" File_Name"), fold_heading("audio-path")
    ('filename', 'audiopath')
    """
    folded = unicodedata.normalize("NFC", heading).strip().strip("\"'").casefold()
    return re.sub(r"[\s_.-]+", "", folded)


def find_columns(
    headings: Sequence[str], rows: Sequence[Sequence[str]], chosen: Mapping[str, str], name: str
) -> tuple[dict[str, int], list[str]]:
    """Return field -> place of its column, and a sentence for each that had to be guessed.

    Args:
        headings: as written.
        rows: some of the cells below them.
        chosen: field -> heading that a person chose for it.
        name: the table's name, for messages.

    Raises:
        ColumnError: the file name or the emotion is in no column that can be told.
    """
    folded = [fold_heading(heading) for heading in headings]
    places: dict[str, int] = {}
    for field, heading in chosen.items():
        if field not in FIELDS:
            raise ColumnError(
                f"“{field}” is not a field. Known are: {', '.join(FIELDS)}.", tuple(headings)
            )
        if fold_heading(heading) not in folded:
            raise ColumnError(
                f"{name}: no column “{heading}” for {field}; found were: {_listed(headings)}.",
                tuple(headings),
            )
        places[field] = folded.index(fold_heading(heading))
    for field, aliases in FIELDS.items():
        if field in places:
            continue
        for alias in aliases:
            found = [
                place
                for place, heading in enumerate(folded)
                if heading == alias and place not in places.values()
            ]
            # “clip” is a hash in one table and a file's name in another.
            if alias == "clip" and found and (field == "clip") != _hashes(rows, found[0]):
                continue
            if found:
                places[field] = found[0]
                break
    notes = _by_content(headings, rows, places, name)
    missing = [field for field in _NEEDED if field not in places]
    if missing:
        titles = " and ".join(_NEEDED[field] for field in missing)
        raise ColumnError(
            f"{name}: no column {titles}; found were: {_listed(headings)}. Choose the column: on "
            f"the command line, --column {missing[0]}=HEADING.",
            tuple(headings),
        )
    return places, notes


def _by_content(
    headings: Sequence[str], rows: Sequence[Sequence[str]], places: dict[str, int], name: str
) -> list[str]:
    notes = []
    for field, title, fits in (
        ("file_name", "file names", is_audio_name),
        ("emotion", "emotions", is_emotion),
    ):
        if field in places or not rows:
            continue
        free = [
            place
            for place in range(len(headings))
            if place not in places.values() and _share(rows, place, fits) >= 0.6
        ]
        if len(free) == 1:
            places[field] = free[0]
            notes.append(
                f"{name}: the column “{headings[free[0]]}” was taken for the {title}, by what "
                "stands in it."
            )
    return notes


def headless_columns(rows: Sequence[Sequence[str]]) -> dict[str, int] | None:
    """Return field -> column of a table without a heading, or None where it can't be told.

    A row of ESD's ``0011.txt`` is ``0011_000001``, the sentence and the emotion.
    """
    width = min((len(row) for row in rows), default=0)
    moods = [place for place in range(width) if _share(rows, place, is_emotion) >= 0.6]
    if len(moods) != 1:
        return None
    rest = [place for place in range(width) if place != moods[0]]
    files = [place for place in rest if _share(rows, place, is_audio_name) >= 0.6] or [
        place
        for place in rest
        if len({row[place] for row in rows}) == len(rows)
        and all(re.fullmatch(r"[\w./\\-]{3,}", row[place].strip()) for row in rows)
        and any(any(letter.isdigit() for letter in row[place]) for row in rows)
    ]
    return {"file_name": files[0], "emotion": moods[0]} if files else None


def is_audio_name(cell: str) -> bool:
    """Return whether a cell ends as an audio file's name does."""
    return any(cell.strip().casefold().endswith(ending) for ending in AUDIO_ENDINGS)


def _share(rows: Sequence[Sequence[str]], place: int, fits: Callable[[str], bool]) -> float:
    cells = [row[place] for row in rows if place < len(row) and row[place].strip()]
    return sum(map(fits, cells)) / len(cells) if cells else 0.0


def _hashes(rows: Sequence[Sequence[str]], place: int) -> bool:
    cells = [row[place].strip() for row in rows if place < len(row) and row[place].strip()]
    return bool(cells) and all(_HASH.fullmatch(cell) for cell in cells)


def _listed(headings: Sequence[str]) -> str:
    shown = ", ".join(heading.strip()[:30] or "(empty)" for heading in headings[:12])
    return shown + (" …" if len(headings) > 12 else "")

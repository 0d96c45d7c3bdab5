"""CREMA-D, crowd-sourced emotional multimodal actors dataset (Cao et al. 2014)."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ser_core.corpora.base import ParsedName, Reader, Refused, emotion_of_code
from ser_core.corpora.clip import Clip

_NAME = re.compile(r"(?i)(\d{4})_([a-z]{3})_([a-z]{3})(?:_(xx?|lo|md|hi))?")
_CODES = {
    "ang": "anger",
    "dis": "disgust",
    "fea": "fear",
    "hap": "joy",
    "neu": "neutral",
    "sad": "sadness",
}
_EMOTION_LETTERS = {
    "A": "anger",
    "D": "disgust",
    "F": "fear",
    "H": "joy",
    "N": "neutral",
    "S": "sadness",
}
# Of the actors 1001 to 1091, by their last two digits (VideoDemographics.csv of the corpus).
_WOMEN = frozenset(
    1000 + actor
    for actor in (
        *(2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 18, 20, 21, 24, 25, 28, 29, 30, 37, 43, 46, 47, 49),
        *(52, 53, 54, 55, 56, 58, 60, 61, 63, 72, 73, 74, 75, 76, 78, 79, 82, 84, 89, 91),
    )
)


class CremaD(Reader):
    """``1001_DFA_ANG_XX``: actor, sentence, emotion, level; annotators' counts where present."""

    name = "cremad"
    title = "CREMA-D"
    language = "English"
    licence = "ODbL 1.0 (contents DbCL 1.0)"
    url = "https://github.com/CheyneyComputerScience/CREMA-D"
    citation = (
        "Cao et al., CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset, "
        "IEEE Transactions on Affective Computing 5(4), 2014"
    )
    description = "American English, acted, 91 actors, 6 emotions; names like 1001_DFA_ANG_XX.wav"
    folder_names = ("cremad", "crema-d", "crema")

    def parse(self, relative: PurePosixPath) -> ParsedName:
        match = _NAME.fullmatch(relative.stem)
        if match is None:
            raise Refused("unreadable-name", "expected a name like 1001_DFA_ANG_XX (CREMA-D).")
        actor, sentence, code, _ = match.groups()
        sex = ("f" if int(actor) in _WOMEN else "m") if 1001 <= int(actor) <= 1091 else ""
        return ParsedName(emotion_of_code(_CODES, code), actor, sex, sentence.upper())

    def meta(self, folder: Path) -> Mapping[str, object]:
        for path in sorted(folder.rglob("tabulatedVotes.csv")):
            return voice_annotations(path)
        return {}

    def refine(self, clip: Clip, meta: Mapping[str, object]) -> Clip:
        annotations = meta.get(PurePosixPath(clip.key).name.upper())
        return replace(clip, annotations=annotations) if isinstance(annotations, dict) else clip


def voice_annotations(path: Path) -> dict[str, dict[str, int]]:
    """Read how many listeners, hearing the voice alone, chose each emotion.

    The table holds each clip three times; its first column tells how the clip was shown: 1xxxxx
    the voice alone, 2xxxxx the face alone, 3xxxxx both (the README of the corpus: queryType).

    Args:
        path: ``processedResults/tabulatedVotes.csv``.

    Returns:
        Upper-case file name without ending -> canonical emotion -> annotators, zeros left out.
    """
    annotations: dict[str, dict[str, int]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            if len(row.get("") or "") != 6 or not row[""].startswith("1"):
                continue
            annotations[row["fileName"].upper()] = {
                emotion: int(row[letter])
                for letter, emotion in _EMOTION_LETTERS.items()
                if int(row[letter]) > 0
            }
    return annotations

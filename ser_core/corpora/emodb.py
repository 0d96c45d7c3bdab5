"""EMO-DB, the Berlin database of emotional speech (Burkhardt et al. 2005)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ser_core.corpora.base import ParsedName, Reader, Refused, emotion_of_code

_NAME = re.compile(r"(?i)(\d{2})([ab]\d{2})([a-z])([a-z])?")
# First letters of the German words: Wut, Langeweile, Ekel, Angst, Freude, Trauer.
_CODES = {
    "w": "anger",
    "l": "boredom",
    "e": "disgust",
    "a": "fear",
    "f": "joy",
    "t": "sadness",
    "n": "neutral",
}
SEXES = dict.fromkeys(("03", "10", "11", "12", "15"), "m") | dict.fromkeys(
    ("08", "09", "13", "14", "16"), "f"
)


class EmoDb(Reader):
    """``03a01Fa``: speaker, sentence, German letter of the emotion, version."""

    name = "emodb"
    title = "EMO-DB"
    language = "German"
    licence = "free to use with citation (published by others as CC0)"
    url = "http://emodb.bilderbar.info"
    citation = "Burkhardt et al., A database of German emotional speech, Interspeech 2005"
    description = "German, acted, 10 speakers, 7 emotions with boredom; names like 03a01Fa.wav"
    folder_names = ("emodb", "emo-db", "berlin")

    def parse(self, relative: PurePosixPath) -> ParsedName:
        match = _NAME.fullmatch(relative.stem)
        if match is None:
            raise Refused("unreadable-name", "expected a name like 03a01Fa (EMO-DB).")
        speaker, sentence, code, _ = match.groups()
        return ParsedName(
            emotion_of_code(_CODES, code), speaker, SEXES.get(speaker, ""), sentence.lower()
        )

"""URDU, emotional speech from talk shows (Latif et al. 2018)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ser_core.corpora.base import ParsedName, Reader, Refused, emotion_of_code

_NAME = re.compile(r"(?i)(s[mf]\d+)_f(\d+)_([a-z])(\d+)")
_CODES = {"a": "anger", "h": "joy", "n": "neutral", "s": "sadness"}


class Urdu(Reader):
    """``SM1_F10_A010``: speaker with sex, file of that speaker, emotion, file of that emotion."""

    name = "urdu"
    title = "URDU"
    language = "Urdu"
    licence = "research only"
    url = "https://github.com/siddiquelatif/URDU-Dataset"
    citation = (
        "Latif et al., Cross Lingual Speech Emotion Recognition: Urdu vs. Western Languages, "
        "FIT 2018"
    )
    description = "Urdu, natural (talk shows), 38 speakers, 4 emotions; names like SM1_F10_A010.wav"
    folder_names = ("urdu", "urdu-dataset")

    def parse(self, relative: PurePosixPath) -> ParsedName:
        match = _NAME.fullmatch(relative.stem)
        if match is None:
            raise Refused("unreadable-name", "expected a name like SM1_F10_A010 (URDU).")
        speaker, _, code, _ = match.groups()
        return ParsedName(emotion_of_code(_CODES, code), speaker.upper(), speaker[1].lower())

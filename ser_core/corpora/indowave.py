"""IndoWaveSentiment, emotional speech in Indonesian (Bustamin et al. 2024)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ser_core.corpora.base import OtherEmotion, ParsedName, Reader, Refused, emotion_of_code

_NAME = re.compile(r"(\d{2})-(\d{2})-(0[12])-(\d{2})")
_CODES = {"01": "neutral", "02": "joy", "03": "surprise", "04": "disgust"}
_OTHER = {"05": "disappointed"}


class IndoWave(Reader):
    """``Actor_08/08-03-02-01``: speaker, emotion, intensity, take of the one sentence."""

    name = "indowave"
    title = "IndoWaveSentiment"
    language = "Indonesian"
    licence = "CC BY 4.0"
    url = "https://data.mendeley.com/datasets/j9ytfdzy27"
    citation = (
        "Bustamin et al., IndoWaveSentiment: Indonesian audio dataset for emotion classification, "
        "Data in Brief 57, 2024"
    )
    description = (
        "Indonesian, acted, 10 speakers, 4 emotions and “disappointed”; names like 08-03-02-01.wav"
    )
    folder_names = ("indowave", "indowavesentiment")

    def parse(self, relative: PurePosixPath) -> ParsedName:
        match = _NAME.fullmatch(relative.stem)
        if match is None:
            raise Refused(
                "unreadable-name", "expected a name like 08-03-02-01 (IndoWaveSentiment)."
            )
        speaker, code, _intensity, _take = match.groups()
        sex = "m" if int(speaker) % 2 else "f"
        if code in _OTHER:
            raise OtherEmotion(_OTHER[code], speaker, sex, "s1")
        return ParsedName(emotion_of_code(_CODES, code), speaker, sex, "s1")

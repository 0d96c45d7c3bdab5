"""SAVEE, Surrey audio-visual expressed emotion (Jackson and Haq 2014)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ser_core.corpora.base import ParsedName, Reader, Refused, emotion_of_code

_NAME = re.compile(r"(?i)(?:(dc|je|jk|kl)[_\-])?(sa|su|[a-z])(\d{1,2})")
_CODES = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "joy",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
_SPEAKERS = ("DC", "JE", "JK", "KL")


class Savee(Reader):
    """``DC/a01`` or ``DC_a01``: speaker (folder or prefix), letters of the emotion, sentence."""

    name = "savee"
    title = "SAVEE"
    language = "English"
    licence = "research only"
    url = "http://kahlan.eps.surrey.ac.uk/savee/"
    citation = (
        "Jackson and Haq, Surrey Audio-Visual Expressed Emotion (SAVEE) Database, "
        "University of Surrey, 2014"
    )
    description = "British English, acted, 4 men, 7 emotions; names like DC/a01.wav or DC_a01.wav"
    folder_names = ("savee",)

    def parse(self, relative: PurePosixPath) -> ParsedName:
        match = _NAME.fullmatch(relative.stem)
        if match is None:
            raise Refused("unreadable-name", "expected a name like DC_a01 or DC/a01 (SAVEE).")
        prefix, code, number = match.groups()
        # Names repeat across speakers: without a prefix the nearest folder that is one decides.
        folders = [part.upper() for part in reversed(relative.parts[:-1])]
        speaker = (prefix or next((part for part in folders if part in _SPEAKERS), "")).upper()
        if not speaker:
            raise Refused(
                "unknown-speaker",
                f"neither its name nor a folder says who speaks ({', '.join(_SPEAKERS)}).",
            )
        emotion = emotion_of_code(_CODES, code)
        return ParsedName(emotion, speaker, "m", f"{code.lower()}{int(number):02d}")

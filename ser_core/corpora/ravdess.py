"""RAVDESS, spoken part (Livingstone and Russo 2018)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ser_core.corpora.base import ParsedName, Reader, Refused, emotion_of_code

_NAME = re.compile(r"(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})-(\d{2})")
_CODES = {
    "01": "neutral",
    "02": "calm",
    "03": "joy",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_CHANNELS = {"01": "ravdess", "02": "ravdess_song"}


class Ravdess(Reader):
    """``03-01-05-01-02-01-12``: modality, channel, emotion, intensity, sentence, take, actor."""

    name = "ravdess"
    title = "RAVDESS (speech)"
    language = "English"
    licence = "CC BY-NC-SA 4.0"
    url = "https://zenodo.org/records/1188976"
    citation = (
        "Livingstone and Russo, The Ryerson Audio-Visual Database of Emotional Speech and Song, "
        "PLoS ONE 13(5), 2018"
    )
    description = (
        "North American English, acted, 24 actors, 8 emotions with calm; "
        "names like 03-01-05-01-02-01-12.wav"
    )
    family = "ravdess"
    folder_names: tuple[str, ...] = ("ravdess", "ravdess_speech", "audio_speech_actors_01-24")

    def parse(self, relative: PurePosixPath) -> ParsedName:
        match = _NAME.fullmatch(relative.stem)
        if match is None:
            raise Refused("unreadable-name", f"expected seven pairs of digits ({self.title}).")
        modality, channel, code, _intensity, sentence, _take, actor = match.groups()
        if sentence > "02" or _take > "02" or actor > "24":
            raise Refused(
                "other-corpus",
                f"{self.title} has two sentences, two takes and 24 actors; as in BanglaSER?",
            )
        if modality == "02":
            raise Refused("no-sound", "video without sound (its name begins with 02).")
        if (other := _CHANNELS.get(channel)) != self.name:
            message = f"belongs to {other}" if other else f"has the unknown vocal channel {channel}"
            raise Refused("other-corpus", f"{message}; this reader takes {self.title} only.")
        sex = "f" if int(actor) % 2 == 0 else "m"
        return ParsedName(emotion_of_code(_CODES, code), actor, sex, sentence)

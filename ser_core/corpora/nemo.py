"""nEMO, emotional speech in Polish (Christop 2024)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ser_core.corpora.base import ParsedName, Reader, Refused, emotion_of_word

_NAME = re.compile(r"(?i)([a-z]{2}\d)_([a-z]+)_(\d+)")
SEXES = dict.fromkeys(("EB0", "IC0", "KD0", "MK0"), "f") | dict.fromkeys(
    ("KS0", "MP0", "SM0", "TP0", "WR0"), "m"
)


class Nemo(Reader):
    """``WR0_surprised_64``: speaker, emotion, sentence."""

    name = "nemo"
    title = "nEMO"
    language = "Polish"
    licence = "CC BY-NC-SA 4.0"
    url = "https://huggingface.co/datasets/amu-cai/nEMO"
    citation = "Christop, nEMO: Dataset of Emotional Speech in Polish, LREC-COLING 2024"
    description = "Polish, acted, 9 speakers, 6 emotions; names like WR0_surprised_64.wav"
    folder_names = ("nemo",)

    def parse(self, relative: PurePosixPath) -> ParsedName:
        match = _NAME.fullmatch(relative.stem)
        if match is None:
            raise Refused("unreadable-name", "expected a name like WR0_surprised_64 (nEMO).")
        speaker, emotion, sentence = match.groups()
        speaker = speaker.upper()
        return ParsedName(
            emotion_of_word(emotion), speaker, SEXES.get(speaker, ""), str(int(sentence))
        )

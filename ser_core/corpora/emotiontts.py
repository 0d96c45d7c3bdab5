"""The emotional part of emotiontts_open_db, Korean."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ser_core.corpora.base import ParsedName, Reader, Refused

_NAME = re.compile(r"(?i)(em[a-z]|ne[a-z])(\d{5})")
_HUNDREDS = ("neutral", "joy", "anger", "sadness")
_SEXES = (
    dict.fromkeys(("ema", "emb", "emc", "emd", "eme"), "f")
    | dict.fromkeys(("nea", "neb", "nec", "ned", "nee"), "f")
    | dict.fromkeys(("emf", "emg", "emh", "emi", "emj"), "m")
    | dict.fromkeys(("nek", "nel", "nem", "nen", "neo"), "m")
)


class EmotionTts(Reader):
    """``plain-to-emotional/ema/wav/ema00105``: speaker and number, a hundred for each emotion."""

    name = "emotiontts"
    title = "emotiontts_open_db"
    language = "Korean"
    licence = "CC BY-NC-SA 4.0"
    url = "https://github.com/emotiontts/emotiontts_open_db"
    citation = "emotiontts_open_db, a Korean database of emotional speech; see its README"
    description = "Korean, read by speakers, 4 emotions; names like ema00105.wav"
    folder_names = ("emotiontts", "emotiontts_open_db")

    def parse(self, relative: PurePosixPath) -> ParsedName:
        match = _NAME.fullmatch(relative.stem)
        number = int(match[2]) if match else 0
        if match is None or not 1 <= number <= 100 * len(_HUNDREDS):
            raise Refused(
                "unreadable-name",
                "expected a name like ema00105, with a number from 1 to 400 (emotiontts_open_db).",
            )
        speaker = match[1].lower()
        # The speakers em* read the same hundred sentences in each emotion.
        shared = speaker.startswith("em")
        sentence = f"em{(number - 1) % 100 + 1:03d}" if shared else f"{speaker}{number:05d}"
        return ParsedName(
            _HUNDREDS[(number - 1) // 100], speaker, _SEXES.get(speaker, ""), sentence
        )

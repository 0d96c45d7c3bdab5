"""BanglaSER, emotional speech in Bangla (Das et al. 2022)."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from ser_core.corpora.base import (
    ParsedName,
    Reader,
    Refused,
    audio_files,
    emotion_of_code,
    source_stem,
)

_NAME = re.compile(r"(0[1-3])-(01)-(\d{2})-(0[12])-(0[1-3])-(0[1-3])-(\d{2})")
_CODES = {"01": "joy", "02": "sadness", "03": "anger", "04": "surprise", "05": "neutral"}
_RAVDESS_ACTORS = 24


class BanglaSer(Reader):
    """``03-01-03-02-03-01-16``: mode, channel, emotion, intensity, sentence, take, actor.

    The names have the shape of RAVDESS's with other codes for the emotions. Those that RAVDESS
    can't have (a third sentence, a third take, an actor over 24) tell the two apart.
    """

    name = "banglaser"
    title = "BanglaSER"
    language = "Bangla"
    licence = "CC BY 4.0"
    url = "https://data.mendeley.com/datasets/t9h6p943xy"
    citation = (
        "Das et al., BanglaSER: A speech emotion recognition dataset for the Bangla language, "
        "Data in Brief 42, 2022"
    )
    description = "Bangla, acted, 34 actors, 5 emotions; names like 03-01-03-02-03-01-16.wav"
    folder_names = ("banglaser",)

    def parse(self, relative: PurePosixPath) -> ParsedName:
        match = _NAME.fullmatch(relative.stem)
        if match is None:
            raise Refused(
                "unreadable-name", "expected a name like 03-01-03-02-03-01-16 (BanglaSER)."
            )
        _mode, _channel, code, _intensity, sentence, _take, actor = match.groups()
        sex = "m" if int(actor) % 2 else "f"
        return ParsedName(emotion_of_code(_CODES, code), actor, sex, f"s{sentence}")

    def detect(self, folder: Path) -> float:
        """Return the share of names that can be read, 0 where all could be RAVDESS's too."""
        stems = (source_stem(path.stem) for path in audio_files(folder))
        return super().detect(folder) if any(map(only_here, stems)) else 0.0


def only_here(stem: str) -> bool:
    """Return whether a name is BanglaSER's and can't be RAVDESS's.

    >>> only_here("03-01-03-02-03-01-16"), only_here("03-01-03-02-02-01-16")
    (True, False)
    """
    match = _NAME.fullmatch(stem)
    return match is not None and ("03" in (match[5], match[6]) or int(match[7]) > _RAVDESS_ACTORS)

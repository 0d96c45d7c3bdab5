"""TESS, Toronto emotional speech set (Pichora-Fuller and Dupuis 2020)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from ser_core.corpora.base import ParsedName, Reader, Refused, emotion_of_word

# The F of one file, OA_bite_neutral, is missing in the owners' own copy.
_NAME = re.compile(r"(?i)(oaf?|yaf?)_([a-z'’\-]+)_([a-z_ ]+)")


class Tess(Reader):
    """``OAF_back_angry``: speaker (the older or the younger actress), word, emotion."""

    name = "tess"
    title = "TESS"
    language = "English"
    licence = "CC BY-NC-ND 4.0"
    url = "https://doi.org/10.5683/SP2/E8H2MF"
    citation = (
        "Pichora-Fuller and Dupuis, Toronto emotional speech set (TESS), Borealis, 2020, "
        "doi:10.5683/SP2/E8H2MF"
    )
    description = (
        "Canadian English, acted, 2 women, 200 words, 7 emotions; names like OAF_back_angry.wav"
    )
    folder_names = ("tess", "tess toronto emotional speech set data")

    def parse(self, relative: PurePosixPath) -> ParsedName:
        match = _NAME.fullmatch(relative.stem)
        if match is None:
            raise Refused("unreadable-name", "expected a name like OAF_back_angry (TESS).")
        speaker, word, emotion = match.groups()
        return ParsedName(emotion_of_word(emotion), speaker[:2].upper() + "F", "f", word.lower())

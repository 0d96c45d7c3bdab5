"""Where each corpus comes from, what it is called and under which licence."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ser_core.audio import AUDIO_ENDINGS
from ser_core.corpora.fetch import DownloadError
from ser_core.corpora.registry import READERS

_CREMAD = "CheyneyComputerScience/CREMA-D/master"
_CREMAD_TEXT = f"https://raw.githubusercontent.com/{_CREMAD}"
_CREMAD_AUDIO = (
    "https://gitlab.com/cs-cooper-lab/crema-d-mirror/-/raw/main/AudioWAV",
    f"https://media.githubusercontent.com/media/{_CREMAD}/AudioWAV",
)
_DATAVERSE = "https://borealisdata.ca"


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """What a person should know before fetching a corpus.

    Attributes:
        name: the reader's name.
        title: as its owners call it.
        licence: what one accepts by fetching it.
        url: its owners' page.
        citation: what to cite.
        size: bytes to fetch, rounded where the owners state none; 0 where it can't be fetched.
        clips: how many the complete corpus has.
        open: whether `download` fetches it.
        how: where it comes from, or where to ask.
    """

    name: str
    title: str
    licence: str
    url: str
    citation: str
    size: int
    clips: int
    open: bool
    how: str


def _info(name: str, size: int, clips: int, how: str) -> CorpusInfo:
    reader = READERS[name]
    return CorpusInfo(
        name, reader.title, reader.licence, reader.url, reader.citation, size, clips, size > 0, how
    )


CORPORA_INFO: dict[str, CorpusInfo] = {
    info.name: info
    for info in (
        _info("emodb", 40_600_000, 535, "one archive from its owners' site"),
        _info("ravdess", 208_468_073, 1440, "one archive from Zenodo, with size and MD5"),
        _info("ravdess_song", 225_505_317, 1012, "one archive from Zenodo, with size and MD5"),
        _info("cremad", 600_000_000, 7442, "clip by clip from its owners' mirrors (Git LFS)"),
        _info("tess", 290_000_000, 2800, "clip by clip from Borealis, with size and MD5 of each"),
        _info("nemo", 520_000_000, 4481, "one archive of its owners' repository"),
        _info(
            "savee",
            0,
            480,
            "register at http://kahlan.eps.surrey.ac.uk/savee/Download.html, then put the folders "
            "DC, JE, JK, KL into corpora/savee",
        ),
        _info(
            "urdu",
            0,
            400,
            "ask its authors at https://github.com/siddiquelatif/URDU-Dataset, then put the "
            "folders Angry, Happy, Neutral, Sad into corpora/urdu",
        ),
        _info(
            "banglaser",
            0,
            1467,
            "fetch it at https://data.mendeley.com/datasets/t9h6p943xy, then put its files into "
            "corpora/banglaser",
        ),
        _info(
            "indowave",
            0,
            300,
            "fetch it at https://data.mendeley.com/datasets/j9ytfdzy27, then put the folders "
            "Actor_01 to Actor_10 into corpora/indowave",
        ),
        _info(
            "emotiontts",
            0,
            6000,
            "fetch it at https://github.com/emotiontts/emotiontts_open_db, then put the folders "
            "plain-to-emotional and emotional-to-emotional into corpora/emotiontts",
        ),
    )
}
"""Every corpus with a name of its own: to be listed, fetched or asked for."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a corpus that is offered file by file.

    Attributes:
        path: where it lies in the corpus.
        urls: its addresses.
        size: bytes that the owners state, or None.
        checksum: that the owners state, or "".
    """

    path: str
    urls: tuple[str, ...]
    size: int | None = None
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class Archive:
    """A corpus that is offered as one zip archive.

    Attributes:
        url: its address.
        size: bytes that the owners state, or None.
        checksum: that the owners state, or "".
        wrapped: whether one folder wraps all of it.
    """

    url: str
    size: int | None = None
    checksum: str = ""
    wrapped: bool = False


PartLister = Callable[[httpx.Client], Sequence[Part]]


def _zenodo(name: str, size: int, md5: str) -> Archive:
    return Archive(f"https://zenodo.org/records/1188976/files/{name}", size, f"md5:{md5}")


def cremad_parts(
    http: httpx.Client, text: str = _CREMAD_TEXT, audio: Sequence[str] = _CREMAD_AUDIO
) -> list[Part]:
    """List CREMA-D from its own table of file names, with the tables that readers use."""
    table = _get(http, f"{text}/SentenceFilenames.csv").text
    rows = list(csv.DictReader(io.StringIO(table)))
    if not rows or "Filename" not in rows[0]:
        raise DownloadError(f"{text}/SentenceFilenames.csv: expected a column Filename.")
    tables = ("VideoDemographics.csv", "processedResults/tabulatedVotes.csv")
    return [Part(f"meta/{name}", (f"{text}/{name}",)) for name in tables] + [
        Part(f"AudioWAV/{row['Filename']}.wav", tuple(f"{a}/{row['Filename']}.wav" for a in audio))
        for row in rows
    ]


def tess_parts(
    http: httpx.Client, server: str = _DATAVERSE, doi: str = "doi:10.5683/SP2/E8H2MF"
) -> list[Part]:
    """List TESS from the interface of the Dataverse that keeps it, with sizes and checksums."""
    answer = _get(http, f"{server}/api/datasets/:persistentId/?persistentId={doi}")
    try:
        files = answer.json()["data"]["latestVersion"]["files"]
        parts = [_dataverse_part(server, file) for file in files]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DownloadError(f"{server}: its list of {doi} can't be read ({error!r}).") from error
    return [part for part in parts if Path(part.path).suffix.casefold() in AUDIO_ENDINGS]


def _dataverse_part(server: str, file: Mapping[str, Any]) -> Part:
    data = file["dataFile"]
    stated = data.get("checksum") or {"type": "MD5", "value": data.get("md5", "")}
    kind = str(stated["type"]).lower().replace("-", "")
    known = kind in ("md5", "sha256") and bool(stated["value"])
    folder = str(file.get("directoryLabel", ""))
    return Part(
        f"{folder}/{data['filename']}" if folder else str(data["filename"]),
        (f"{server}/api/access/datafile/{int(data['id'])}",),
        int(data["filesize"]) if "filesize" in data else None,
        f"{kind}:{stated['value']}" if known else "",
    )


SOURCES: dict[str, Archive | PartLister] = {
    "emodb": Archive("http://emodb.bilderbar.info/download/download.zip"),
    "ravdess": _zenodo(
        "Audio_Speech_Actors_01-24.zip", 208_468_073, "bc696df654c87fed845eb13823edef8a"
    ),
    "ravdess_song": _zenodo(
        "Audio_Song_Actors_01-24.zip", 225_505_317, "5411230427d67a21e18aa4d466e6d1b9"
    ),
    "cremad": cremad_parts,
    "tess": tess_parts,
    "nemo": Archive("https://github.com/amu-cai/nEMO/archive/refs/heads/main.zip", wrapped=True),
}
"""Where each open corpus comes from."""


def _get(http: httpx.Client, url: str) -> httpx.Response:
    try:
        answer = http.get(url)
    except httpx.RequestError as error:
        raise DownloadError(f"{url}: can't be reached ({error}). Try again later.") from error
    if answer.status_code != 200:
        raise DownloadError(f"{url}: refused with status {answer.status_code}.")
    return answer

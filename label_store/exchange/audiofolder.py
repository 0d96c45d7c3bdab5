"""Hugging Face's audiofolder: audio files and a ``metadata.csv`` beside them.

Source: the datasets library's documentation, "Create an audio dataset", AudioFolder.
"""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from label_store import names
from label_store.clips import write_whole
from label_store.errors import SaveError
from label_store.exchange.csv_table import times
from label_store.exchange.formulas import defuse
from label_store.exchange.rows import LabelRow

AUDIO: Final = "audio"
_HEAD: Final = ("file_name", "emotion", "original_name", "corpus", "clip", "start", "end")


def to_audiofolder(rows: Sequence[LabelRow], audio: Mapping[str, Path], folder: Path) -> int:
    """Write rows and their audio as an audiofolder; return how many rows had no audio.

    Args:
        rows: what it holds; rows whose clip has no file are left out and counted.
        audio: clip -> file.
        folder: where to; it has to be empty or missing.

    Raises:
        SaveError: the folder is not empty, or the disk did not take it.
    """
    if folder.is_dir() and any(folder.iterdir()):
        raise SaveError(f"{folder} is not empty; choose a new folder.")
    held = [row for row in rows if row.clip in audio]
    extra = sorted({name for row in held for name in row.extra})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_HEAD, *map(defuse, extra)])
    taken: dict[str, str] = {}
    try:
        (folder / AUDIO).mkdir(parents=True, exist_ok=True)
        for row in held:
            file = _place(row, audio[row.clip], taken)
            target = folder / AUDIO / file
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(audio[row.clip], target)
            # The folder before it keeps the joining column from ever looking like a formula.
            cells = [row.emotion, row.file_name, row.corpus, row.clip, *times(row)]
            cells += [row.extra.get(name, "") for name in extra]
            writer.writerow([f"{AUDIO}/{file}", *map(defuse, cells)])
        write_whole(folder / "metadata.csv", text.getvalue().encode())
    except OSError as error:
        raise SaveError(
            f"{folder} can't be written: {error.strerror or error}. "
            "Free some space or choose another folder."
        ) from error
    return len(rows) - len(held)


def _place(row: LabelRow, path: Path, taken: dict[str, str]) -> str:
    # Two clips may share a name; a name may have no ending, or another than its bytes.
    name = row.file_name.replace("\\", "/")
    if names.problem(name) or PurePosixPath(name).suffix.lower() != path.suffix:
        name = f"{row.clip}{path.suffix}"
    if taken.setdefault(names.fold(name), row.clip) != row.clip:
        name = f"{row.clip}{path.suffix}"
        taken[names.fold(name)] = row.clip
    return name

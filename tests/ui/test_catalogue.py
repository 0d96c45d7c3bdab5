"""The page's catalogue reads what the trainer reads: folders, archives, tables that change."""

from __future__ import annotations

import os
import zipfile

from ser_core.audio import to_wav_bytes
from tests.ui.conftest import voice
from trainer.data.labelled_clips import finder
from ui.services import Services

SOUND = to_wav_bytes(voice(0.4), 16_000)


def rows(services: Services) -> dict[tuple[str, str], str]:
    return {one.place: one.emotion for one in services.catalogue.listing().sources}


def test_archives_and_a_table_in_the_root_are_read(services: Services) -> None:
    root = services.home / "corpora"
    root.mkdir(parents=True)
    with zipfile.ZipFile(root / "mine.zip", "w") as archive:
        archive.writestr("mine/a.wav", SOUND)
        archive.writestr("mine/labels.csv", "Filename,Emotion\na.wav,joy\n")
    assert rows(services) == {("mine", "a.wav"): "joy"}
    (source,) = services.catalogue.listing().sources
    assert services.catalogue.hash_of(source)
    (root / "loose.wav").write_bytes(SOUND + b"1")
    (root / "labels.csv").write_text("Filename,Emotion\nloose.wav,fear\n")
    assert rows(services)["corpora", "loose.wav"] == "fear"
    find = finder(root, services.home / "cache" / "decoded" / "unpacked")
    assert find("mine", "a.wav") == source.path
    assert find("corpora", "loose.wav") == root / "loose.wav"


def test_what_has_no_place_there_is_told(services: Services) -> None:
    root = services.home / "corpora"
    root.mkdir(parents=True)
    (root / "labels.csv").write_text("Filename,Emotion\na.wav,fear\n")
    (root / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    notices = " ".join(services.catalogue.listing().notices)
    assert "without its audio" in notices
    assert "broken.zip" in notices
    assert str(services.home) not in notices
    assert rows(services) == {}


def test_a_table_that_was_edited_in_place_is_read_again(services: Services) -> None:
    folder = services.home / "corpora" / "mine"
    folder.mkdir(parents=True)
    (folder / "a.wav").write_bytes(SOUND)
    table = folder / "labels.csv"
    table.write_text("Filename,Emotion\na.wav,joy\n")
    assert rows(services) == {("mine", "a.wav"): "joy"}
    before = folder.stat()
    with table.open("r+b") as file:
        file.write(b"Filename,Emotion\na.wav,sad\n")
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert rows(services) == {("mine", "a.wav"): "sadness"}

"""The page's catalogue reads what the trainer reads: folders, archives, tables that change."""

from __future__ import annotations

import os
import zipfile

import pytest

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


def test_what_happens_in_a_folder_that_was_quiet_for_long_is_seen(services: Services) -> None:
    folder = services.home / "corpora" / "mine"
    folder.mkdir(parents=True)
    (folder / "a.wav").write_bytes(SOUND)
    table = folder / "labels.csv"
    table.write_text("Filename,Emotion\na.wav,joy\nb.wav,fear\n")
    os.utime(folder, (1e9, 1e9))
    assert services.catalogue.listing() is services.catalogue.listing()
    assert rows(services)["mine", "b.wav"] == "fear"
    with table.open("r+b") as file:  # the folder's own time stays
        file.write(b"Filename,Emotion\na.wav,sad\n")
    assert folder.stat().st_mtime == 1e9
    assert rows(services)["mine", "a.wav"] == "sadness"
    missing = next(one for one in services.catalogue.listing().sources if one.name == "b.wav")
    assert missing.path is None
    (folder / "b.wav").write_bytes(SOUND)
    found = next(one for one in services.catalogue.listing().sources if one.name == "b.wav")
    assert found.path == folder / "b.wav"
    os.utime(folder, (1.1e9, 1.1e9))
    rows(services)
    table.rename(folder / "renamed.csv")
    (folder / "renamed.csv").write_text("Filename,Emotion\na.wav,anger\n")
    assert rows(services)["mine", "a.wav"] == "anger"


def test_a_folder_is_looked_through_once_for_all_readers(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = services.home / "corpora" / "recordings"
    folder.mkdir(parents=True)
    (folder / "a.wav").write_bytes(SOUND)
    (folder / "labels.csv").write_text("Filename,Emotion\na.wav,joy\n")
    walked: list[str] = []
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda top: walked.append(str(top)) or walk(top))
    assert rows(services) == {("recordings", "a.wav"): "joy"}
    assert walked.count(str(folder)) == 1

"""What was set about annotators survives a wiped disk; the later change wins on both sides."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from label_store import LabelStore, SyncError
from label_store.annotators import read_annotator_settings, write_annotator_settings
from label_store.gold import GoldClip, mark
from label_store.sync import Replica
from label_store.sync.annotation_settings import AnnotationSettingsSync
from label_store.sync.settings import SyncSettings, make_syncer

from .places import Memory


def trust(folder: Path, name: str, at: float) -> None:
    write_annotator_settings(folder, {name}, 0.1, by=name, clock=lambda: at)
    os.utime(folder / "people.json", (at, at))


def trusted(folder: Path) -> set[str]:
    return set(read_annotator_settings(folder).trusted or ())


def test_what_was_set_comes_back_after_the_disk_is_gone(tmp_path: Path) -> None:
    place, store = Memory(), LabelStore(tmp_path / "a")
    first = AnnotationSettingsSync(store.folder, place)
    assert first() == ()
    mark(store, [GoldClip("ab" * 32, "joy", "a.wav", "emodb", "ada")])
    trust(store.folder, "ada", 1_800_000_000.25)
    assert first() == ("sent gold.csv", "sent people.json")
    assert first() == ()
    wiped = AnnotationSettingsSync(tmp_path / "b" / "labels", place)
    assert wiped() == ("received gold.csv", "received people.json")
    assert wiped() == first() == ()
    for name in ("gold.csv", "people.json"):
        copy = tmp_path / "b" / "labels" / name
        assert copy.read_bytes() == (store.folder / name).read_bytes()


def test_the_later_change_wins_and_no_earlier_one_stays_at_the_place(tmp_path: Path) -> None:
    place = Memory()
    folders = [tmp_path / name / "labels" for name in "ab"]
    sides = [AnnotationSettingsSync(folder, place) for folder in folders]
    trust(folders[0], "ada", 1_800_000_000)
    trust(folders[1], "ben", 1_800_000_100)
    for side in sides * 2:
        side()
    assert trusted(folders[0]) == trusted(folders[1]) == {"ben"}
    trust(folders[0], "cleo", 1_800_000_200)
    for side in sides * 2:
        side()
    assert trusted(folders[1]) == {"cleo"}
    assert len(place.names()) == 1


def write_guidelines(home: Path, text: str, at: float) -> None:
    home.mkdir(exist_ok=True)
    (home / "guidelines.md").write_text(text, encoding="utf-8")
    os.utime(home / "guidelines.md", (at, at))


def test_guidelines_come_back_and_the_later_text_wins_also_an_empty_one(tmp_path: Path) -> None:
    place = Memory()
    homes = [tmp_path / name for name in "ab"]
    sides = [AnnotationSettingsSync.of(LabelStore(home), place) for home in homes]
    write_guidelines(homes[0], "# Joy\nĄ smile", 1_800_000_000.5)
    assert sides[0]() == ("sent guidelines.md",)
    assert sides[1]() == ("received guidelines.md",)
    assert sides[0]() == sides[1]() == ()
    copy = homes[1] / "guidelines.md"
    assert copy.read_bytes() == (homes[0] / "guidelines.md").read_bytes()
    write_guidelines(homes[1], "two", 1_800_000_100)
    write_guidelines(homes[0], "one", 1_800_000_050)
    for side in sides * 2:
        side()
    assert [(home / "guidelines.md").read_text("utf-8") for home in homes] == ["two", "two"]
    write_guidelines(homes[0], "", 1_800_000_200)
    for side in sides * 2:
        side()
    assert copy.read_text("utf-8") == ""
    (name,) = place.names()
    assert name.startswith("settings/guidelines.md-")
    # A version that knows no guidelines leaves them alone.
    assert AnnotationSettingsSync(homes[1] / "labels", place)() == ()
    assert place.names() == [name]


def test_what_is_damaged_there_is_not_taken(tmp_path: Path) -> None:
    place = Memory()
    trust(tmp_path / "a", "ada", 1_800_000_000)
    AnnotationSettingsSync(tmp_path / "a", place)()
    (name,) = place.names()
    place.remove([name])
    place.write({name: b"{}"})
    with pytest.raises(SyncError, match="damaged"):
        AnnotationSettingsSync(tmp_path / "b", place)()
    assert not (tmp_path / "b" / "people.json").exists()


def test_a_round_of_the_page_carries_them_and_labels_know_nothing_of_it(tmp_path: Path) -> None:
    copy = SyncSettings(str(tmp_path / "copy"))
    one, other = LabelStore(tmp_path / "a"), LabelStore(tmp_path / "b")
    trust(one.folder, "ada", 1_800_000_000)
    write_guidelines(one.home, "# Joy", 1_800_000_000)
    for store in (one, other):
        syncer = make_syncer(store, copy)
        syncer.start()
        assert syncer.wait_folded_in(20)
        assert syncer.stop()
    assert trusted(other.folder) == {"ada"}
    assert (other.home / "guidelines.md").read_text(encoding="utf-8") == "# Joy"
    place = Memory()
    AnnotationSettingsSync(one.folder, place)()
    moved = Replica(other, place).round()
    assert (moved.received, moved.damaged) == (0, [])
    assert len(place.names()) == 1

"""A trained model survives a wiped disk; nothing from a place writes outside its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from label_store import SyncError
from label_store.sync.models import ChampionSync
from label_store.sync.shards import digest

from .places import Memory


def version(home: Path, name: str, promoted: str, weights: bytes = b"weights") -> None:
    folder = home / "models" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "specification.json").write_text("{}")
    (folder / "weights.safetensors").write_bytes(weights)
    (folder / "state.pt").write_bytes(b"a resumable training")
    pointer = {"version": name, "folder": name, "promoted": promoted, "reason": "", "previous": ""}
    (home / "models" / "champion.json").write_text(json.dumps(pointer))


def champion(home: Path) -> str:
    return json.loads((home / "models" / "champion.json").read_text())["version"]


def test_the_champion_comes_back_after_the_disk_is_gone(tmp_path: Path) -> None:
    place = Memory()
    first = ChampionSync(tmp_path / "a", place)
    assert first() == ""
    version(tmp_path / "a", "20260101-000000", "2026-01-01T00:00:00+00:00")
    assert first() == "sent"
    assert first() == ""
    second = ChampionSync(tmp_path / "b", place)
    assert second() == "received"
    assert second() == ""
    found = tmp_path / "b" / "models" / "20260101-000000"
    assert sorted(path.name for path in found.iterdir()) == [
        "specification.json",
        "weights.safetensors",
    ]
    assert not list((tmp_path / "b" / "models").glob(".incoming-*"))


def test_the_later_promotion_wins_on_both_sides_also_going_back(tmp_path: Path) -> None:
    place = Memory()
    sides = [ChampionSync(tmp_path / name, place) for name in "ab"]
    version(tmp_path / "a", "old", "2026-01-01T00:00:00+00:00")
    version(tmp_path / "b", "new", "2026-01-02T00:00:00+00:00", b"better")
    for side in sides * 2:
        side()
    assert champion(tmp_path / "a") == champion(tmp_path / "b") == "new"
    weights = tmp_path / "a" / "models" / "new" / "weights.safetensors"
    assert weights.read_bytes() == b"better"
    version(tmp_path / "a", "old", "2026-01-03T00:00:00+00:00")  # rolled back
    for side in sides * 2:
        side()
    assert champion(tmp_path / "b") == "old"


def test_damaged_files_at_the_place_leave_the_champion_as_it_is(tmp_path: Path) -> None:
    place = Memory()
    version(tmp_path / "a", "one", "2026-01-01T00:00:00+00:00")
    ChampionSync(tmp_path / "a", place)()
    (weights,) = [name for name in place.objects if name.endswith(".safetensors")]
    place.objects[weights] = b"other"
    with pytest.raises(SyncError, match="damaged"):
        ChampionSync(tmp_path / "b", place)()
    del place.objects[weights]
    with pytest.raises(SyncError, match="lacks"):
        ChampionSync(tmp_path / "b", place)()
    assert not (tmp_path / "b" / "models" / "champion.json").exists()


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        ("../out", "a.json"),
        ("ok", "../../a.json"),
        ("ok", "/etc/a.json"),
        ("ok", "run.py"),
        ("", "a.json"),
    ],
)
def test_a_pointer_to_elsewhere_is_refused(tmp_path: Path, folder: str, file: str) -> None:
    place = Memory()
    pointer = {"version": "x", "folder": folder, "promoted": "2026-01-01T00:00:00+00:00"}
    data = json.dumps({"pointer": pointer, "files": {file: "0" * 64}}).encode()
    place.objects[f"models/champion-20260101T000000-{digest(data)}.json"] = data
    with pytest.raises(SyncError, match="outside"):
        ChampionSync(tmp_path / "b", place)()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]

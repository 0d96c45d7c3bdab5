"""A folder as a place: whole or not at all, also where a bucket is mounted."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from label_store import SyncError
from label_store.sync.folder import FolderPlace
from label_store.sync.open import open_place


def test_what_was_written_is_listed_and_read(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path / "copy")
    assert place.names() == []
    local = tmp_path / "clip.wav"
    local.write_bytes(b"voice")
    place.write({"labels/a.csv": b"1", "clips/ab/c.wav": local})
    place.write({"labels/a.csv": b"1"})
    assert place.names() == ["clips/ab/c.wav", "labels/a.csv"]
    assert dict(place.read([*place.names(), "gone"])) == {
        "labels/a.csv": b"1",
        "clips/ab/c.wav": b"voice",
    }
    place.remove(["labels/a.csv", "gone"])
    assert place.names() == ["clips/ab/c.wav"]


class Bucket(FolderPlace):
    """A mounted bucket: it can neither rename nor sync."""

    def _rename(self, draft: Path, target: Path) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


def test_a_bucket_that_refuses_to_rename_takes_it_under_its_own_name(tmp_path: Path) -> None:
    place = Bucket(tmp_path / "copy")
    place.write({"labels/a.csv": b"1"})
    assert place.names() == ["labels/a.csv"]
    assert dict(place.read(place.names())) == {"labels/a.csv": b"1"}
    assert [path.name for path in (tmp_path / "copy" / "labels").iterdir()] == ["a.csv"]


def test_a_folder_that_is_not_mounted_is_no_empty_place(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path / "mount" / "copy")
    with pytest.raises(SyncError, match="is it mounted"):
        place.names()
    with pytest.raises(SyncError):
        place.write({"labels/a.csv": b"1"})
    assert not (tmp_path / "mount").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    place = FolderPlace(tmp_path / "copy")
    place.write({"labels/a.csv": b"1"})
    (tmp_path / "copy" / "clips").symlink_to("/dev/full")
    with pytest.raises(SyncError, match="copy can't be used"):
        place.write({"clips/a.wav": b"1"})


@pytest.mark.parametrize(
    "address", ["", "hf://spaces/a/b", "s3://", "gs://bucket", "hf://datasets/a"]
)
def test_an_address_of_nothing_says_what_is_expected(address: str) -> None:
    with pytest.raises(SyncError, match="hf://datasets/OWNER/NAME"):
        open_place(address)

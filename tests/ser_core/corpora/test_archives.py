"""Archives of unknown origin stay in their folder, or are refused as a whole."""

from __future__ import annotations

import os
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ser_core.corpora import read, read_all
from ser_core.corpora.unpack import safe_path, unpack
from ser_core.errors import CorpusError


def pack(path: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data, compress_type=zipfile.ZIP_DEFLATED)
    return path


def everything(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def link(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("../out.wav", "outside"),
        ("a/../../out.wav", "outside"),
        ("/tmp/out.wav", "outside"),
        ("..\\out.wav", "outside"),
        ("C:\\out.wav", "outside"),
        (link("link.wav"), "link"),
    ],
)
def test_an_entry_that_would_escape_refuses_the_whole_archive(
    tmp_path: Path, entry: str | zipfile.ZipInfo, why: str
) -> None:
    archive = pack(tmp_path / "bad.zip", ("03a01Fa.wav", b"x"), (entry, b"/etc/passwd"))
    cache = tmp_path / "deep" / "cache"
    before = everything(tmp_path)
    with pytest.raises(CorpusError, match=why):
        unpack(archive, cache)
    assert everything(tmp_path) == before


def test_bounds_on_files_bytes_and_ratio(tmp_path: Path) -> None:
    many = pack(tmp_path / "many.zip", *((f"{n}.wav", b"x") for n in range(5)))
    with pytest.raises(CorpusError, match="at most 4"):
        unpack(many, tmp_path / "c", max_files=4)
    large = pack(tmp_path / "large.zip", ("a.wav", os.urandom(5000)))
    with pytest.raises(CorpusError, match="GiB"):
        unpack(large, tmp_path / "c", max_bytes=4000)
    bomb = pack(tmp_path / "bomb.zip", ("a.wav", bytes(4 * 2**20)))
    with pytest.raises(CorpusError, match="grows more than"):
        unpack(bomb, tmp_path / "c")
    assert not (tmp_path / "c").exists() or everything(tmp_path / "c") == set()


def test_an_archive_that_lies_about_its_size_is_stopped(tmp_path: Path) -> None:
    archive = pack(tmp_path / "liar.zip", ("a.wav", os.urandom(3000)))
    data = bytearray(archive.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = (10).to_bytes(4, "little")
    archive.write_bytes(data)
    with pytest.raises(CorpusError):
        unpack(archive, tmp_path / "c", max_bytes=100)
    assert everything(tmp_path / "c") == set()


def test_names_that_collide_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="twice"):
        unpack(pack(tmp_path / "a.zip", ("a.wav", b"1"), ("A.WAV", b"2")), tmp_path / "c")
    with pytest.raises(CorpusError, match="file as well"):
        unpack(pack(tmp_path / "b.zip", ("a", b"1"), ("a/b.wav", b"2")), tmp_path / "c")


def test_damaged_and_foreign_files_are_said_to_be_so(tmp_path: Path) -> None:
    broken = pack(tmp_path / "a.zip", ("a.wav", os.urandom(3000)))
    data = bytearray(broken.read_bytes())
    data[200:400] = bytes(200)
    broken.write_bytes(data)
    with pytest.raises(CorpusError, match="damaged"):
        unpack(broken, tmp_path / "c")
    (tmp_path / "text.zip").write_text("not an archive")
    with pytest.raises(CorpusError, match="damaged or no zip"):
        unpack(tmp_path / "text.zip", tmp_path / "c")


def test_an_archive_reads_as_its_folder_would(tmp_path: Path) -> None:
    files = ("wav/03a01Fa.wav", "wav/08a01Wa.wav")
    folder = tmp_path.parent / f"{tmp_path.name}-plain" / "emodb"
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    pack(tmp_path / "emodb.zip", *((f"emodb/{name}", name.encode()) for name in files))
    cache = tmp_path / "cache"
    packed = read(tmp_path / "emodb.zip", cache=cache)
    assert [(c.key, c.emotion) for c in packed.clips] == [
        (c.key, c.emotion) for c in read(folder).clips
    ]
    assert read(tmp_path / "emodb.zip", cache=cache) == packed  # the second time from the cache
    with pytest.raises(CorpusError, match="cache folder"):
        read(tmp_path / "emodb.zip")
    (found,) = read_all(tmp_path, ["emodb"], cache=cache)
    assert found == packed


@given(st.text(max_size=40))
def test_a_safe_path_never_climbs(name: str) -> None:
    path = safe_path(name)
    if path is not None:
        inside = Path(os.path.normpath(Path("/base") / path))
        assert inside.is_relative_to("/base")

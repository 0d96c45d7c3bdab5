"""Decoded clips in one mapped file: read once, added to by many, whatever a killed process left."""

from __future__ import annotations

import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ser_core.corpora.clip import Clip
from trainer.data.decoded import DecodedClips, KnownFiles, segment_digest
from trainer.data.packed import PackedSamples

RATE = 16_000


def clips(folder: Path, count: int, first: int = 0) -> list[Clip]:
    """Write clips of noise, each as long as its number tells."""
    found = []
    for place in range(first, first + count):
        path = folder / f"{place}.wav"
        rng = np.random.default_rng(place)
        soundfile.write(path, 0.1 * rng.standard_normal(1600 + 100 * place), RATE)
        found.append(Clip(path, "mine", "a", "joy"))
    return found


def read(clip: Clip) -> np.ndarray:
    return soundfile.read(clip.path, dtype="float32")[0]


def assert_held(decoded: DecodedClips, digests: dict[Path, str], wanted: list[Clip]) -> None:
    assert set(digests) == {clip.path for clip in wanted}
    for clip in wanted:
        np.testing.assert_array_equal(decoded.samples(digests[clip.path])[0], read(clip))


def test_clips_lie_in_one_file_and_are_decoded_once(tmp_path: Path) -> None:
    wanted = clips(tmp_path, 5)
    decoded = DecodedClips(tmp_path / "cache")
    assert_held(decoded, decoded.prepare(wanted)[0], wanted)
    (whole,) = (tmp_path / "cache").rglob("*.i16")
    size = whole.stat().st_size
    assert size == 2 * sum(map(len, map(read, wanted)))
    again = DecodedClips(tmp_path / "cache")
    assert_held(again, again.prepare(wanted)[0], wanted)
    assert whole.stat().st_size == size


def test_a_loader_s_process_gets_the_map_and_not_the_sound(tmp_path: Path) -> None:
    wanted = clips(tmp_path, 3)
    decoded = DecodedClips(tmp_path / "cache")
    digests, _ = decoded.prepare(wanted)
    decoded.samples(digests[wanted[0].path])
    sent = pickle.dumps(decoded)
    assert len(sent) < 2000
    assert_held(pickle.loads(sent), digests, wanted)


def test_what_a_killed_process_left_is_passed_over(tmp_path: Path) -> None:
    decoded = DecodedClips(tmp_path / "cache")
    wanted = clips(tmp_path, 2)
    decoded.prepare(wanted)
    (whole,) = (tmp_path / "cache").rglob("*.i16")
    (index,) = (tmp_path / "cache").rglob("index.jsonl")
    for path, torn in ((whole, b"\x01\x02\x03"), (index, b'{"clip": "ab", "place": [0, 5')):
        with path.open("ab") as file:
            file.write(torn)
    wanted += clips(tmp_path, 2, first=2)
    later = DecodedClips(tmp_path / "cache")
    assert_held(later, later.prepare(wanted)[0], wanted)


def test_a_line_beyond_the_samples_is_not_believed(tmp_path: Path) -> None:
    packed = PackedSamples(tmp_path)
    packed.add({"a": np.ones(10, np.int16), "b": np.ones(10, np.int16)})
    os.truncate(tmp_path / "samples.i16", 30)
    found = PackedSamples(tmp_path)
    assert found.find("a") is not None
    assert found.find("b") is None
    with pytest.raises(FileNotFoundError, match="prepare the clips again"):
        found.get("b")


def test_many_may_add_at_once(tmp_path: Path) -> None:
    parts = [clips(tmp_path, 6, first=4 * start) for start in range(4)]  # they overlap

    def prepare(part: list[Clip]) -> None:
        decoded = DecodedClips(tmp_path / "cache")
        assert_held(decoded, decoded.prepare(part)[0], part)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(prepare, parts))
    (whole,) = (tmp_path / "cache").rglob("*.i16")
    held = {clip.path: len(read(clip)) for part in parts for clip in part}
    assert whole.stat().st_size == 2 * sum(held.values())


def test_a_cache_that_was_deleted_meanwhile_is_made_again(tmp_path: Path) -> None:
    wanted = clips(tmp_path, 3)
    decoded = DecodedClips(tmp_path / "cache")
    decoded.prepare(wanted)
    shutil.rmtree(tmp_path / "cache")
    assert_held(decoded, decoded.prepare(wanted)[0], wanted)


def test_the_same_file_has_one_entry_a_segment(tmp_path: Path) -> None:
    (whole,) = clips(tmp_path, 1)
    part = Clip(whole.path, "mine", "a", "joy", start=0.02, end=0.09)
    decoded = DecodedClips(tmp_path / "cache")
    digests, problems = decoded.prepare([whole, part])
    assert not problems
    found = decoded.samples(segment_digest(digests[whole.path], part))[0]
    np.testing.assert_array_equal(found, read(whole)[320:1440])


def test_a_file_is_known_until_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    known = KnownFiles(tmp_path / "files.jsonl", clock=lambda: path.stat().st_mtime + 60)
    known.note(path, known.state(path), "digest")
    known.save()
    assert KnownFiles(tmp_path / "files.jsonl").digest(path) == "digest"
    path.write_bytes(b"two")
    assert KnownFiles(tmp_path / "files.jsonl").digest(path) is None
    path.unlink()
    assert KnownFiles(tmp_path / "files.jsonl").digest(path) is None


def test_a_file_that_was_written_just_now_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    known = KnownFiles(tmp_path / "files.jsonl", clock=lambda: path.stat().st_mtime + 0.5)
    known.note(path, known.state(path), "digest")
    known.save()
    assert KnownFiles(tmp_path / "files.jsonl").digest(path) is None

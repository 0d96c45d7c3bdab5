"""Killed processes, torn tails, full disks, read-only folders: what was acknowledged is there."""

from __future__ import annotations

import csv
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from label_store import LabelEvent, LabelStore, SaveError
from label_store.event import COLUMNS, decode, encode
from label_store.event_rows import HEADER

CLIP = hashlib.sha256(b"one").hexdigest()

WORKER = """
import hashlib, sys
from pathlib import Path
from label_store import LabelEvent, LabelStore
home, name, first, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
store = LabelStore(home)
for n in range(first, count):
    clip = hashlib.sha256(f"{n % 50}".encode()).hexdigest()
    store.append(LabelEvent(action="label", annotator=name, clip=clip, emotion="joy",
                            note=f"{name} {n}"))
    print(n, flush=True)
"""


def label(n: int = 0, **more) -> LabelEvent:
    return LabelEvent(
        action="label", annotator="ada", clip=CLIP, emotion="joy", note=str(n), **more
    )


def _start(home: Path, name: str, first: int, count: int, log: Path) -> subprocess.Popen:
    root = Path(__file__).resolve().parents[2]
    return subprocess.Popen(
        [sys.executable, "-c", WORKER, str(home), name, str(first), str(count)],
        stdout=log.open("ab"),
        cwd=root,
    )


def _storm(home: Path, processes: int, count: int, kills: int) -> None:
    """Let processes write and kill them at random; a killed one begins again after its last ack."""
    draw = random.Random(7)
    logs = {f"p{n}": home / f"p{n}.log" for n in range(processes)}
    home.mkdir(exist_ok=True)
    running = {name: _start(home, name, 0, count, log) for name, log in logs.items()}
    try:
        _watch(running, logs, count, kills, draw)
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    _nothing_is_lost(home, logs, count)


def _watch(running: dict, logs: dict, count: int, kills: int, draw: random.Random) -> None:
    while running:
        time.sleep(draw.uniform(0.05, 0.3))
        if kills:
            name = draw.choice(sorted(running))
            running[name].send_signal(signal.SIGKILL)
            kills -= 1
        for name, process in list(running.items()):
            code = process.poll()
            if code is None:
                continue
            del running[name]
            assert code in (0, -signal.SIGKILL)
            if code:
                acknowledged = _acknowledged(logs[name])
                logs[name].open("ab").write(b"\n")
                first = max(acknowledged, default=-1) + 1
                running[name] = _start(logs[name].parent, name, first, count, logs[name])


def _nothing_is_lost(home: Path, logs: dict[str, Path], count: int) -> None:
    store = LabelStore(home)
    events = store.events()
    numbers = [event.number for event in events]
    assert numbers == list(range(1, len(events) + 1))
    notes = [event.note for event in events]
    for name, log in logs.items():
        assert set(_acknowledged(log)) == set(range(count))
        for n in range(count):
            # Killed between the disk and the word, an event may be there without having been
            # acknowledged, and then comes once more from the process that took over.
            assert 1 <= notes.count(f"{name} {n}") <= 2
    assert len({event.event_id for event in events}) == len(events)
    assert not [report for report in store.reports if report.kind != "torn-tail"]


def _acknowledged(log: Path) -> list[int]:
    return [int(line) for line in log.read_text().split("\n")[:-1] if line]


def test_processes_that_are_killed_lose_nothing_acknowledged(tmp_path: Path) -> None:
    _storm(tmp_path, processes=3, count=40, kills=3)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # eight processes that fsync share the machine with whatever else runs
def test_eight_processes_of_a_thousand_events_lose_nothing_acknowledged(tmp_path: Path) -> None:
    _storm(tmp_path, processes=8, count=1000, kills=24)


@pytest.mark.parametrize("cut", [1, 20, 60])
def test_a_torn_tail_is_moved_aside_and_reported(tmp_path: Path, cut: int) -> None:
    store = LabelStore(tmp_path, writer="w")
    for n in range(3):
        store.append(label(n))
    (path,) = (tmp_path / "labels").glob("events-*.csv")
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    again = LabelStore(tmp_path, writer="w")
    assert [event.note for event in again.events()] == ["0", "1"]
    (report,) = again.reports
    assert (report.kind, report.file) == ("torn-tail", path.name)
    (aside,) = (tmp_path / "labels" / "torn").iterdir()
    assert path.read_bytes() + aside.read_bytes() == whole[:-cut]
    again.append(label(9))
    assert [event.note for event in LabelStore(tmp_path).events()] == ["0", "1", "9"]


def test_a_tail_torn_while_the_store_is_open_does_not_fuse_with_the_next_row(tmp_path) -> None:
    store = LabelStore(tmp_path, writer="w")
    store.append(label(0))
    (path,) = (tmp_path / "labels").glob("events-*.csv")
    with path.open("ab") as file:
        file.write(b'17,"half a ro')
    store.append(label(1))
    assert [event.note for event in LabelStore(tmp_path).events()] == ["0", "1"]
    assert [report.kind for report in store.reports] == ["torn-tail"]


def test_damaged_rows_are_reported_and_left_in_place(tmp_path: Path) -> None:
    store = LabelStore(tmp_path, writer="w")
    store.append(label(0))
    (path,) = (tmp_path / "labels").glob("events-*.csv")
    with path.open("ab") as file:
        file.write(b'not,an "event\n')
    store.append(label(1))
    again = LabelStore(tmp_path)
    assert [event.note for event in again.events()] == ["0", "1"]
    assert [report.kind for report in again.reports] == ["damaged-row"]
    assert b'not,an "event\n' in path.read_bytes()


@pytest.mark.parametrize("taken", [0, 10, None])
def test_a_full_disk_saves_nothing_and_says_so(tmp_path: Path, taken: int | None) -> None:
    full = False

    def write(handle: int, data: bytes) -> int:
        if not full:
            return os.write(handle, data)
        if taken is None:
            raise OSError(28, "No space left on device")
        return os.write(handle, data[:taken]) if taken else 0

    store = LabelStore(tmp_path, writer="w", write=write)
    store.append(label(0))
    full = True
    with pytest.raises(SaveError, match="Nothing was saved"):
        store.append(label(1))
    assert store.revision == 1
    full = False
    assert store.append(label(2)).number == 2
    assert [event.note for event in LabelStore(tmp_path).events()] == ["0", "2"]
    assert not LabelStore(tmp_path).reports


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes there")
def test_a_limit_on_file_sizes_stops_saves_without_harm(tmp_path: Path) -> None:
    code = """
import resource, sys
from pathlib import Path
from label_store import LabelEvent, LabelStore, SaveError
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
store = LabelStore(Path(sys.argv[1]))
saved = 0
try:
    for n in range(100):
        store.append(LabelEvent(action="label", annotator="ada", clip="0" * 64, emotion="joy"))
        saved += 1
except SaveError as error:
    print(saved)
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, cwd=root
    )
    saved = int(done.stdout)
    assert 1 < saved < 100
    again = LabelStore(tmp_path)
    assert len(again.events()) == saved
    assert not again.reports


@pytest.mark.skipif(not hasattr(os, "seteuid"), reason="no users to change to")
def test_a_read_only_folder_can_be_read_and_says_why_it_does_not_save() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        LabelStore(home).append(label(0))
        for path in [home, *home.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        nobody = os.geteuid() == 0
        if nobody:
            os.seteuid(65534)
        try:
            store = LabelStore(home)
            assert [event.note for event in store.events()] == ["0"]
            with pytest.raises(SaveError, match="can't be written"):
                store.append(label(1))
            with pytest.raises(SaveError):
                store.keep_clip(b"one", ".wav")
        finally:
            if nobody:
                os.seteuid(0)
            for path in [home, *home.rglob("*")]:
                path.chmod(0o755)
        assert len(LabelStore(home).events()) == 1


def test_columns_of_a_newer_version_survive(tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    row = encode(label(0, event_id="e1", number=1, time="2026-01-01T00:00:00Z")).rstrip(b"\n")
    name = labels / "events-2023-11-14-w.csv"
    name.write_bytes(HEADER.rstrip(b"\n") + b",mood\n" + row + b",sunny\n")
    store = LabelStore(tmp_path, clock=lambda: 1_700_000_000.0, writer="w")
    assert store.events()[0].extra == {"mood": "sunny"}
    before = name.read_bytes()
    store.append(label(1))
    assert name.read_bytes() == before
    assert [event.note for event in LabelStore(tmp_path).events()] == ["0", "1"]


line = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=40
).filter(str.strip)
word = line.filter(lambda text: not set(text) & set("<>&"))
share = st.floats(0, 1)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    annotator=line,
    emotion=word,
    note=st.text(st.characters(exclude_categories=("Cs",)), max_size=100),
    corpus=st.just("") | line,
    start=st.none() | st.floats(0, 100),
    certainty=st.none() | share,
    intensity=st.none() | st.integers(1, 3),
    probabilities=st.none() | st.dictionaries(word, share, max_size=4),
    visible=st.none() | st.booleans(),
    milliseconds=st.none() | st.integers(0, 10**9),
    extra=st.dictionaries(line.filter(lambda name: name not in COLUMNS), line, max_size=3),
)
def test_an_event_comes_back_as_it_went_on_one_line(**fields) -> None:
    fields["prediction_visible"] = fields.pop("visible")
    event = LabelEvent(
        action="label", clip=CLIP, number=3, event_id="e", time="t", writer="w", **fields
    )
    row = encode(event)
    assert row.count(b"\n") == 1
    assert row.endswith(b"\n")
    cells = next(csv.reader([row.decode().rstrip("\n")]))
    assert decode(dict(zip(COLUMNS, cells, strict=True))) == event

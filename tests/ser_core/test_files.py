"""A file is there whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ser_core.files import atomic, load_array, load_arrays, write_json, write_text


def test_a_file_takes_its_place_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with atomic(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert [one.name for one in path.parent.iterdir()] == ["file.txt"]


def test_what_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic(path) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["file.txt"]


def test_what_json_can_not_hold_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}


def test_others_may_read_it(tmp_path: Path) -> None:
    write_text(tmp_path / "file.txt", "x")
    assert (tmp_path / "file.txt").stat().st_mode & 0o777 == 0o644


def test_a_reader_beside_a_killed_writer_never_sees_half(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    code = (
        "import sys\nfrom ser_core.files import write_json\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    write_json(sys.argv[1], [n] * 20000, durable=False)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
    try:
        end = time.monotonic() + 2
        while time.monotonic() < end:
            if path.exists():
                values = json.loads(path.read_text())
                assert len(values) == 20_000
                assert len(set(values)) == 1
    finally:
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
    assert len(json.loads(path.read_text())) == 20_000


def test_arrays_are_read_by_many_threads_at_once(tmp_path: Path) -> None:
    """NumPy's own header parser fails now and then under CPython 3.11 when threads share it."""
    from concurrent.futures import ThreadPoolExecutor

    np.save(tmp_path / "one.npy", np.arange(5, dtype=np.int16))
    np.savez(tmp_path / "two.npz", states=np.ones((2, 3), np.float16), why=np.array("silent"))

    def read(_: int) -> tuple[int, float, str]:
        two = load_arrays(tmp_path / "two.npz")
        return (
            int(load_array(tmp_path / "one.npy").sum()),
            float(two["states"].sum()),
            str(two["why"]),
        )

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(400))) == {(10, 6.0, "silent")}

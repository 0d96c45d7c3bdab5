"""The benchmark of a fine-tune counts what every process of it holds."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.speed.fine_tune import memory

_PARENT = """
import subprocess, sys, threading
held = bytearray(b"x" * (40 << 20))
code = "import time; held = bytearray(b'x' * (80 << 20)); print('up', flush=True); time.sleep(600)"
def start():
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as child:
        print(child.stdout.readline().decode(), end="", flush=True)
        sys.stdin.readline()
        child.kill()
thread = threading.Thread(target=start)
thread.start()
thread.join()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")
def test_a_child_of_a_thread_counts_too() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        assert (120 << 20) < memory(process.pid) < (250 << 20)
        process.stdin.write("end\n")
        process.stdin.flush()
        assert process.wait(60) == 0
    assert memory(process.pid) == 0

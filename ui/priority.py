"""Threads whose work can wait."""

from __future__ import annotations

import contextlib
import os
import sys
import threading


def step_back() -> None:
    """Let the system prefer every other thread; Linux alone knows priorities of threads."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # forbidden in some containers, and a courtesy only
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)

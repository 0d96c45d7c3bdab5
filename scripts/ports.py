"""A port of this machine on which nothing listens, for whoever starts a server of their own."""

from __future__ import annotations

import os
import random
import socket

FIRST, LAST = 12_000, 30_000
"""Below those that systems hand out for outgoing connections (Linux 32768, others 49152): a browser
or another test can't take the port between this call and the server's start."""

_draws = random.Random(os.getpid())


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that is free now; another one each time, in each process.

    Raises:
        OSError: a hundred tries found none.
    """
    for _ in range(100):
        port = _draws.randint(FIRST, LAST)
        with socket.socket() as tried:
            try:
                tried.bind((host, port))
            except OSError:
                continue
        return port
    raise OSError(f"no free port from {FIRST} to {LAST}")

"""How much processor time the command lines' help takes.

python -m benchmarks.speed.start_speed [--tries 5]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

COMMANDS = (
    "ser_core --help",
    "ser_core predict --help",
    "trainer --help",
    "trainer run --help",
    "trainer fit --help",
    "trainer evaluate --help",
    "trainer download --help",
)


def seconds(words: list[str], tries: int) -> float:
    """Return the least processor time (user and system) of some tries, in seconds."""
    taken = []
    for _ in range(tries):
        before = os.times()
        subprocess.run([sys.executable, "-m", *words], stdout=subprocess.DEVNULL, check=True)
        after = os.times()
        taken.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
    return min(taken)


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tries", type=int, default=5)
    tries = parser.parse_args().tries
    for command in COMMANDS:
        print(f"python -m {command:<26} {seconds(command.split(), tries):.2f} s")


if __name__ == "__main__":
    main()

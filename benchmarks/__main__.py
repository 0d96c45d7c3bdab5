"""Run every benchmark of speed, one after the other, each in a process of its own.

The studies beside them take hours and corpora; each is started by its own name.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Run them all; return how many failed."""
    folder = Path(__file__).resolve().parent
    failed = 0
    for path in sorted((folder / "speed").glob("*.py")):
        if path.name.startswith("_"):
            continue
        print(f"== {path.stem}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.speed.{path.stem}"]
        failed += subprocess.run(command, cwd=folder.parent, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())

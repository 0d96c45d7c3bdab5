"""Write the README's reference section from the tables that the code uses.

python scripts/update_readme.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- reference:begin -->", "<!-- reference:end -->"


def reference() -> str:
    """Return what `python -m ser_core list --markdown` prints."""
    command = [sys.executable, "-m", "ser_core", "list", "--markdown"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, encoding="utf-8")
    return done.stdout.strip()


def with_reference(text: str, section: str) -> str:
    """Return the README with another reference section.

    Args:
        text: the README, with both markers.
        section: what goes between them.

    Raises:
        ValueError: a marker is missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the README lacks {BEGIN} or {END}")
    return f"{before}{BEGIN}\n{section}\n{END}{after}"


def main() -> None:
    """Bring the README up to date."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(with_reference(text, reference()), encoding="utf-8")


if __name__ == "__main__":
    main()

"""Cells that a spreadsheet would run as a formula: defused on the way out, restored on the way in.

Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import re
from typing import Final

_RISKY: Final = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_DEFUSED: Final = re.compile(r"'+[=+\-@\t\r\n＝＋－＠]")


def defuse(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula; `restore` gives it back.

    >>> defuse("=1+1"), defuse("'=1"), defuse("a-b.wav")
    ("'=1+1", "''=1", 'a-b.wav')
    """
    return "'" + cell if _RISKY.match(cell) else cell


def restore(cell: str) -> str:
    """Return what `defuse` was given.

    >>> restore("'=1+1"), restore("'quoted'")
    ('=1+1', "'quoted'")
    """
    return cell[1:] if _DEFUSED.match(cell) else cell

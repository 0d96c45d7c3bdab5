"""Versions under ``models/``: what is there, which one serves, what was decided, what may go."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ser_core.checkpoints.champion import read_pointer, write_pointer
from ser_core.checkpoints.specification import Specification
from ser_core.errors import SerError
from ser_core.home import Home, HomeLike
from trainer.errors import VersionError


@dataclass(frozen=True)
class Version:
    """One folder under ``models/``.

    Attributes:
        name, folder: the version.
        created: UTC, ISO 8601.
        parent: what it was fine-tuned from, or "".
        uar: on its test speakers, or None.
        champion: whether it serves.
        problem: why it can't be read, or "".
    """

    name: str
    folder: Path
    created: str = ""
    parent: str = ""
    uar: float | None = None
    champion: bool = False
    problem: str = ""


def versions(home: HomeLike) -> list[Version]:
    """Return every version, oldest first; one that can't be read says why."""
    pointer = read_pointer(home)
    serving = pointer["folder"] if pointer else ""
    found = []
    folder = Home(home).models
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_dir() and not path.name.startswith(".") and path != Home(home).runs:
            found.append(_read(path, path.name == serving))
    return sorted(found, key=lambda version: (version.created, version.name))


def _read(path: Path, champion: bool) -> Version:
    try:
        words = Specification.from_json((path / "specification.json").read_text("utf-8"))
        metrics = json.loads((path / "metrics.json").read_text("utf-8"))
        uar = metrics.get("uar") if isinstance(metrics, dict) else None
    except (OSError, ValueError, SerError) as error:
        return Version(path.name, path, champion=champion, problem=str(error))
    return Version(path.name, path, words.created, words.parent, uar, champion)


def free_name(home: HomeLike, clock: Callable[[], float] = time.time) -> str:
    """Return the name of a new version, which sorts by time and is not taken."""
    name = datetime.fromtimestamp(clock(), UTC).strftime("%Y%m%d-%H%M%S")
    taken, number = name, 1
    while (Home(home).models / taken).exists():
        number += 1
        taken = f"{name}-{number}"
    return taken


def record(
    home: HomeLike, action: str, *, clock: Callable[[], float] = time.time, **facts: Any
) -> None:
    """Append what was done to the history; on disk when this returns."""
    path = Home(home).history
    path.parent.mkdir(parents=True, exist_ok=True)
    when = datetime.fromtimestamp(clock(), UTC).isoformat(timespec="seconds")
    line = json.dumps({"time": when, "action": action, **facts}, ensure_ascii=False) + "\n"
    with path.open("ab") as file:
        if file.tell() and not path.read_bytes().endswith(b"\n"):
            line = "\n" + line  # a killed writer left half a line; it is skipped when read
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def history(home: HomeLike) -> list[dict[str, Any]]:
    """Return what was done, oldest first; a line that a killed writer left half is skipped."""
    path = Home(home).history
    if not path.is_file():
        return []
    rows = []
    for line in path.read_text("utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def promote(
    home: HomeLike, version: str, reason: str, *, clock: Callable[[], float] = time.time
) -> None:
    """Let a version serve.

    Raises:
        VersionError: there is no such version, or it can't be read whole.
    """
    from ser_core.checkpoints import checkpoint

    folder = Home(home).models / version
    if Path(version).name != version or not folder.is_dir():
        known = ", ".join(v.name for v in versions(home)) or "none"
        raise VersionError(
            f"there is no version “{version}” in {folder.parent}; there are: {known}"
        )
    try:
        checkpoint.load(folder)
    except SerError as error:
        raise VersionError(f"{version} can't serve: {error}") from error
    write_pointer(home, version, reason=reason, now=datetime.fromtimestamp(clock(), UTC))
    record(home, "promote", clock=clock, version=version, reason=reason)


def rollback(home: HomeLike, *, clock: Callable[[], float] = time.time) -> str:
    """Let the version that served before serve again; return its name ("" = the shipped model).

    Rolling back twice goes back two steps, not to where one came from.

    Raises:
        VersionError: the shipped model serves already, or the one before is gone.
    """
    now = read_pointer(home)
    if now is None:
        raise VersionError("the shipped model serves; there is nothing to roll back to")
    served = _served(home)
    before = served[-2] if len(served) > 1 else str(now.get("previous", ""))
    if before == "":
        Home(home).champion.unlink()
    elif not (Home(home).models / before / "specification.json").is_file():
        raise VersionError(
            f"{before}, which served before {now['version']}, was deleted; name another with "
            "`python -m trainer promote VERSION`"
        )
    else:
        when = datetime.fromtimestamp(clock(), UTC)
        write_pointer(home, before, reason=f"rolled back from {now['version']}", now=when)
    record(home, "rollback", clock=clock, version=before, left=now["version"])
    return before


def _served(home: HomeLike) -> list[str]:
    """Return the stack of versions that served, "" for the shipped model at its bottom."""
    stack = [""]
    for row in history(home):
        if row.get("action") == "promote":
            stack.append(str(row["version"]))
        elif row.get("action") == "rollback" and len(stack) > 1:
            stack.pop()
    now = read_pointer(home)
    return stack if stack[-1] == (now["version"] if now else "") else []


def prune(home: HomeLike, keep: int) -> list[str]:
    """Delete all but the newest ``keep`` versions, never the champion nor the one before it.

    Returns:
        The names of what was deleted.
    """
    if keep < 1:
        raise VersionError(f"{keep} versions can't be kept; 1 or more can")
    pointer = read_pointer(home)
    held = {pointer["folder"], str(pointer.get("previous", ""))} if pointer else set()
    gone = []
    for version in versions(home)[:-keep]:
        if version.name in held:
            continue
        aside = Path(tempfile.mkdtemp(prefix=".deleted-", dir=Home(home).models))
        version.folder.rename(aside / version.name)
        shutil.rmtree(aside)
        gone.append(version.name)
    return gone

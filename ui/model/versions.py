"""The versions of the model: what is there, what changed from one to the next, which one serves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ui.errors import PageError
from ui.identity import Annotator
from ui.language import say
from ui.model.figures import figures_of, read_metrics
from ui.model.run_words import decision, note_in_words, reasons_in
from ui.model.runs import require_trainer
from ui.services import Services

SHIPPED = "the shipped model"
_SETTINGS = 6
"""Most changed settings that are named."""

_IGNORED = frozenset({"start", "corpora", "device", "threads", "workers", "name", "seed"})


@dataclass(frozen=True)
class VersionRow:
    """One version in the history.

    Attributes:
        name: the version; the shipped model goes by its own.
        created: UTC, ISO 8601, or "".
        uar: on its test speakers, or None.
        serves: whether it is the champion.
        changes: sentences on what is different from the version it came from.
        problem: why it can't be read, or "".
        shipped: whether it is the one that came with the studio.
    """

    name: str
    created: str = ""
    uar: float | None = None
    serves: bool = False
    changes: tuple[str, ...] = ()
    problem: str = ""
    shipped: bool = False


@dataclass(frozen=True)
class VersionEvent:
    """Something that was done with the models, in one sentence."""

    time: str
    text: str


def lines(services: Services) -> list[VersionRow]:
    """Return every version, newest first, the shipped one last."""
    from trainer.lifecycle import versions

    home, default = services.home, services.settings.model
    found = versions.versions(home)
    runs = {row.get("version"): row for row in versions.history(home) if row["action"] == "run"}
    folders = {version.name: version.folder for version in found}
    shipped = _shipped(default, not any(version.champion for version in found), services)
    folders.setdefault(shipped.name, default)
    made = [
        VersionRow(
            version.name,
            version.created,
            version.uar if version.uar is not None else headline_uar(_metrics(version.folder)),
            version.champion and not services.settings.pinned,
            tuple(_changes(version.folder, folders.get(version.parent), runs.get(version.name)))
            if not version.problem
            else (),
            version.problem,
        )
        for version in found
    ]
    return [*reversed(made), shipped]


def _shipped(default: Path, serves: bool, services: Services) -> VersionRow:
    from ser_core.checkpoints.specification import Specification
    from ser_core.errors import SerError

    serves = serves or services.settings.pinned
    try:
        text = (default / "specification.json").read_text(encoding="utf-8")
        held = Specification.from_json(text)
    except (OSError, SerError) as error:
        return VersionRow(SHIPPED, serves=serves, problem=str(error), shipped=True)
    uar = headline_uar(_metrics(default))
    return VersionRow(
        held.version, held.created, uar, serves, (say("came with the studio"),), shipped=True
    )


def headline_uar(metrics: dict[str, Any]) -> float | None:
    """Return the UAR over the test clips of all corpora, or None where it is not known."""
    head = metrics.get("uar")
    if isinstance(head, int | float):
        return float(head)
    found = figures_of(metrics)
    return next(iter(found.values())).uar if found else None


def _same_clips(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Return whether two models' figures are of the same test clips, as far as is known."""
    if "test_hash" in old and "test_hash" in new:
        return bool(old["test_hash"] == new["test_hash"])
    was, now = (next(iter(figures_of(m).values()), None) for m in (old, new))
    return was is None or now is None or was.clips == now.clips


def _metrics(folder: Path) -> dict[str, Any]:
    try:
        return read_metrics(folder)
    except (OSError, ValueError):
        # The version's own problem is shown; here it only has no figures.
        return {}


def _changes(folder: Path, parent: Path | None, run: dict[str, Any] | None) -> list[str]:
    new = _metrics(folder)
    old = _metrics(parent) if parent is not None else {}
    changes = [note_in_words(str(run["corrections"]))] if run and run.get("corrections") else []
    changes += _difference(old, new)
    if run:
        verdict = say("promoted") if run.get("promoted") else say("not promoted")
        changes.append(f"{verdict}: {decision(list(run.get('reasons', ())))}")
    return changes


def _difference(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    changes = []
    before, after = headline_uar(old), headline_uar(new)
    if before is not None and after is not None:
        if _same_clips(old, new):
            changes.append(f"UAR {before:.3f} → {after:.3f}")
        else:
            share = f"{after:.3f}"
            changes.append(say("UAR {share} on other test clips, so not comparable", share=share))
    was, now = old.get("settings"), new.get("settings")
    if isinstance(was, dict) and isinstance(now, dict):
        keys = [key for key in now if key not in _IGNORED and was.get(key) != now[key]]
        shown = [f"{key} {_short(was.get(key))} → {_short(now[key])}" for key in keys[:_SETTINGS]]
        left = len(keys) - _SETTINGS
        more = " " + say("… and {count} more", count=left) if left > 0 else ""
        listed = ", ".join(shown) + more
        changes += [say("settings: {listed}", listed=listed)] if shown else []
    return changes


def _short(value: Any) -> str:
    text = say("{count} steps", count=len(value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 24 else text[:23] + "…"


def acts(services: Services, most: int = 20) -> list[VersionEvent]:
    """Return what was promoted and rolled back, newest first."""
    from trainer.lifecycle import versions

    rows = [row for row in versions.history(services.home) if row["action"] != "run"]
    return [
        VersionEvent(str(row.get("time", "")), _sentence(row)) for row in reversed(rows[-most:])
    ]


def _sentence(row: dict[str, Any]) -> str:
    name = row.get("version") or say(SHIPPED)
    if row["action"] == "rollback":
        return say("rolled back to {name} from {left}", name=name, left=row.get("left", ""))
    reason = str(row.get("reason", ""))
    promoted = say("{name} promoted", name=name)
    return f"{promoted}: {decision(reasons_in(reason))}" if reason else promoted


def promote(services: Services, version: str | None, who: Annotator) -> str:
    """Let a version serve; return the sentence for the page.

    Raises:
        PageError: the person may not, or chose nothing.
        TrainerError: it can't serve, or a run is at work.
    """
    from trainer.lifecycle import versions
    from trainer.lifecycle.lock import only_one

    require_trainer(who)
    if not version:
        raise PageError("Choose a version first.")
    with only_one(services.home, "promote"):
        versions.promote(services.home, version, f"promoted by {who.name} on the page")
    return say("{name} serves from now on.", name=version) + _pinned(services)


def rollback(services: Services, who: Annotator) -> str:
    """Let the version before serve again; return the sentence for the page.

    Raises:
        PageError: the person may not.
        TrainerError: there is none, or a run is at work.
    """
    from trainer.lifecycle import versions
    from trainer.lifecycle.lock import only_one

    require_trainer(who)
    with only_one(services.home, "rollback"):
        before = versions.rollback(services.home)
    return say("{name} serves again.", name=before or say(SHIPPED)) + _pinned(services)


PINNED = "This page was started with SER_MODEL, so it goes on with that one until it restarts."


def _pinned(services: Services) -> str:
    if not services.settings.pinned:
        return ""
    return " " + say(PINNED)

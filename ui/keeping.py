"""Whether labels are saved here and kept elsewhere: one line on the page, and ``GET /health``."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from ui.language import say

if TYPE_CHECKING:
    from label_store.sync import Status
    from ui.services import Services

LOST_AT_RESTART = (
    "Labels made here are lost when this Space restarts, for its disk is wiped then. To keep them, "
    "set the variable SER_SYNC to hf://datasets/OWNER/NAME (it is made private) and the secret "
    "HF_TOKEN to a token that may write there."
)


DAMAGED = "{count} files there are damaged and were left out."


def keeping_line(services: Services, request: Any) -> str:
    """Return the line for whoever asks: those who may label see it, visitors see nothing.

    Args:
        services: the parts behind the page.
        request: the ``gr.Request``, which says who asks.
    """
    if not services.identity.annotator(request).may_write:
        return ""
    if services.syncer is None:
        return _line("lost", escape(LOST_AT_RESTART)) if services.identity.space else ""
    return status_line(services.syncer.status())


def status_line(status: Status) -> str:
    """Return the two states, saved here and kept there, and what keeps them apart."""
    place = escape(status.place)
    here = say("Saved here: {count}", count=f"{status.saved:,}")
    there = say("Kept at {place}: {count}", place=place, count=f"{status.kept:,}")
    saved, kept = f"<span>{here}</span>", f"<span>{there}</span>"
    if status.error:
        parts = [escape(status.error), _to_go(status.waiting), say("Nothing is lost meanwhile.")]
        if status.retry_in >= 1:
            parts.append(say("Next try in {seconds} s.", seconds=f"{status.retry_in:.0f}"))
        reason = " ".join(parts)
        return _line("late", f"{saved} {kept} <span>{reason}</span>")
    if status.waiting:
        return _line("going", f"{saved} {kept} <span>{_to_go(status.waiting)}</span>")
    if status.damaged:
        reason = say(DAMAGED, count=len(status.damaged))
        return _line("late", f"{saved} {kept} <span>{reason}</span>")
    return _line("kept", f"{saved} {kept}")


def _to_go(waiting: int) -> str:
    return say("{count} still to go.", count=f"{waiting:,}") if waiting else say("None to go.")


def _line(state: str, inside: str) -> str:
    return f'<p class="keeping {state}" role="status">{inside}</p>'


def health(services: Services) -> tuple[dict[str, Any], int]:
    """Return what ``GET /health`` answers, and its HTTP status: 503 where nothing can be saved.

    Args:
        services: the parts behind the page.
    """
    from label_store.errors import StoreError

    champion = services.champion()
    answer: dict[str, Any] = {
        "model": {"name": champion.get("name", ""), "version": champion.get("version", "")},
        "store": {"writable": True},
        "sync": None,
    }
    try:
        services.store.check_writable()
    except StoreError:
        answer["store"] = {"writable": False}
    if services.syncer is not None:
        status = services.syncer.status()
        answer["sync"] = {
            "waiting": status.waiting,
            "lag_seconds": round(status.lag, 1),
            "reached": not status.error,
        }
    writable = bool(answer["store"]["writable"])
    return {"ok": writable, **answer}, 200 if writable else 503

"""What is kept of people, where and for how long, and how they take it back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from label_store.errors import StoreError
from label_store.forget import forget_annotator, forget_older
from ui.errors import PageError
from ui.identity import Annotator
from ui.language import say, say_count
from ui.page_html import counted

if TYPE_CHECKING:
    from ui.services import Services

PLACES = {
    "local": "Everything stays on this machine. Nothing is sent anywhere.",
    "users": "Clips go to the machine that runs this page.",
    "space": "Clips go to the Hugging Face Space that runs this page.",
    "closed": "Clips go to the machine that runs this page.",
}

LOOKED_AT = (
    "An upload or recording that nobody labels lives in a temporary folder and is deleted within "
    "the hour, as are files to download."
)
LABELLED = (
    "Only when you choose an emotion for it is a clip kept, together with your choice, your name "
    "here, your notes and the time, so that the model can learn from it."
)
BOTH_SENT = "Labels and recordings are also kept at `{place}`."
LABELS_SENT = "Labels, not the recordings, are also kept at `{place}`."
KEPT_A_DAY = "A recording of no corpus that nobody works on for 1 day is deleted."
KEPT_DAYS = "A recording of no corpus that nobody works on for {days} days is deleted."
DELETED = (
    "Your name, session, notes and times are removed from everything you labelled, and the "
    "recordings that you brought are deleted. Which emotion a clip was given stays, under a name "
    "that says nothing. It can't be taken back."
)
NAMELESS = (
    "Sign in first: what was suggested without a name can't be told from what other visitors "
    "suggested. Ask whoever runs this page, who can delete a clip by its SHA-256."
)


def what_is_kept(services: Services) -> str:
    """Return sentences on what is kept where, and for how long, as this page is set up."""
    settings = services.settings
    parts = [say(PLACES[services.identity.mode]), say(LOOKED_AT), say(LABELLED)]
    if settings.sync.address:
        where = settings.sync.address.replace("`", "")
        parts.append(say(BOTH_SENT if settings.sync.clips else LABELS_SENT, place=where))
    elif services.identity.mode != "local":
        parts.append(say("They are sent nowhere else."))
    days = settings.keep_days
    if days is None:
        parts.append(say("They are kept until somebody deletes them."))
    else:
        parts.append(say(KEPT_A_DAY) if days == 1 else say(KEPT_DAYS, days=f"{days:g}"))
    return " ".join(parts)


def delete_mine(services: Services, who: Annotator, typed: str) -> str:
    """Forget what somebody labelled here, and at the place that labels are kept at.

    Args:
        services: store and place.
        who: from ``Identity.annotator``, asked for this very request.
        typed: their name once more, so that no click by accident does it.

    Returns:
        What went, in a sentence.

    Raises:
        PageError: nobody knows who they are, or the name is not theirs.
        StoreError: they labelled nothing, or the disk did not take it.
    """
    if not who.is_known:
        raise PageError(who.reason.split(". ")[0] + "." if not who.name else NAMELESS)
    if typed.strip() != who.name:
        raise PageError(f"Type your name here, “{who.name}”, to delete. Nothing was deleted.")
    done = forget_annotator(services.store, who.name)
    parts = [
        say_count(
            done.events,
            "Your name was removed from 1 event.",
            "Your name was removed from {count} events.",
        ),
        say_count(len(done.clips), "1 recording was deleted.", "{count} recordings were deleted."),
    ]
    if services.syncer is not None:
        services.syncer.hurry()
        place = services.syncer.status().place
        parts.append(say("{place} follows within a minute.", place=place))
    return " ".join(parts)


def delete_old(services: Services) -> str:
    """Delete the recordings that are older than the settings let them be.

    Returns:
        What went in a sentence, or what kept it from going; "" where nothing had to.
    """
    if services.settings.keep_days is None:
        return ""
    try:
        done = forget_older(services.store, services.settings.keep_days)
    except StoreError as error:
        return str(error)
    if not done.clips:
        return ""
    if services.syncer is not None:
        services.syncer.hurry()
    return f"{counted(len(done.clips), 'recording')} past SER_KEEP_DAYS deleted."

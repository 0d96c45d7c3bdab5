"""The project's guidelines: how its clips are to be labelled, in Markdown, one file of the home."""

from __future__ import annotations

from ser_core.emotions import EMOTIONS
from ser_core.files import write_text
from ser_core.home import Home
from ui.catalogue import Source, require_hearing
from ui.errors import PageError
from ui.identity import Annotator
from ui.label import html
from ui.label.references import first_playable
from ui.label.session import LabelSession
from ui.page_html import status
from ui.services import Services

MOST = 20_000
"""Most characters; a page that nobody reads to its end helps nobody."""


def read_guidelines(services: Services) -> str:
    """Return the guidelines; "" where there are none.

    Raises:
        PageError: the file is too long, no UTF-8, or can't be read.
    """
    path = Home(services.home).guidelines
    try:
        with path.open("rb") as file:
            held = file.read(4 * MOST + 1)
        text = held.decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        cut = len(held) > 4 * MOST
        raise PageError(_too_long() if cut else NO_TEXT) from error
    except OSError as error:
        raise PageError(f"guidelines.md can't be read ({error.strerror}).") from error
    if len(text) > MOST:
        raise PageError(_too_long())
    return text


NO_TEXT = "guidelines.md is not UTF-8 text. Save it as UTF-8."


def _too_long() -> str:
    return f"The guidelines are longer than {MOST:,} characters. Shorten them."


def save_guidelines(services: Services, who: Annotator, text: str, before: str) -> None:
    """Keep new guidelines.

    Args:
        services: whose home.
        who: must be allowed to write.
        text: Markdown; "" takes them away, also where SER_SYNC keeps them.
        before: what the writer had before them, so that nobody's newer text is lost.

    Raises:
        PageError: they may not, the text is too long, changed meanwhile, or can't be written.
    """
    if not who.may_write:
        raise PageError("Only those whose labels count can write the guidelines.")
    if len(text) > MOST:
        raise PageError(_too_long())
    if read_guidelines(services) != before:
        raise PageError(
            "Somebody changed the guidelines meanwhile. Nothing was saved: copy your text, close "
            "the guidelines and open them again."
        )
    path = Home(services.home).guidelines
    try:
        if text.strip() or path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            # Emptied, not removed: what is not there comes back from where labels are kept.
            write_text(path, text if text.strip() else "")
    except OSError as error:
        raise PageError(f"guidelines.md can't be written ({error.strerror}).") from error


def examples_of(services: Services, who: Annotator) -> str:
    """Return a button for each emotion of which any corpus here has a clip to hear."""
    if not who.may_hear:
        return ""
    there = set().union(*services.catalogue.listing().emotions.values())
    return html.references([one for one in EMOTIONS if one in there], html.OF_THE_PROJECT)


def example_of(labelling: LabelSession, who: Annotator, page: str, emotion: str) -> str:
    """Return the HTML of the project's example of an emotion, or a sentence on why there is none.

    It is the same one for every clip, so that it says nothing about the one to label, which is
    itself never taken.
    """
    require_hearing(who)
    shown = labelling.current(who, page)
    listed = labelling.services.catalogue.listing().sources
    found = [one for one in listed if _fits(one, emotion)]
    playable = first_playable(labelling, found[:4], but=shown.sha if shown else "")
    if playable:
        one, sound = playable
        return html.reference_sound(sound, emotion, one.corpus)
    return status("No example of this emotion can be played.")


def _fits(one: Source, emotion: str) -> bool:
    whole = one.path is not None and not one.problem and not one.segment
    return one.emotion == emotion and bool(emotion) and whole

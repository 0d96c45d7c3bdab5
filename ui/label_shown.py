"""What lies before somebody's eyes on the Label tab, and what they make of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ui.analysis import PageError
from ui.corpus_catalogue import Source
from ui.label_clip import Ready

NO_CLIP = "There is no clip on the page, so that key meant nothing. Nothing was saved."
STALE = "That key came for a clip that is no longer on the page. Nothing was saved for it."


class StaleError(PageError):
    """A key came for a clip that is not before the person's eyes."""


@dataclass(frozen=True)
class Shown:
    """The clip before somebody's eyes.

    Attributes:
        sha: the clip.
        head: id of its latest change when it was shown; None = none.
        source: its name and place.
        ready: sound, picture, prediction.
        visible: whether the prediction was shown for it at any time.
        blind: whether it is hidden now.
        why: why it was chosen.
        mine: what the annotator said of it before, or "".
        started: the desk's clock when it was shown.
    """

    sha: str
    head: str | None
    source: Source
    ready: Ready
    visible: bool
    blind: bool
    why: str
    mine: str = ""
    started: float = 0.0

    @property
    def ticket(self) -> str:
        """Item and revision; a key press brings it back."""
        return f"{self.sha}:{self.head or ''}"

    @property
    def title(self) -> str:
        """The clip's name, which says nothing to those who label blind: names tell emotions."""
        return "A clip without its name" if self.blind else self.source.name

    def told(self) -> str:
        """What a blind decision did not know, in one sentence; "" after one that knew it."""
        if not self.blind:
            return ""
        said = (self.ready.prediction or {}).get("emotion")
        parts = [f"It was {self.source.name}"]
        parts += [f"the table says {self.source.emotion}"] if self.source.emotion else []
        parts += [f"the model hears {said}"] if said else []
        return f" {'; '.join(parts)}."


@dataclass(frozen=True)
class Choice:
    """What a key or a button asks for.

    Attributes:
        ticket: of the clip that was on the page.
        action: ``label``, ``confirm`` or ``skip``.
        emotion: for ``label``.
        certainty: 0..1 or None.
        note, reason: free text; why it is skipped.
        milliseconds: from the clip being shown to the key, as the page measured; None = unknown.
    """

    ticket: str
    action: str
    emotion: str = ""
    certainty: float | None = None
    note: str = ""
    reason: str = ""
    milliseconds: int | None = None


@dataclass
class Sitting:
    """One open page."""

    annotator: str
    shown: Shown | None = None
    suggested: set[str] = field(default_factory=set)
    chosen: dict[str, str] = field(default_factory=dict)

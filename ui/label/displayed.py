"""The clip shown on the Label tab, and the annotator's decision on it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ui.catalogue import Source
from ui.clip_cache import PreparedClip
from ui.errors import PageError
from ui.label.practice import PracticeNote
from ui.language import say
from ui.segments import Segment

CANNOT_TELL = "can't tell"
"""Why a clip is skipped in which no emotion can be told: one key, beside the plain skip."""

NO_CLIP = "There is no clip to label. Nothing was saved."
STALE = "That key press was for a clip that is no longer on the page. Nothing was saved for it."


class StaleDecisionError(PageError):
    """A key came for a clip that is not the one displayed."""


@dataclass(frozen=True)
class DisplayedClip:
    """The clip displayed in a session.

    Attributes:
        sha: the clip.
        head: id of its latest change when it was shown; None = none.
        source: its name and place.
        ready: sound, picture, prediction.
        visible: whether the prediction was shown for it at any time.
        blind: whether it is hidden now.
        why: why it was chosen.
        mine: what the annotator chose for it before, or "".
        second, intensity: what they chose beside it; "" and None = nothing.
        started: the clock when it was shown.
        segments: what the annotator labelled in it, in order of time.
        practice: what is said of the practice round beside it; None = nothing.
    """

    sha: str
    head: str | None
    source: Source
    ready: PreparedClip
    visible: bool
    blind: bool
    why: str
    mine: str = ""
    second: str = ""
    intensity: int | None = None
    started: float = 0.0
    segments: tuple[Segment, ...] = ()
    practice: PracticeNote | None = None

    @property
    def ticket(self) -> str:
        """Item and revision; a key press brings it back."""
        return f"{self.sha}:{self.head or ''}"

    @property
    def title(self) -> str:
        """The clip's name, which says nothing to those who label blind: names tell emotions."""
        return "A clip without its name" if self.blind else self.source.name

    def reveal(self) -> str:
        """What a blind decision did not know, in one sentence; "" after one that knew it."""
        if not self.blind:
            return ""
        predicted = (self.ready.prediction or {}).get("emotion")
        parts = [say("It was {name}", name=self.source.name)]
        if self.source.emotion:
            parts.append(say("the corpus says {emotion}", emotion=say(self.source.emotion)))
        if predicted:
            parts.append(say("the model predicts {emotion}", emotion=say(predicted)))
        return f" {'; '.join(parts)}."


@dataclass(frozen=True)
class LabelDecision:
    """What a key or a button asks for.

    Attributes:
        ticket: of the clip that was on the page.
        action: ``label``, ``confirm``, ``skip``, or ``remove`` for a segment labelled before.
        emotion: for ``label``.
        second, intensity: heard beside it, and how strong, from 1 to 3; "" and None = not said.
        certainty: 0..1 or None.
        note, reason: free text; why it is skipped.
        segment: start and end in seconds of what is labelled; None = the whole clip.
        replaces: the labelled segment whose edges were moved to make this one; None = none.
        milliseconds: from the clip being shown to the key, as the page measured; None = unknown.
    """

    ticket: str
    action: str
    emotion: str = ""
    certainty: float | None = None
    note: str = ""
    reason: str = ""
    milliseconds: int | None = None
    segment: tuple[float, float] | None = None
    replaces: tuple[float, float] | None = None
    second: str = ""
    intensity: int | None = None


@dataclass
class Session:
    """One open page.

    Attributes:
        annotator: who.
        shown: the clip displayed now.
        chosen: why each clip was chosen that was fetched ahead.
        brought: turns of the clips that other tabs handed over, and that were shown.
        practice: examples that are still to come; None = no practice.
        note: what is said of the practice round until the next decision; None = nothing.
        ahead: the gold clip of that round that was made ready for them, "" = none.
        missing: gold clips whose file went away.
        model: whose predictions they see (see `ServedModels.get`); the queue goes by the studio's.
    """

    annotator: str
    shown: DisplayedClip | None = None
    chosen: dict[str, str] = field(default_factory=dict)
    brought: set[int] = field(default_factory=set)
    practice: list[Source] | None = None
    note: PracticeNote | None = None
    ahead: str = ""
    missing: set[str] = field(default_factory=set)
    model: str = ""

"""Pieces of HTML of the Label tab; what varies is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from label_store.event_rows import JournalEntry
from label_store.out_of_fold import COMMAND
from label_store.queue import QueueProgress
from ser_core.emotions import EMOTIONS
from ui.identity import Annotator
from ui.label.candidates import NEEDS_MODEL, QueueKnowledge
from ui.label.displayed import DisplayedClip
from ui.label.practice import note_html
from ui.language import say
from ui.mixed import in_words
from ui.page_html import bars, percent, swatch
from ui.segments import Segment, as_attribute

KEYS: tuple[tuple[str, str], ...] = (
    ("1 – 9", "choose the emotion with that digit, also on the number pad"),
    ("⇧ 1 – 9", "second emotion, before the key that saves, where it is switched on"),
    ("G", "intensity: 1, 2, 3 or none, where it is switched on"),
    ("Enter", "confirm the prediction"),
    ("S", "skip this clip, or go on after labelling segments of it"),
    ("C", "can't tell: the clip is clear, the emotion is not"),
    (
        "[ ] or I O",
        "start and end of a segment at the playhead; or drag on the waveform or the picture",
    ),
    ("← →", "move the segment's edge by 50 ms; ↑ ↓ choose the edge, Esc lets the segment go"),
    ("Tab", "choose and hear the next segment; a digit labels it, Enter takes the suggestion"),
    ("Del", "remove the chosen segment"),
    ("M", "suggest segments: where somebody speaks, and what the model hears"),
    ("< >", "slower and faster, half to twice the speed"),
    ("+ –", "zoom the waveform"),
    ("U", "undo the last edit of a segment, or else the last decision"),
    ("R", "play from the start"),
    ("H", "show or hide the guidelines"),
    ("space", "play or pause"),
    ("?", "show or hide this list"),
)

WHY: dict[str, str] = {
    "entropy": "the model is not sure",
    "margin": "two emotions are about equally likely",
    "bald": "Monte-Carlo dropout samples disagree",
    "disagreement": "annotators disagree",
    "telling": "a label of it would tell the most",
    "label-error": "its label may be wrong",
    "balance": "few clips like it are labelled",
    "random": "drawn at random",
    "waiting": "next in line",
    "skipped": "it was skipped before",
    "resumed": "you had it open before",
    "reopened": "you asked for it again",
    "practice": "practice: nothing is saved",
    "practice round": "practice round: its emotion is known",
    "brought": "you sent it here; it is saved only if you label it",
}

NEUTRAL = frozenset({"skipped", "practice", "practice round", "resumed", "reopened", "brought"})
"""Reasons that may be read while labelling blind; the others hint at the answer."""

STRATEGIES: tuple[tuple[str, str], ...] = (
    ("most telling first", "telling"),
    ("least certain first", "entropy"),
    ("smallest margin between two emotions first", "margin"),
    ("most information first (BALD)", "bald"),
    ("disagreement between annotators first", "disagreement"),
    ("suspected label errors first", "label-error"),
    ("rare emotions and corpora first", "balance"),
    ("random", "random"),
)

WAITING = (
    '<div class="waiting" role="status"><p>Loading a clip …</p>'
    '<p class="early" hidden>That key press was ignored: the clip is still loading.</p></div>'
)
"""What stands there until the first answer; keys begin to count with the card that follows."""


def suggested(ticket: str, segments: Sequence[Segment]) -> str:
    """Return suggested segments as segments.js reads them."""
    return f'<div data-for="{escape(ticket)}" data-regions="{as_attribute(segments)}"></div>'


SHUT = '<div class="welcome"><h2>No clip can be shown</h2>The message below says why.</div>'

FOR_THOSE_WHO_LABEL = (
    '<div class="welcome"><h2>The clips here are for those who may label</h2>'
    "<p>You can suggest an emotion for a clip of your own: record or upload it on <b>Recognise</b> "
    "or <b>Live</b>. <b>Practise</b> shows the keys on examples.</p></div>"
)

EMPTY = (
    '<div class="welcome"><h2>There is nothing to label yet</h2>'
    "<p>Drop audio files, a folder or a zip archive under <b>Add clips</b> below, and label them "
    "here a moment later. Or press <b>Practise</b> to try the keys on the examples: practice is "
    "not saved and never trains.</p>"
    "<p>A published corpus can be downloaded on the <b>Corpus</b> tab, where a table of file names "
    "and emotions can be imported too. Or put a corpus under <code>corpora</code> in the studio's "
    "home folder.</p></div>"
)

HELP = (
    '<dialog id="label-help" aria-label="Keys"><h2>Keys</h2><dl class="keys">'
    + "".join(f"<dt><kbd>{key}</kbd></dt><dd>{text}</dd>" for key, text in KEYS)
    + "</dl><p class='hint'>Keys are off while you type. <kbd>Esc</kbd> closes this.</p>"
    "<h2>Your keys</h2><div class='remap'>"
    + "".join(
        f'<button type="button" data-remap="{code}" data-name="{name}">{name} <kbd></kbd></button>'
        for name, code in (
            *((emotion, f"Digit{place}") for place, emotion in enumerate(EMOTIONS, 1)),
            ("Skip", "KeyS"),
            ("Can't tell", "KeyC"),
            ("Undo", "KeyU"),
            ("Replay", "KeyR"),
            ("Suggest", "KeyM"),
            ("Intensity", "KeyG"),
            ("Guidelines", "KeyH"),
        )
    )
    + "</div><p id='label-remap-note' class='hint' role='status'></p>"
    "<button type='button' id='label-remap-reset'>Reset the keys</button>"
    "<form method='dialog'><button>Close</button></form></dialog>"
)


def card(shown: DisplayedClip, who: Annotator) -> str:
    """Return the clip's card: its sound, its name, the corpus's label and the prediction.

    Args:
        shown: the clip.
        who: for whom; a decision that waits for a connection is theirs alone.
    """
    ready = shown.ready
    facts = [*_origin(shown), f"{ready.seconds:.1f}\N{NO-BREAK SPACE}s" if ready.seconds else ""]
    title = escape(shown.title)
    lines = [
        f'<section class="clip-card" data-ticket="{escape(shown.ticket)}" '
        f'data-predicted="{_predicted(shown)}" data-segments="{as_attribute(shown.segments)}" '
        f'data-who="{who.tag}" {"data-practice " if shown.why == "practice" else ""}'
        'aria-label="The clip to label">',
        f'<p class="clip-name" translate="no">{title}</p>',
        f'<p class="file">{escape(" · ".join(fact for fact in facts if fact))}</p>',
        _sound(shown),
        f'<p class="notice">{escape(_trouble(shown))}</p>' if ready.trouble else "",
        _mine(shown),
        _prediction_line(shown),
        "</section>",
        note_html(shown.practice),
    ]
    return "".join(lines)


def _origin(shown: DisplayedClip) -> list[str]:
    """Return where a clip comes from and why it is shown, as far as one may know."""
    if shown.blind:
        return [WHY[shown.why]] if shown.why in NEUTRAL else []
    source = shown.source
    if shown.why == "practice":
        return [WHY[shown.why]]
    speaker = f"speaker {source.speaker}" if source.speaker else ""
    place = source.corpus or ("" if shown.why == "brought" else "from the store")
    return [place, speaker, WHY.get(shown.why, shown.why)]


def _trouble(shown: DisplayedClip) -> str:
    text, name = shown.ready.trouble, shown.source.name
    if not shown.blind:
        return text
    return text.replace(name, "this clip").replace(name.rpartition("/")[2], "this clip")


def _predicted(shown: DisplayedClip) -> str:
    prediction = shown.ready.prediction
    return escape(prediction["emotion"] or "") if prediction and not shown.blind else ""


def _sound(shown: DisplayedClip) -> str:
    if not shown.ready.sound:
        return '<p class="notice">This clip cannot be played. Skip it.</p>'
    return (
        f'<audio controls preload="auto" src="{shown.ready.sound}" '
        f'aria-label="{escape(shown.title)}"></audio>'
    )


def _mine(shown: DisplayedClip) -> str:
    if not shown.mine:
        return ""
    mine = in_words(shown.mine, shown.second, shown.intensity)
    return (
        f'<p class="mine">You chose {swatch(shown.mine)} <b>{escape(mine)}</b>. '
        "Press another key to change it.</p>"
    )


def _prediction_line(shown: DisplayedClip) -> str:
    prediction = shown.ready.prediction
    if shown.blind:
        return (
            '<p class="blind">Blind: name, prediction and the corpus\'s label stay hidden until '
            "you have chosen.</p>"
        )
    given = shown.source.emotion
    table = f'<p class="given">The corpus says <b>{escape(given)}</b>.</p>' if given else ""
    if prediction is None:
        return table
    emotion = prediction["emotion"]
    if emotion is None:
        reason = prediction["unsure"] or "no speech was found"
        return f'{table}<p class="notice"><b>No answer.</b> {escape(reason)}</p>'
    uncertainty = (
        f'<p class="notice"><b>Not sure.</b> {escape(prediction["unsure"])}</p>'
        if prediction["unsure"]
        else ""
    )
    return (
        f'<p class="verdict"><span class="word">{swatch(emotion)}{escape(emotion)}</span>'
        f'<span class="share">{percent(prediction["confidence"])} likely · '
        f"<kbd>Enter</kbd> confirms</span></p>{table}{uncertainty}"
        f"{bars(_top(prediction['probabilities']))}"
    )


def _top(probabilities: dict[str, float], most: int = 5) -> dict[str, float]:
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])
    return dict(ranked[:most])


TELLING = (
    "Most telling first: clips with few labels, with labels that differ, and those the model is "
    "unsure of come before the ones whose emotion is as good as settled."
)


SCORING = (
    "The studio's model{model} has predicted {count} of {total} clips, and continues while nobody "
    "waits."
)
NOT_SCORING = (
    "The studio's model{model} has predicted {count} of {total} clips; background prediction is "
    "off."
)
IN_TRAINING = (
    "{count} are by speakers it was trained on, or may have been, and are never called suspected "
    "errors."
)


def known(found: QueueKnowledge, *, scoring: bool) -> str:
    """Return how many clips the order knows, and what it keeps out.

    Args:
        found: how much it knows.
        scoring: whether the model goes on scoring while nobody waits.
    """
    if not found.total:
        return ""
    by = f" <b>{escape(found.model)}</b>" if found.model else ""
    numbers = {"model": by, "count": f"<b>{found.scored:,}</b>", "total": f"{found.total:,}"}
    if found.scored == found.total:
        parts = [
            say("The studio's model{model} has predicted {count} of {total} clips.", **numbers)
        ]
    else:
        parts = [say(SCORING if scoring else NOT_SCORING, **numbers)]
    if found.strategy in NEEDS_MODEL and found.scored < found.total:
        parts.append(say("The others come later, or at random."))
    if found.strategy == "telling":
        parts.append(say(TELLING))
    if found.strategy == "label-error":
        suspected = f"<b>{found.suspected:,}</b>"
        parts.append(say("It contradicts the label of {count}.", count=suspected))
    if found.in_training:
        parts.append(say(IN_TRAINING, count=f"{found.in_training:,}"))
    if found.out_of_fold:
        folds = f"{found.out_of_fold:,}"
        parts.append(say("{count} have out-of-fold predictions.", count=folds))
    if found.in_training:
        command = f"<code>{COMMAND}</code>"
        parts.append(say("{command} makes out-of-fold predictions for them.", command=command))
    trouble = f'<p class="notice">{escape(found.trouble)}</p>' if found.trouble else ""
    return f'<p class="hint known">{" ".join(parts)}</p>{trouble}'


def aside(
    progress: QueueProgress, recent: Sequence[JournalEntry], names: dict[str, str], known: str = ""
) -> str:
    """Return progress and the last decisions.

    Args:
        progress: how far the annotator is.
        recent: their last decisions, latest first.
        names: clip -> its name now.
        known: what the order knows, as `known` gives it.
    """
    share = progress.done / progress.total if progress.total else 0.0
    pace = f"{progress.per_hour:.0f} an hour" if progress.per_hour else ""
    left = _left(progress)
    parts = [f"<b>{progress.done}</b> of {progress.total} labelled", pace, left]
    if progress.skipped:
        parts.append(f"{progress.skipped} skipped")
    return (
        f'<div class="progress" role="group" aria-label="Progress"><span class="track">'
        f'<span class="fill" style="width:{share * 100:.1f}%"></span></span>'
        f"<p>{' · '.join(part for part in parts if part)}</p></div>{known}"
        f"{decisions(recent, names)}"
    )


def decisions(recent: Sequence[JournalEntry], names: dict[str, str]) -> str:
    """Return somebody's last decisions, as buttons that open their clips again."""
    rows = "".join(_decision(entry, names) for entry in recent)
    listing = f'<ol class="decisions">{rows}</ol>' if rows else '<p class="hint">None yet.</p>'
    return f'<h2 class="section-title">Your last decisions</h2>{listing}'


def _left(progress: QueueProgress) -> str:
    if not progress.remaining:
        return "none left"
    left = f"{progress.remaining} left"
    if not progress.per_hour or progress.done < 5:
        return left
    minutes = progress.remaining / progress.per_hour * 60
    if minutes < 90:
        return f"{left}, about {f'{minutes:.0f} minutes' if minutes >= 1.5 else 'a minute'}"
    return f"{left}, about {minutes / 60:.0f} hours"


def _decision(entry: JournalEntry, names: dict[str, str]) -> str:
    what = entry.emotion or "skipped"
    mark = swatch(entry.emotion) if entry.emotion in EMOTIONS else '<span class="swatch">–</span>'
    name = escape(names.get(entry.clip, entry.file_name))
    mixed = entry.second_emotion or entry.intensity
    words = in_words(entry.emotion, entry.second_emotion, entry.intensity) if mixed else ""
    return (
        f'<li><button type="button" class="reopen" data-reopen="{escape(entry.clip)}" '
        f'title="Open {name} again">{mark}<span class="what">{escape(what)}</span>'
        f'<span class="where">{f"{escape(words)} · " if words else ""}{_span(entry)}{name}</span>'
        f'<span class="at">#{entry.number}</span></button></li>'
    )


def _span(entry: JournalEntry) -> str:
    if not entry.start:
        return ""
    start, end = (f"{float(at):.1f}" for at in (entry.start, entry.end))
    return say("{start}–{end} s of", start=start, end=end) + " "


OF_THE_CORPUS = "Examples from the same corpus:"
OF_THE_PROJECT = "An example of each emotion:"


def references(emotions: Sequence[str], heading: str = OF_THE_CORPUS) -> str:
    """Return a button for each emotion of which there is a clip to compare with."""
    if not emotions:
        return ""
    buttons = "".join(
        f'<button type="button" class="reference emotion-{escape(name)}" '
        f'data-emotion="{escape(name)}" aria-label="{_hear(name, heading)}">'
        f"{swatch(name)}{escape(name)}</button>"
        for name in emotions
    )
    return f'<p class="hint">{heading}</p><div class="references">{buttons}</div>'


def _hear(emotion: str, heading: str) -> str:
    where = "from this corpus" if heading == OF_THE_CORPUS else "as an example"
    return f"Hear {escape(emotion)} {where}"


def reference_sound(url: str, emotion: str, name: str) -> str:
    """Return a reference clip that plays by itself."""
    return (
        f'<p class="hint">{swatch(emotion)} {escape(say(emotion))}: {escape(name)}</p>'
        f'<audio controls data-play="now" src="{url}" '
        f'aria-label="Reference for {escape(emotion)}"></audio>'
    )

"""Pieces of HTML of the Label tab; what varies is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from label_store.fold_opinions import COMMAND
from label_store.journal import Entry
from label_store.queue import Progress
from ser_core.emotions import EMOTIONS
from ui.label_pool import NEEDS_MODEL, Known
from ui.label_shown import Shown
from ui.parts import bars, percent, swatch

KEYS: tuple[tuple[str, str], ...] = (
    ("1 – 9", "choose the emotion with that digit, also on the number pad"),
    ("Enter", "confirm what the model says"),
    ("S", "skip this clip"),
    ("U", "undo the last decision"),
    ("R", "play from the start"),
    ("space", "play or pause"),
    ("?", "show or hide this list"),
)

WHY: dict[str, str] = {
    "entropy": "the model is unsure of it",
    "margin": "the model wavers between two",
    "bald": "draws of the model differ on it",
    "disagreement": "annotators differ",
    "label-error": "its label may be wrong",
    "balance": "its kind is rare so far",
    "random": "drawn at random",
    "waiting": "next in line",
    "skipped": "it was skipped before",
    "resumed": "it was waiting for you",
    "reopened": "you asked for it again",
    "brought": "you just recorded it, and it is kept only if you label it",
}

NEUTRAL = frozenset({"skipped", "resumed", "reopened", "brought"})
"""Reasons that may be read while labelling blind; the others hint at the answer."""

STRATEGIES: tuple[tuple[str, str], ...] = (
    ("what the model is least sure of", "entropy"),
    ("what it wavers on between two", "margin"),
    ("what draws of it differ on (BALD)", "bald"),
    ("what annotators differ on", "disagreement"),
    ("labels that may be wrong", "label-error"),
    ("rare emotions and corpora", "balance"),
    ("at random", "random"),
)

WAITING = (
    '<div class="waiting" role="status"><p>Fetching a clip …</p>'
    '<p class="early" hidden>That key was not counted: no clip is here yet.</p></div>'
)
"""What stands there until the first answer; keys begin to count with the card that follows."""

SHUT = '<div class="welcome"><h2>No clip can be shown</h2>The line below says why.</div>'

EMPTY = (
    '<div class="welcome"><h2>There is nothing to label yet</h2>'
    "Bring clips in one of three ways, then press <b>Look again</b>:"
    "<ol><li>put a corpus under <code>corpora</code> in the studio's home folder, "
    "for instance <code>data/corpora/emodb</code> (<code>python -m trainer download emodb</code> "
    "does so for you);</li>"
    "<li>import a table of file names and emotions on the <b>Corpus</b> tab;</li>"
    "<li>recognise a clip on the first tab and put it right: it is kept here.</li></ol></div>"
)

HELP = (
    '<dialog id="label-help" aria-label="Keys"><h2>Keys</h2><dl class="keys">'
    + "".join(f"<dt><kbd>{key}</kbd></dt><dd>{text}</dd>" for key, text in KEYS)
    + "</dl><p class='hint'>Keys rest while you type in a box. <kbd>Esc</kbd> closes this.</p>"
    "<form method='dialog'><button>Close</button></form></dialog>"
)


def card(shown: Shown, notice: str = "") -> str:
    """Return the clip's card: its sound, its name, what the table and the model say.

    Args:
        shown: the clip.
        notice: a sentence that stands above all else, or "".
    """
    ready = shown.ready
    facts = [*_origin(shown), f"{ready.seconds:.1f} s" if ready.seconds else ""]
    title = escape(shown.title)
    lines = [
        f'<section class="clip-card" data-ticket="{escape(shown.ticket)}" '
        f'data-said="{_said(shown)}" aria-label="The clip to label">',
        f'<p class="clip-name" title="{title}">{title}</p>',
        f'<p class="file">{escape(" · ".join(fact for fact in facts if fact))}</p>',
        _sound(shown),
        f'<p class="notice" role="alert">{escape(notice)}</p>' if notice else "",
        f'<p class="notice">{escape(_trouble(shown))}</p>' if ready.trouble else "",
        _mine(shown),
        _opinion(shown),
        "</section>",
    ]
    return "".join(lines)


def _origin(shown: Shown) -> list[str]:
    """Return where a clip comes from and why it is shown, as far as one may know."""
    if shown.blind:
        return [WHY[shown.why]] if shown.why in NEUTRAL else []
    source = shown.source
    speaker = f"speaker {source.speaker}" if source.speaker else ""
    return [source.corpus or "from the store", speaker, WHY.get(shown.why, shown.why)]


def _trouble(shown: Shown) -> str:
    text, name = shown.ready.trouble, shown.source.name
    if not shown.blind:
        return text
    return text.replace(name, "this clip").replace(name.rpartition("/")[2], "this clip")


def _said(shown: Shown) -> str:
    said = shown.ready.prediction
    return (said["emotion"] or "") if said and not shown.blind else ""


def _sound(shown: Shown) -> str:
    if not shown.ready.sound:
        return '<p class="notice">This clip has no sound that can be played. Skip it.</p>'
    return (
        f'<audio controls preload="auto" src="{shown.ready.sound}" '
        f'aria-label="{escape(shown.title)}"></audio>'
    )


def _mine(shown: Shown) -> str:
    if not shown.mine:
        return ""
    return (
        f'<p class="mine">You said {swatch(shown.mine)} <b>{escape(shown.mine)}</b>. '
        "Another key replaces it.</p>"
    )


def _opinion(shown: Shown) -> str:
    said = shown.ready.prediction
    if shown.blind:
        return (
            '<p class="blind">Blind: name, prediction and the table\'s emotion stay hidden until '
            "you have chosen.</p>"
        )
    given = shown.source.emotion
    table = f'<p class="given">The table says <b>{escape(given)}</b>.</p>' if given else ""
    if said is None:
        return table
    if said["emotion"] is None:
        reason = said["unsure"] or "nothing to judge"
        return f'{table}<p class="notice"><b>No answer.</b> {escape(reason)}</p>'
    doubt = (
        f'<p class="notice"><b>Not sure.</b> {escape(said["unsure"])}</p>' if said["unsure"] else ""
    )
    return (
        f'<p class="verdict"><span class="word">{swatch(said["emotion"])}{said["emotion"]}</span>'
        f'<span class="share">{percent(said["confidence"])} likely · <kbd>Enter</kbd> confirms'
        f"</span></p>{table}{doubt}{bars(_top(said['probabilities']))}"
    )


def _top(probabilities: dict[str, float], most: int = 5) -> dict[str, float]:
    ranked = sorted(probabilities.items(), key=lambda pair: -pair[1])
    return dict(ranked[:most])


def known(found: Known, *, listening: bool) -> str:
    """Return how many clips the order knows, and what it keeps out.

    Args:
        found: how much it knows.
        listening: whether the model goes on listening while nobody waits.
    """
    if not found.total:
        return ""
    text = f"The model has heard <b>{found.judged:,}</b> of {found.total:,} clips"
    if found.judged < found.total:
        text += ", and goes on while nobody waits" if listening else "; it is not listening ahead"
    text += "."
    if found.strategy in NEEDS_MODEL and found.judged < found.total:
        text += " The others come after those, or at random."
    if found.strategy == "label-error":
        text += f" It contradicts the label of <b>{found.suspected:,}</b>."
    if found.in_training:
        text += (
            f" {found.in_training:,} are of speakers of its training (the train side of the "
            "committed split, or a model trained here) and never called suspected errors."
        )
    if found.unheard:
        text += (
            f" Models that never heard their speakers judge the labels of {found.unheard:,} clips."
        )
    if found.in_training:
        text += f" <code>{COMMAND}</code> gets opinions of them from models that never heard them."
    trouble = f'<p class="notice">{escape(found.trouble)}</p>' if found.trouble else ""
    return f'<p class="hint known">{text}</p>{trouble}'


def aside(
    progress: Progress, recent: Sequence[Entry], names: dict[str, str], known: str = ""
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
    rows = "".join(_decision(entry, names) for entry in recent)
    listing = (
        f'<ol class="decisions">{rows}</ol>'
        if rows
        else '<p class="hint">None yet in this store.</p>'
    )
    return (
        f'<div class="progress" role="group" aria-label="Progress"><span class="track">'
        f'<span class="fill" style="width:{share * 100:.1f}%"></span></span>'
        f"<p>{' · '.join(part for part in parts if part)}</p></div>{known}"
        f'<h2 class="section-title">Your last decisions</h2>{listing}'
    )


def _left(progress: Progress) -> str:
    if not progress.remaining:
        return "nothing remains"
    left = f"{progress.remaining} remain"
    if not progress.per_hour or progress.done < 5:
        return left
    minutes = progress.remaining / progress.per_hour * 60
    if minutes < 90:
        return f"{left}, about {f'{minutes:.0f} minutes' if minutes >= 1.5 else 'a minute'}"
    return f"{left}, about {minutes / 60:.0f} hours"


def _decision(entry: Entry, names: dict[str, str]) -> str:
    what = entry.emotion or "skipped"
    mark = swatch(entry.emotion) if entry.emotion in EMOTIONS else '<span class="swatch">–</span>'
    name = escape(names.get(entry.clip, entry.file_name))
    return (
        f'<li><button type="button" class="reopen" data-reopen="{escape(entry.clip)}" '
        f'title="Open {name} again">{mark}<span class="what">{escape(what)}</span>'
        f'<span class="where">{name}</span><span class="at">#{entry.number}</span></button></li>'
    )


def references(emotions: Sequence[str]) -> str:
    """Return a button for each emotion of which the corpus has a clip to compare with."""
    if not emotions:
        return ""
    buttons = "".join(
        f'<button type="button" class="reference emotion-{name}" data-emotion="{name}" '
        f'aria-label="Hear {name} from this corpus">{swatch(name)}{name}</button>'
        for name in emotions
    )
    return (
        f'<p class="hint">Hear the same corpus say it:</p><div class="references">{buttons}</div>'
    )


def reference_sound(url: str, emotion: str, name: str) -> str:
    """Return a reference clip that plays by itself."""
    return (
        f'<p class="hint">{swatch(emotion)} {escape(emotion)}: {escape(name)}</p>'
        f'<audio controls data-play="now" src="{url}" aria-label="Reference for {emotion}"></audio>'
    )

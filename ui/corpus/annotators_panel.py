"""The panel of annotators and gold clips: its components, its pieces of HTML, its handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import gradio as gr

from label_store.annotators import (
    GOLD_SHARE,
    LEAST_RIGHT,
    MOST_GOLD,
    MOST_PRACTICE,
    Practice,
)
from label_store.errors import StoreError
from label_store.reliability import GoldScore, wilson
from ser_core.errors import SerError
from ui import page_html
from ui.annotation_settings import read_settings
from ui.corpus import annotators, html
from ui.corpus.annotators import PROOF_ANSWERS, PROOF_SHARE, AnnotatorOverview, AnnotatorRow
from ui.corpus.session import CorpusTableService
from ui.errors import GoneError, PageError
from ui.identity import Annotator
from ui.language import say, say_count
from ui.page_html import counted, swatch

EVERYBODY, ONLY = "everybody who may write", "only selected annotators"
GOLD_SHOWN = 60
LEVELS = (60, 70, 75, 80, 85, 90, 95, 99)
CHOICES = (("off", 0.0), *((f"{level} %", level / 100) for level in LEVELS))
"""Certainties from which on labels may be enough."""

ENOUGH = (
    "Such clips leave everybody's queue. Annotators and model are each weighed by how often they "
    "agree with the others (CROWDLAB)."
)
ENOUGH_SET = "A clip has enough labels once its consensus is {level} % certain."
RIGHT = 80
"""Share of right answers in the practice round that is proposed, in percent."""

PRACTICE = "0 = off. Whoever has not passed is asked about gold clips first, and told the answers."
PRACTICE_SET = (
    "Labels made from now on count once their annotator has answered {clips} gold clips, "
    "{share} % of them right."
)
FEW_GOLD = (
    "There are only {gold} gold clips, so the practice round ends after those; mark more to ask "
    "for {clips}."
)
INTRO = (
    '<p class="hint">The trainer uses the same list; <code>--trusted</code> overrides it for one '
    "run. Gold clips have a known answer and are mixed in among the others, without a mark. "
    "Rows of <code>labels/gold.csv</code> (<code>Filename,Emotion</code>) in the studio's home "
    "count too. The known answers are not used for training; an annotator's answer is a label like "
    "any other.</p>"
)
OF = "{part} of {whole}"
MORE = "… and {count} more"
REFUSALS = (PageError, GoneError, StoreError, SerError)
WRITES: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "write"}


def build(service: CorpusTableService, picked: gr.Textbox) -> gr.HTML:
    """Build the panel inside the current Blocks; return the line that says what was saved.

    Args:
        service: the table.
        picked: what brings the keys of the ticked rows.
    """
    with gr.Accordion(
        "Annotators and gold clips", open=False, elem_id="corpus-annotators"
    ) as panel:
        table = gr.HTML(elem_id="corpus-overview")
        with gr.Row():
            with gr.Column(min_width=280):
                mode = gr.Radio(
                    [EVERYBODY, ONLY], value=EVERYBODY, label="Whose labels are used for training"
                )
                names = gr.CheckboxGroup([], label="Trusted annotators", elem_id="corpus-trusted")
                proven = gr.Button("Select annotators who pass the gold clips", size="sm")
            with gr.Column(min_width=280):
                share = gr.Slider(
                    0, 100 * MOST_GOLD, value=100 * GOLD_SHARE, step=1,
                    label="Share of gold clips in the queue, %", elem_id="corpus-gold-share",
                )  # fmt: skip
                enough = gr.Dropdown(
                    list(CHOICES), value=0.0,
                    label="Enough labels: when consensus is at least this certain",
                    info=ENOUGH, elem_id="corpus-enough-level",
                )  # fmt: skip
                with gr.Row():
                    practice = gr.Number(
                        0, precision=0, minimum=0, maximum=MOST_PRACTICE, min_width=150,
                        label="Practice: gold clips before labels count", info=PRACTICE,
                        elem_id="corpus-practice",
                    )  # fmt: skip
                    right = gr.Slider(
                        100 * LEAST_RIGHT, 100, value=RIGHT, step=1, min_width=150,
                        label="Right of them, %", elem_id="corpus-practice-right",
                    )  # fmt: skip
                with gr.Row(elem_classes="acts"):
                    add = gr.Button("Mark ticked rows as gold", size="sm", elem_id="corpus-gold")
                    take = gr.Button(
                        "Remove gold from ticked rows", size="sm", elem_id="corpus-no-gold"
                    )
                gr.HTML(INTRO)
        save = gr.Button(
            "Save these settings", variant="primary", size="sm",
            elem_id="corpus-save-annotators",
        )  # fmt: skip
        status = gr.HTML(page_html.status(""), elem_id="corpus-annotators-status")
    settings = [mode, names, share, enough, practice, right]
    shown = [table, *settings, status]
    panel.expand(_opener(service), None, shown, api_visibility="private", show_progress="hidden")
    save.click(_saver(service), settings, shown, **WRITES)
    proven.click(_prover(service), None, [mode, names, status], api_visibility="private")
    for button, act in ((add, annotators.mark_gold), (take, annotators.unmark_gold)):
        button.click(_marker(service, act), picked, shown, js=html.PICKED, **WRITES)
    return status


# ---------------------------------------------------------------------- what the page shows


def view(service: CorpusTableService, who: Annotator, status: str) -> tuple[Any, ...]:
    """Return the panel's outputs; for those who may not see it a sentence in their place."""
    try:
        found = annotators.overview(service, who)
    except REFUSALS as error:
        return (page_html.status(str(error), "refused"), *[gr.skip()] * 6, status)
    trusted, asked = found.set.trusted, found.set.practice
    return (
        annotator_table(found),
        EVERYBODY if trusted is None else ONLY,
        gr.update(
            choices=[one.name for one in found.annotators],
            value=[one.name for one in found.annotators if one.trusted],
        ),
        round(100 * found.set.gold_share),
        _level(found.set.enough),
        asked.clips if asked else 0,
        round(100 * asked.share) if asked else RIGHT,
        status,
    )


def _level(enough: float | None) -> Any:
    """Return the dropdown's value; one that was written into the file by hand is offered too."""
    value = enough or 0.0
    if value in {share for _, share in CHOICES}:
        return value
    return gr.update(choices=[*CHOICES, (f"{100 * value:g} %", value)], value=value)


def annotator_table(found: AnnotatorOverview) -> str:
    """Return the annotators with what they did, then the gold clips."""
    rows = "".join(_person(one) for one in found.annotators)
    heads = "".join(
        f"<th>{head}</th>"
        for head in (
            "Annotator",
            "Clips labelled",
            "Gold clips correct",
            "Correct when blind",
            "As most others say",
            "Practice round",
            "Used for training",
        )
    )
    table = (
        '<div class="corpus-scroll"><table class="corpus annotators">'
        f"<thead><tr>{heads}</tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        if rows
        else '<p class="hint">Nobody has labelled yet.</p>'
    )
    troubles = "".join(f'<p class="notice">{escape(text)}</p>' for text in found.problems[:20])
    more = len(found.problems) - 20
    troubles += f'<p class="hint">{say(MORE, count=more)}.</p>' if more > 0 else ""
    when = found.set.changed
    set_by = say("Set by {name}, {when}.", name=found.set.changed_by, when=when)
    by = f'<p class="hint">{escape(set_by)}</p>'
    return table + (by if when else "") + _gold(found) + troubles


def _person(one: AnnotatorRow) -> str:
    gold, blind = one.gold, "–"
    if gold is not None and gold.blind_seen:
        blind = _share(gold.blind_right, gold.blind_seen)
    right = _share(gold.right, gold.seen) + _mistakes(gold) if gold is not None else "–"
    right += _by_emotion(gold.by_emotion) if gold is not None else ""
    return (
        f'<tr><td class="who">{escape(one.name)}</td><td>{one.labels:,}</td>'
        f"<td>{right}</td><td>{blind}</td>"
        f"<td>{_others(one)}</td><td>{_practice(one)}</td>"
        f"<td>{'yes' if one.trusted else 'no'}</td></tr>"
    )


def _share(right: int, seen: int) -> str:
    low, high = wilson(right, seen)
    return (
        f'{say(OF, part=right, whole=seen)} <span class="range" title="95 % interval (Wilson)">'
        f"{right / seen:.0%}, {100 * low:.0f}–{high:.0%}</span>"
    )


def _others(one: AnnotatorRow) -> str:
    """Return the share of clips named as most of the others did, in all and for each emotion."""
    if not one.others:
        return "–"
    alike, seen = (sum(pair[place] for pair in one.others.values()) for place in (0, 1))
    return _share(alike, seen) + _by_emotion(one.others)


def _by_emotion(pairs: Mapping[str, tuple[int, int]]) -> str:
    rows = "".join(
        f"<li>{swatch(emotion)} {escape(say(emotion))}: {_share(*pair)}</li>"
        for emotion, pair in pairs.items()
    )
    return f"<details><summary>by emotion</summary><ul>{rows}</ul></details>"


def _practice(one: AnnotatorRow) -> str:
    """Return whether somebody passed the practice round, or how far they are."""
    now = one.practice
    if now is None:
        return "–"
    if now.passed is not None:
        return "passed"
    far = say(OF, part=now.answered, whole=now.needed)
    return far + (f" · {now.accuracy:.0%}" if now.answered else "")


def _mistakes(gold: GoldScore) -> str:
    if not gold.mistakes:
        return ""
    (known, given), count = max(gold.mistakes.items(), key=lambda pair: (pair[1], pair[0]))
    times = f" {count}×" if count > 1 else ""
    text = say("{known} labelled as {given}", known=say(known), given=say(given))
    return f'<span class="why">{escape(text)}{times}</span>'


def _gold(found: AnnotatorOverview) -> str:
    clips = sorted(found.gold.clips.values(), key=lambda one: (one.corpus, one.file_name))
    if not clips:
        return '<p class="hint">There are no gold clips yet.</p>'
    items = "".join(
        f"<li>{swatch(one.emotion)} {escape(one.emotion)} · {escape(one.file_name)}</li>"
        for one in clips[:GOLD_SHOWN]
    )
    more = len(clips) - GOLD_SHOWN
    rest = f"<li>{say(MORE, count=more)}</li>" if more > 0 else ""
    title = say_count(len(clips), "1 gold clip with answers", "{count} gold clips with answers")
    return f'<details class="gold"><summary>{title}</summary><ul>{items}{rest}</ul></details>'


# ---------------------------------------------------------------------- handlers


def _opener(service: CorpusTableService) -> Callable[..., Any]:
    def open_(request: gr.Request) -> Any:
        return view(service, service.services.identity.annotator(request), page_html.status(""))

    return open_


def saved(
    service: CorpusTableService,
    who: Annotator,
    mode: str,
    names: list[str],
    share: float,
    enough: float = 0.0,
    practice: int | None = 0,
    right: float = RIGHT,
) -> str:
    """Set people and share; return the status line."""
    try:
        made = annotators.set_annotators(
            service, who, everybody=mode != ONLY, names=names or [], share=(share or 0) / 100,
            enough=enough or None,
            practice=(int(practice), (right or RIGHT) / 100) if practice else None,
        )  # fmt: skip
    except REFUSALS as error:
        return page_html.status(str(error), "refused")
    if made.trusted is None:
        text = say("Saved: everybody's labels are used for training.")
    elif made.trusted:
        names_of = ", ".join(sorted(made.trusted))
        text = say("Saved: only labels by {names} are used for training.", names=names_of)
    else:
        text = say("Saved: nobody's labels are used for training.")
    text += " " + say("{share} of the queue is gold.", share=f"{made.gold_share:.0%}")
    if made.enough is not None:
        text += " " + say(ENOUGH_SET, level=f"{100 * made.enough:.0f}")
    if made.practice is not None:
        text += " " + _asks(service, made.practice)
    return page_html.status(text, "done")


def _asks(service: CorpusTableService, practice: Practice) -> str:
    """Return what is asked of annotators from now on, and whether there is gold enough for it."""
    numbers = {"clips": practice.clips, "share": f"{100 * practice.share:.0f}"}
    gold = len(read_settings(service.services).gold.clips)
    text = say(PRACTICE_SET, **numbers)
    return text if gold >= practice.clips else f"{text} {say(FEW_GOLD, gold=gold, **numbers)}"


def _saver(service: CorpusTableService) -> Callable[..., Any]:
    def save(
        mode: str,
        names: list[str],
        share: float,
        enough: float,
        practice: int | None,
        right: float,
        request: gr.Request,
    ) -> Any:
        who = service.services.identity.annotator(request)
        text = saved(service, who, mode, names, share, enough, practice, right)
        return view(service, who, text)

    return save


def _prover(service: CorpusTableService) -> Callable[..., Any]:
    def prove(request: gr.Request) -> Any:
        who = service.services.identity.annotator(request)
        try:
            names = annotators.overview(service, who).proven()
        except REFUSALS as error:
            return gr.skip(), gr.skip(), page_html.status(str(error), "refused")
        text = say(
            "Selected: {names} ({answers} or more gold clips, at least {share} correct). Nothing "
            "is saved yet.",
            names=", ".join(names) or say("nobody"),
            answers=PROOF_ANSWERS,
            share=f"{PROOF_SHARE:.0%}",
        )
        return ONLY, names, page_html.status(text)

    return prove


def marked(
    service: CorpusTableService, who: Annotator, act: Callable[..., int], keys: list[str]
) -> tuple[Any, ...]:
    """Mark rows or take them off, and return the panel's outputs."""
    try:
        count = act(service, who, keys)
    except REFUSALS as error:
        return view(service, who, page_html.status(str(error), "refused"))
    what = "marked as gold" if act is annotators.mark_gold else "removed from the gold list"
    return view(service, who, page_html.status(f"Saved: {counted(count, 'clip')} {what}.", "done"))


def _marker(service: CorpusTableService, act: Callable[..., int]) -> Callable[..., Any]:
    def change(picked: str, request: gr.Request) -> Any:
        who = service.services.identity.annotator(request)
        return marked(service, who, act, html.parsed_keys(picked))

    return change

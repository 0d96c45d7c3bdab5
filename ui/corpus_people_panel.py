"""The panel of people and gold clips: its components, its pieces of HTML, its handlers."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from label_store.errors import StoreError
from label_store.people import GOLD_SHARE, MOST_GOLD
from label_store.reliability import GoldScore, wilson
from ser_core.errors import SerError
from ui import corpus_parts, corpus_people, parts
from ui.analysis import PageError
from ui.corpus_desk import CorpusDesk
from ui.corpus_people import PROOF_ANSWERS, PROOF_SHARE, Crew, Person
from ui.identity import Annotator
from ui.label_clip import GoneError
from ui.parts import swatch

EVERYBODY, ONLY = "everybody who may write", "only those ticked"
GOLD_SHOWN = 60
INTRO = (
    '<p class="hint">The trainer reads the same list; <code>--trusted</code> goes over it for one '
    "run. Gold clips have a known answer and come among the others, looking like any of them. "
    "Rows of <code>labels/gold.csv</code> (<code>Filename,Emotion</code>) in the studio's home "
    "count too. The known answers train nothing; what somebody answers is a label like any "
    "other.</p>"
)
REFUSALS = (PageError, GoneError, StoreError, SerError)
WRITES: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "write"}


def build(desk: CorpusDesk, picked: gr.Textbox) -> None:
    """Build the panel inside the current Blocks.

    Args:
        desk: the table.
        picked: what brings the keys of the ticked rows.
    """
    with gr.Accordion("People and gold clips", open=False, elem_id="corpus-people") as panel:
        table = gr.HTML(elem_id="corpus-crew")
        with gr.Row():
            with gr.Column(min_width=280):
                mode = gr.Radio([EVERYBODY, ONLY], value=EVERYBODY, label="Whose labels train")
                names = gr.CheckboxGroup([], label="Trusted annotators", elem_id="corpus-trusted")
                proven = gr.Button("Tick whom the gold clips prove", size="sm")
            with gr.Column(min_width=280):
                share = gr.Slider(
                    0, 100 * MOST_GOLD, value=100 * GOLD_SHARE, step=1,
                    label="Gold clips among those shown, in percent", elem_id="corpus-gold-share",
                )  # fmt: skip
                with gr.Row(elem_classes="acts"):
                    add = gr.Button("Mark ticked rows as gold", size="sm", elem_id="corpus-gold")
                    take = gr.Button("Take ticked rows off", size="sm", elem_id="corpus-no-gold")
                gr.HTML(INTRO)
        save = gr.Button(
            "Save who is trusted and the share", variant="primary", size="sm",
            elem_id="corpus-save-people",
        )  # fmt: skip
        status = gr.HTML(parts.status(""), elem_id="corpus-people-status")
    shown = [table, mode, names, share, status]
    panel.expand(_opener(desk), None, shown, api_visibility="private", show_progress="hidden")
    save.click(_saver(desk), [mode, names, share], shown, **WRITES)
    proven.click(_prover(desk), None, [mode, names, status], api_visibility="private")
    for button, act in ((add, corpus_people.mark_gold), (take, corpus_people.unmark_gold)):
        button.click(_marker(desk, act), picked, shown, js=corpus_parts.PICKED, **WRITES)


# ---------------------------------------------------------------------- what the page shows


def view(desk: CorpusDesk, who: Annotator, status: str) -> tuple[Any, ...]:
    """Return the panel's outputs; for those who may not see it a sentence in their place."""
    try:
        found = corpus_people.crew(desk, who)
    except REFUSALS as error:
        return (parts.status(str(error), "refused"), *[gr.skip()] * 3, status)
    trusted = found.set.trusted
    return (
        crew_table(found),
        EVERYBODY if trusted is None else ONLY,
        gr.update(
            choices=[one.name for one in found.people],
            value=[one.name for one in found.people if one.trusted],
        ),
        round(100 * found.set.gold_share),
        status,
    )


def crew_table(found: Crew) -> str:
    """Return the people with what they did, then the gold clips."""
    rows = "".join(_person(one) for one in found.people)
    heads = "".join(
        f"<th>{head}</th>"
        for head in ("Annotator", "Clips labelled", "Gold clips right", "of them blind", "Trains")
    )
    table = (
        f'<div class="corpus-scroll"><table class="corpus people"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        if rows
        else '<p class="hint">Nobody has labelled yet.</p>'
    )
    troubles = "".join(f'<p class="notice">{escape(text)}</p>' for text in found.problems[:20])
    more = len(found.problems) - 20
    troubles += f'<p class="hint">… and {more} more.</p>' if more > 0 else ""
    when = found.set.changed
    by = f'<p class="hint">Set by {escape(found.set.changed_by)}, {escape(when)}.</p>'
    return table + (by if when else "") + _gold(found) + troubles


def _person(one: Person) -> str:
    gold, blind = one.gold, "–"
    if gold is not None and gold.blind_seen:
        blind = _share(gold.blind_right, gold.blind_seen)
    right = _share(gold.right, gold.seen) if gold is not None else "–"
    return (
        f'<tr><td class="who">{escape(one.name)}</td><td>{one.labels:,}</td>'
        f"<td>{right}{_mistakes(gold)}</td><td>{blind}</td>"
        f"<td>{'yes' if one.trusted else 'no'}</td></tr>"
    )


def _share(right: int, seen: int) -> str:
    low, high = wilson(right, seen)
    return (
        f'{right} of {seen} <span class="range" title="95 % interval (Wilson)">'
        f"{right / seen:.0%}, {100 * low:.0f}–{high:.0%}</span>"
    )


def _mistakes(gold: GoldScore | None) -> str:
    if gold is None or not gold.mistakes:
        return ""
    (known, given), count = max(gold.mistakes.items(), key=lambda pair: (pair[1], pair[0]))
    times = f" {count}×" if count > 1 else ""
    return f'<span class="why">{escape(known)} taken for {escape(given)}{times}</span>'


def _gold(found: Crew) -> str:
    clips = sorted(found.gold.clips.values(), key=lambda one: (one.corpus, one.file_name))
    if not clips:
        return '<p class="hint">No clip is gold yet, so nobody is tested.</p>'
    items = "".join(
        f"<li>{swatch(one.emotion)} {escape(one.emotion)} · {escape(one.file_name)}</li>"
        for one in clips[:GOLD_SHOWN]
    )
    more = len(clips) - GOLD_SHOWN
    rest = f"<li>… and {more} more</li>" if more > 0 else ""
    return (
        f'<details class="gold"><summary>{len(clips)} gold clips and their answers</summary>'
        f"<ul>{items}{rest}</ul></details>"
    )


# ---------------------------------------------------------------------- handlers


def _opener(desk: CorpusDesk) -> Callable[..., Any]:
    def open_(request: gr.Request) -> Any:
        return view(desk, desk.services.identity.annotator(request), parts.status(""))

    return open_


def saved(desk: CorpusDesk, who: Annotator, mode: str, names: list[str], share: float) -> str:
    """Set people and share; return the status line."""
    try:
        made = corpus_people.set_people(
            desk, who, everybody=mode != ONLY, names=names or [], share=(share or 0) / 100
        )
    except REFUSALS as error:
        return parts.status(str(error), "refused")
    if made.trusted is None:
        text = "Saved: everybody's labels train."
    elif made.trusted:
        text = f"Saved: only labels of {', '.join(sorted(made.trusted))} train."
    else:
        text = "Saved: nobody's labels train."
    return parts.status(f"{text} {made.gold_share:.0%} of the clips shown are gold.", "done")


def _saver(desk: CorpusDesk) -> Callable[..., Any]:
    def save(mode: str, names: list[str], share: float, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        return view(desk, who, saved(desk, who, mode, names, share))

    return save


def _prover(desk: CorpusDesk) -> Callable[..., Any]:
    def prove(request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        try:
            names = corpus_people.crew(desk, who).proven()
        except REFUSALS as error:
            return gr.skip(), gr.skip(), parts.status(str(error), "refused")
        rule = f"{PROOF_ANSWERS} gold clips or more, {PROOF_SHARE:.0%} of them right"
        text = f"Ticked: {', '.join(names) or 'nobody'} ({rule}). Nothing is saved yet."
        return ONLY, names, parts.status(text)

    return prove


def marked(
    desk: CorpusDesk, who: Annotator, act: Callable[..., int], keys: list[str]
) -> tuple[Any, ...]:
    """Mark rows or take them off, and return the panel's outputs."""
    try:
        count = act(desk, who, keys)
    except REFUSALS as error:
        return view(desk, who, parts.status(str(error), "refused"))
    what = "marked as gold" if act is corpus_people.mark_gold else "taken off the gold list"
    return view(desk, who, parts.status(f"Saved: {count} clips {what}.", "done"))


def _marker(desk: CorpusDesk, act: Callable[..., int]) -> Callable[..., Any]:
    def change(picked: str, request: gr.Request) -> Any:
        who = desk.services.identity.annotator(request)
        return marked(desk, who, act, corpus_parts.parsed_keys(picked))

    return change

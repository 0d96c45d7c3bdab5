"""Pieces of HTML of the Corpus tab; what varies is escaped."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape

from label_store.corpus_rows import CorpusRow, TablePage, TableQuery
from label_store.exchange import ImportPlan
from ser_core.emotions import EMOTIONS
from ui.language import say
from ui.page_html import percent, swatch

PROBLEMS: dict[str, str] = {
    "missing-file": "file missing",
    "unlabelled": "not labelled yet",
    "unknown-emotion": "unknown emotion",
    "duplicate": "duplicate",
    "suspected-error": "suspected error",
    "disagreement": "annotators disagree",
    "suggestion": "suggestion to review",
}

SORTS: tuple[tuple[str, str], ...] = (
    ("file_name", "File name"),
    ("emotion", "Emotion"),
    ("corpus", "Corpus"),
    ("suspicion", "Model"),
)

EMPTY = (
    '<div class="welcome"><h2>No rows yet</h2>Add clips below, put a corpus under '
    "<code>corpora</code> in the studio's home folder, import a table of file names and emotions, "
    "or label a clip.</div>"
)

NOTHING_FOUND = '<div class="welcome">No row matches. Clear the search or a filter above.</div>'

TICK, PLAY = "Tick {name}", "Play {name}"
NAME_OF, EMOTION_OF = "File name of {name}", "Emotion of {name}"
ROW = "row {line}: {name}"
HAS = "The table has: {kinds}. Nothing has been saved yet."

NEED_TICKS = ("word", "accept", "reject", "gold", "no-gold")
"""Ends of the ids of the buttons that do something with ticked rows."""

EVENTS = (
    """
const tell = (found) => trigger('select', {value: JSON.stringify(found)});
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-do]');
  if (button) tell({do: button.dataset.do, to: button.dataset.to || '', key: button.dataset.key || '', head: button.dataset.head || ''});
  if (event.target.matches('input[data-all]'))
    element.querySelectorAll('input[data-pick]').forEach((box) => { box.checked = event.target.checked; });
});
element.addEventListener('change', (event) => {
  const field = event.target.closest('[data-field]');
  if (field) tell({do: field.dataset.field, to: field.value, key: field.dataset.key, head: field.dataset.head});
});
// What needs ticked rows can't be pressed while none is ticked. The table's rows and the panel with
// some of the buttons come and go.
const rest = () => {
  const none = !element.querySelector('input[data-pick]:checked');
  document.querySelectorAll('NEED_TICKS').forEach((button) => {
    if (button.disabled !== none) button.disabled = none;
  });
};
element.addEventListener('change', rest);
new MutationObserver(rest).observe(document.getElementById('tab-corpus') || document.body, {childList: true, subtree: true});
rest();
"""  # noqa: E501
).replace("NEED_TICKS", ", ".join(f"#corpus-{name}" for name in NEED_TICKS))

PICKED = (
    "(_, ...rest) => [JSON.stringify([...document.querySelectorAll("
    "'#corpus-table input[data-pick]:checked')].map((box) => box.dataset.pick)), ...rest]"
)
"""Brings the keys of the ticked rows."""


def parsed_keys(picked: str) -> list[str]:
    """Return the keys that the page sent, none where it sent nothing sensible.

    >>> parsed_keys('["a", "b"]'), parsed_keys("x")
    (['a', 'b'], [])
    """
    try:
        found = json.loads(picked or "[]")
    except ValueError:
        return []
    return [str(key) for key in found][:1000] if isinstance(found, list) else []


def table(
    page: TablePage,
    query: TableQuery,
    reasons: Mapping[str, str],
    *,
    playing: str = "",
    note: tuple[str, str] = ("", ""),
) -> str:
    """Return one page of the table.

    Args:
        page: the rows.
        query: what was asked for.
        reasons: row key -> what the corpus's reader found wrong with it.
        playing: key of the row that plays.
        note: key of the row that was changed, and what came of it, as HTML.
    """
    if not page.total:
        asked = query.search or query.corpus or query.emotion or query.problem
        return NOTHING_FOUND if asked else EMPTY
    rows = "".join(
        _row(
            row, reasons.get(row.key, ""), row.key == playing, note[1] if row.key == note[0] else ""
        )
        for row in page.rows
    )
    return (
        f'<div class="corpus-scroll"><table class="corpus"><thead><tr>{_heads(query)}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_footer(page)}"
    )


def _heads(query: TableQuery) -> str:
    cells = [
        '<th class="pick"><input type="checkbox" data-all aria-label="Tick all rows shown"></th>',
        '<th class="play"><span class="visually-hidden">Play</span></th>',
    ]
    for key, title in SORTS:
        on = query.sort == key
        arrow = ("▼" if query.descending else "▲") if on else ""
        order = ("descending" if query.descending else "ascending") if on else "none"
        cells.append(
            f'<th aria-sort="{order}"><button type="button" data-do="sort" data-to="{key}">'
            f'{title}<span aria-hidden="true">{arrow}</span></button></th>'
        )
    return "".join(cells) + "<th>Problem</th>"


def _row(row: CorpusRow, reason: str, playing: bool, note: str) -> str:
    key, head = escape(row.key), escape(row.head or "")
    at = f'data-key="{key}" data-head="{head}"'
    name = escape(row.file_name)
    part = times(row.start, row.end)
    called = f"{name}, {part}" if part else name
    tags = "".join(
        f'<span class="tag {escape(problem)}">{escape(PROBLEMS.get(problem, problem))}</span>'
        for problem in row.problems
    )
    why = f'<span class="why">{escape(reason)}</span>' if reason else ""
    return (
        f'<tr class="{"playing" if playing else ""}">'
        f'<td class="pick"><input type="checkbox" data-pick="{key}" '
        f'aria-label="{_named(TICK, called)}"></td>'
        f'<td class="play"><button type="button" data-do="play" {at} '
        f'aria-label="{_named(PLAY, called)}">▶</button></td>'
        f'<td class="name"><input type="text" data-field="name" {at} value="{name}" '
        f'aria-label="{_named(NAME_OF, called)}" spellcheck="false">{_part(part)}</td>'
        f'<td class="emotion">{_emotion(row, at, called)}{note}</td>'
        f'<td class="corpus-name">{escape(row.corpus or "store")}</td>'
        f'<td class="prediction">{_prediction_cell(row)}</td>'
        f'<td class="wrong">{tags}{why}</td></tr>'
    )


def _named(text: str, called: str) -> str:
    """Return a sentence on a row, whose name is escaped already."""
    return escape(say(text)).replace("{name}", called)


def times(start: float | None, end: float | None) -> str:
    """Return a segment's times; "" for the whole clip.

    >>> times(0.5, 1.25), times(2, None), times(None, None)
    ('0.5–1.25 s', 'from 2 s', '')
    """
    if start is None and end is None:
        return ""
    first = round(start or 0.0, 3)
    if end is None:
        return say("from {start} s", start=f"{first:g}")
    return f"{first:g}–{round(end, 3):g} s"


def _part(text: str) -> str:
    return f'<span class="part">{text}</span>' if text else ""


def _emotion(row: CorpusRow, at: str, called: str) -> str:
    known = row.emotion in EMOTIONS
    first = "" if known else f'<option value="" selected>{escape(row.emotion or "–")}</option>'
    options = "".join(
        # The words are the reader's, what is chosen is the emotion.
        f'<option value="{name}"{" selected" if name == row.emotion else ""}>{name}</option>'
        for name in EMOTIONS
    )
    tint = f" emotion-{row.emotion}" if known else ""
    return (
        f'<span class="pill{tint}"></span><select data-field="emotion" {at} '
        f'aria-label="{_named(EMOTION_OF, called)}">{first}{options}</select>'
    )


def _prediction_cell(row: CorpusRow) -> str:
    if row.prediction is None:
        return '<span class="none">–</span>'
    share = (row.prediction.probabilities or {}).get(row.prediction.emotion, 0.0)
    named = row.prediction.emotion
    differs = " differs" if named != row.emotion else ""
    return (
        f'<span class="predicted{differs}">{swatch(named)}{escape(named)} '
        f"<small>{percent(share)}</small></span>"
    )


def _footer(page: TablePage) -> str:
    def step(to: int, sign: str, name: str) -> str:
        off = "" if 0 <= to < page.pages and to != page.page else " disabled"
        return (
            f'<button type="button" data-do="page" data-to="{to}" aria-label="{name}"{off}>'
            f"{sign}</button>"
        )

    return (
        '<div class="pager">'
        + step(0 if page.page else -1, "«", "First page")
        + step(page.page - 1, "‹", "Previous page")
        + f"<span>page {page.page + 1} of {page.pages} · {page.total:,} rows</span>"
        + step(page.page + 1, "›", "Next page")
        + step(page.pages - 1, "»", "Last page")
        + "</div>"
    )


def sound(url: str, name: str, start: float | None = None, end: float | None = None) -> str:
    """Return the player of a row: of its segment, where it is one.

    Args:
        url: the clip's sound.
        name: the clip's name.
        start, end: seconds; None = the clip's own.
    """
    part = times(start, end)
    called = escape(f"{name}, {part}" if part else name)
    only = f"#t={start or 0},{'' if end is None else end}" if part else ""
    return (
        f'<p class="hint">{called}</p>'
        f'<audio controls data-play="now" src="{url}{only}" aria-label="{called}"></audio>'
    )


def preview(plan: ImportPlan, most: int = 40) -> str:
    """Return what an import would change."""
    counts = plan.counts()
    kinds = ", ".join(f"<b>{count}</b> {escape(say(kind))}" for kind, count in counts.items())
    changed = [change for change in plan.changes if change.kind != "same"]
    rows = "".join(
        f"<tr><td>{escape(change.row.file_name)}{_part(times(change.row.start, change.row.end))}"
        f"</td><td>{escape(change.kind)}</td>"
        f"<td>{escape(change.before or '–')} → {escape(change.row.emotion)}</td></tr>"
        for change in changed[:most]
    )
    wrong = "".join(
        f"<tr><td>{escape(say(ROW, line=one.line, name=one.name))}</td><td>{escape(one.kind)}</td>"
        f"<td>{escape(one.reason)}</td></tr>"
        for one in plan.problems[:most]
    )
    more = len(changed) - most
    rest = f'<p class="hint">… and {more} more changes.</p>' if more > 0 else ""
    left = len(plan.problems) - most
    rest += f'<p class="hint">… and {left} more notes.</p>' if left > 0 else ""
    return (
        f'<p class="hint">{say(HAS, kinds=kinds or say("nothing"))}</p>'
        '<div class="corpus-scroll"><table class="corpus plan"><thead><tr><th>File</th>'
        f"<th>What</th><th>How</th></tr></thead><tbody>{rows}{wrong}</tbody></table></div>{rest}"
    )


def notices(lines: tuple[str, ...]) -> str:
    """Return sentences on what could not be read."""
    return "".join(f'<p class="notice">{escape(line)}</p>' for line in lines)

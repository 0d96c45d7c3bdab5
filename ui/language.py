"""The language that somebody reads: English, German or Polish, as their browser asks for.

An English sentence is its own key. What a component is built with goes through `fixed`, which the
browser replaces (gr.I18n); what is made for one request goes through `say`, which reads the
language of that request. A sentence that a table lacks stays English.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import html
import inspect
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ui.languages import de, pl

if TYPE_CHECKING:
    import gradio as gr

TABLES: Mapping[str, Mapping[str, str]] = {"de": de.TEXTS, "pl": pl.TEXTS}
"""Language -> English sentence -> its sentence."""

PIECE = re.compile(r"(?<=>)[^<>]*[^\W\d][^<>]*(?=<)")
"""Text between two tags of HTML."""

BLOCK = re.compile(r"(\n\n|\n(?=- |#))")
"""Between the paragraphs, points and headings of Markdown."""

SENTENCE = re.compile(r"(?<=[.!?:]) (?=[^\W\d_a-z]|[“‘(`*])")
"""Between two sentences of a message."""

TEXT = re.compile(r"(<[^>]*>)([^<>]*[^\W\d_][^<>]*)(?=<)")
ATTRIBUTE = re.compile(r'\b(aria-label|title|placeholder)="([^"]*[^\W\d_][^"]*)"')

LONGEST = 2000
"""Most characters of a message that is looked for by its words."""

_FIXED: dict[str, Mapping[str, str]] = {}
"""Sentences that components were built with, which alone the browser is given: their own wording
by language, where they have one."""

_ASKED: contextvars.ContextVar[str] = contextvars.ContextVar("language", default="")
"""The language that texts are put together in, "" for the request's."""


def fixed(text: str) -> str:
    """Return what stands for a sentence in a component, until the browser puts in its own.

    Args:
        text: the English sentence, a key of `TABLES`; without placeholders.
    """
    _FIXED.setdefault(text, {})
    marker = {"__type__": "translation_metadata", "key": text}
    return f"__i18n__{json.dumps(marker, ensure_ascii=False)}"


def fixed_in_each(made: Callable[[], str]) -> str:
    """Return what stands for a text that is put together, as `fixed` does for a sentence.

    Args:
        made: puts it together with `say`; it is called once in each language.
    """
    texts = {}
    for name in ("en", *TABLES):
        with speaking(name):
            texts[name] = made()
    _FIXED[texts["en"]] = texts
    return fixed(texts["en"])


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Put texts together in a language, whatever a request asks for, for a ``with`` block.

    >>> with speaking("de"):
    ...     say("joy")
    'Freude'
    """
    asked = _ASKED.set(language)
    try:
        yield
    finally:
        _ASKED.reset(asked)


def translations() -> gr.I18n:
    """Return the tables for the browser; call it when the page is built."""
    import gradio as gr

    tables = {
        name: {key: own.get(name) or looked_up(table, key) for key, own in _FIXED.items()}
        for name, table in TABLES.items()
    }
    return gr.I18n(en={key: key for key in _FIXED}, **tables)


def say(text: str, **values: Any) -> str:
    """Return a sentence in the language of the request that is being answered.

    Args:
        text: the English sentence, with ``{name}`` for what is filled in.
        values: what is filled in.

    >>> say("Saved #{number}: undone.", number=3)
    'Saved #3: undone.'
    """
    found = looked_up(TABLES.get(current(), {}), text)
    return found.format(**values) if values else found


def say_count(count: int, one: str, many: str, **values: Any) -> str:
    """Return the sentence that goes with a number, in the language of the request.

    Args:
        count: the number, for ``{count}``.
        one, many: the English sentence for 1, and for any other number.
        values: what else is filled in.

    >>> say_count(1, "1 clip", "{count} clips"), say_count(1200, "1 clip", "{count} clips")
    ('1 clip', '1,200 clips')
    """
    return say(one if count == 1 else many, count=f"{count:,}", **values)


def looked_up(table: Mapping[str, str], text: str) -> str:
    """Return a table's sentence; of a text that it lacks as a whole, that of each of its pieces.

    Pieces are the texts between tags, and what is spoken of a part (its aria-label, its title).

    >>> looked_up({"Stop": "Halt"}, "<b>Stop</b> <i>now</i>")
    '<b>Halt</b> <i>now</i>'
    """
    plain = " ".join(text.split())
    if plain and plain in table:
        return text.replace(text.strip(), table[plain])
    parts = BLOCK.split(text)
    if len(parts) > 1:
        parts[::2] = [looked_up(table, part) for part in parts[::2]]
        return "".join(parts)
    if "<" in text:
        text = ATTRIBUTE.sub(lambda found: f'{found[1]}="{looked_up(table, found[2])}"', text)
        return PIECE.sub(lambda found: looked_up(table, found[0]), text)
    return text


def translated(message: str, language: str = "") -> str:
    """Return a message that was made elsewhere, in the language of the request.

    It is found in the tables by its words, whatever stands in the places of the placeholders; of
    several sentences that are not found together, each is looked for.

    Args:
        message: an English sentence or more, already filled in.
        language: instead of the request's; as `chosen` gives it.
    """
    language = language or current()
    if language not in TABLES or not message:
        return message
    whole = _found(language, message)
    if whole is not None:
        return whole
    return " ".join(_found(language, one) or one for one in SENTENCE.split(message))


def _found(language: str, message: str) -> str | None:
    """Return the wording of a message, None where the language's table has none."""
    table = TABLES[language]
    if message in table:
        return table[message]
    if len(message) > LONGEST:
        return None
    for literal, pattern, wording in _patterns(language):
        found = pattern.fullmatch(message) if literal in message else None
        if found:
            return wording.format(
                **{name: table.get(value, value) for name, value in found.groupdict().items()}
            )
    return None


def localised(text: str) -> str:
    """Return HTML with each of its texts and its spoken attributes as `translated` gives them.

    What stands right behind a tag with ``translate="no"`` is somebody's own and stays.
    """
    if current() == "en":
        return text
    if "<" not in text:
        return translated(text)
    text = ATTRIBUTE.sub(lambda found: f'{found[1]}="{_inner(found[2])}"', text)
    return TEXT.sub(
        lambda found: found[0] if 'translate="no"' in found[1] else found[1] + _inner(found[2]),
        text,
    )


def _inner(piece: str) -> str:
    """Translate a text of HTML, a list of facts one by one, with the blanks around it."""
    facts = []
    for fact in piece.split(" · "):
        plain = html.unescape(fact.strip())
        wording = translated(plain)
        facts.append(fact if wording == plain else fact.replace(fact.strip(), _safe(wording)))
    return " · ".join(facts)


def _safe(text: str) -> str:
    return html.escape(text)


def translate_page(page: gr.Blocks) -> None:
    """Let every component of a built page speak the reader's language.

    What stands in a component from the start goes through `fixed`, what its listeners make for a
    `gr.HTML` through `localised`, and the names of choices are put in when the page is opened.

    Args:
        page: with all its components and listeners, still open to be built.
    """
    import gradio as gr

    for block in page.blocks.values():
        spoken = isinstance(block, gr.Button | gr.DownloadButton | gr.HTML | gr.Markdown)
        for name in ("label", "info", "placeholder", *(["value"] if spoken else [])):
            text = getattr(block, name, None)
            if not isinstance(text, str) or "__i18n__" in text:
                continue
            if any(looked_up(one, text) != text for one in TABLES.values()):
                setattr(block, name, fixed(text))
    for listener in page.fns.values():
        kinds = [isinstance(one, gr.HTML) for one in listener.outputs]
        if listener.fn is not None and any(kinds):
            listener.fn = _speaking(listener.fn, kinds)
    chosen_from = [
        block
        for block in page.blocks.values()
        if isinstance(block, gr.Radio | gr.Dropdown | gr.CheckboxGroup)
        and any(str(name) in TABLES["de"] for name, _ in block.choices)
    ]
    choices = [list(block.choices) for block in chosen_from]

    def names() -> list[Any]:
        return [gr.update(choices=[(translated(str(n)), v) for n, v in rows]) for rows in choices]

    page.load(names, None, chosen_from, show_progress="hidden", queue=False)


def _speaking(function: Callable[..., Any], kinds: Sequence[bool]) -> Callable[..., Any]:
    """Return a listener's function whose HTML is in the language of its request."""

    def one(value: Any) -> Any:
        if isinstance(value, str):
            return localised(value)
        if isinstance(value, dict) and isinstance(value.get("value"), str):
            return value | {"value": localised(value["value"])}
        return value

    def all_of(found: Any) -> Any:
        if len(kinds) == 1:
            return one(found)
        if not isinstance(found, tuple | list) or len(found) != len(kinds):
            return found
        return tuple(
            one(value) if kind else value for value, kind in zip(found, kinds, strict=True)
        )

    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def stream(*given: Any, **named: Any) -> Iterator[Any]:
            for found in function(*given, **named):
                yield all_of(found)

        return stream

    @functools.wraps(function)
    def answer(*given: Any, **named: Any) -> Any:
        return all_of(function(*given, **named))

    return answer


@functools.cache
def _patterns(language: str) -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """Return the longest words of each sentence with places to fill in, its pattern, its wording.

    The words spare nearly every text nearly every pattern.
    """
    found = []
    for text, translated in TABLES[language].items():
        parts = re.split(r"\{(\w+)\}", text)
        if len(parts) < 3:
            continue
        words = len("".join(parts[::2]))
        # Few words of its own would match nearly everything, were anything allowed between them.
        gap = ".+?" if words >= 14 else r"\S+(?: %| s)?"
        written = "".join(
            f"(?P<{part}>{gap})" if place % 2 else re.escape(part)
            for place, part in enumerate(parts)
        )
        longest = max(parts[::2], key=len)
        found.append((words, longest, re.compile(written, re.S), translated))
    found.sort(key=lambda row: -row[0])
    return tuple(row[1:] for row in found)


def current() -> str:
    """Return the language of the request that is being answered; ``en`` outside of one."""
    from gradio.context import LocalContext

    if _ASKED.get():
        return _ASKED.get()
    request = LocalContext.request.get(None)
    headers = getattr(request, "headers", None)
    return chosen(headers.get("accept-language", "")) if headers is not None else "en"


def chosen(header: str) -> str:
    """Return the language for an Accept-Language header: that which stands first, as in a browser.

    Args:
        header: as in RFC 9110, section 12.5.4.

    >>> chosen("de-AT,de;q=0.9,en;q=0.8"), chosen("pl"), chosen("fr,de;q=0.5"), chosen("")
    ('de', 'pl', 'en', 'en')
    """
    best, most = "en", 0.0
    for part in header.split(","):
        name, _, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:  # a header that no browser sends
            continue
        if name and weight > most:
            best, most = name.split("-")[0].lower(), weight
    return best if best in TABLES else "en"

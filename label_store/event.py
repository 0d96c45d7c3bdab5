"""One act of an annotator, and how it stands in a row of CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from label_store import names
from label_store.errors import EventError

SCHEMA: Final = 2
"""Version of the row layout that this code writes; 2 added ``second_emotion`` and ``intensity``."""

ACTIONS: Final = (
    "label",
    "skip",
    "undo",
    "rename",
    "review",
    "adjudicate",
    "suggest",
    "forget",
    "pass",
)
"""What an event may be. Only ``suggest`` is open to visitors, and it never trains anything;
``review`` decides on a suggestion, ``adjudicate`` settles what annotators differ on, ``forget`` is
written by `label_store.forget` alone, and ``pass`` says that somebody passed the practice round."""

OF_A_PERSON: Final = frozenset({"forget", "pass"})
"""Actions that are about a person, not about what a clip expresses."""

COLUMNS: Final = (
    "number",
    "event_id",
    "schema",
    "time",
    "writer",
    "annotator",
    "session",
    "action",
    "clip",
    "file_name",
    "former_name",
    "corpus",
    "start",
    "end",
    "emotion",
    "second_emotion",
    "intensity",
    "reason",
    "certainty",
    "note",
    "previous",
    "target",
    "prediction",
    "probabilities",
    "model_version",
    "prediction_visible",
    "milliseconds",
    "extra",
)
"""Columns of an event file, in order."""

INTENSITIES: Final = (1, 2, 3)
"""How strongly an emotion may be said to be expressed: weakly, clearly, strongly."""

LEVELS: Final = frozenset(map(str, INTENSITIES))
"""Intensities as they stand in a cell."""

MAX_NOTE = 10_000
MAX_CELL = 400
MAX_EXTRA = 60_000
_CLIP = re.compile(r"[0-9a-f]{64}")
_MARKUP = re.compile(r"[<>&]")
_EMPTY: Mapping[str, str] = MappingProxyType({})
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\0": "\\0"}
_UNESCAPES = {short[1]: long for long, short in _ESCAPES.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEvent:
    """One act of an annotator: never edited, only followed by another.

    Attributes:
        action: one of ACTIONS.
        annotator: who acted.
        clip: SHA-256 of the clip's bytes, 64 lower-case hex digits; "" for a table row whose
            file is not there (then ``file_name`` and ``corpus`` identify it).
        session: the session in which it happened.
        file_name: the clip's name as shown; for a rename the new name.
        former_name: for a rename the name before it.
        corpus: where the clip comes from, or "".
        start, end: seconds of the labelled part; None = the whole clip.
        emotion: the canonical emotion; empty for skip, undo and rename, and for a review that
            turns a suggestion down.
        second_emotion: the canonical emotion heard beside it, or "".
        intensity: how strongly it is expressed, one of INTENSITIES; None = not said.
        reason: why a clip was skipped or a suggestion turned down.
        certainty: how sure the annotator was, 0..1.
        note: free text, line breaks included.
        previous: id of the event that was the clip's latest when this one was made.
        target: id of the event that an undo takes back or that a review decides on.
        prediction, probabilities, model_version: what the model had predicted.
        prediction_visible: whether the annotator saw the prediction.
        milliseconds: from the clip being shown to the key press.
        extra: columns that this version does not know; they survive.
        event_id, time, number, writer, schema: given by the store when it saves. ``time`` is
            UTC in ISO 8601; ``number`` counts the store's events and orders them.
    """

    action: str
    annotator: str
    clip: str = ""
    session: str = ""
    file_name: str = ""
    former_name: str = ""
    corpus: str = ""
    start: float | None = None
    end: float | None = None
    emotion: str = ""
    second_emotion: str = ""
    intensity: int | None = None
    reason: str = ""
    certainty: float | None = None
    note: str = ""
    previous: str = ""
    target: str = ""
    prediction: str = ""
    probabilities: Mapping[str, float] | None = None
    model_version: str = ""
    prediction_visible: bool | None = None
    milliseconds: int | None = None
    extra: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    event_id: str = ""
    time: str = ""
    number: int = 0
    writer: str = ""
    schema: int = SCHEMA

    @property
    def key(self) -> str:
        """What the event is about: the clip's hash, or ``name:corpus/file`` without one."""
        return clip_key(self.clip, self.corpus, self.former_name or self.file_name)


@dataclass(frozen=True, slots=True)
class Saved:
    """What the store says once the disk has the event.

    Attributes:
        number: the event's place in the store, counted from 1.
        event_id: the event's id.
        event: the event as it stands on disk.
    """

    number: int
    event_id: str
    event: LabelEvent


def clip_key(clip: str, corpus: str, file_name: str) -> str:
    """Return the key of a clip: its hash, or its place in a table where it has none.

    >>> clip_key("", "mine", "a.wav")
    'name:mine/a.wav'
    """
    return clip or f"name:{corpus}/{file_name}"


def check(event: LabelEvent) -> None:
    """Refuse an event that would not come back from the disk as it went.

    Raises:
        EventError: names the field, what it held and what was expected.
    """
    if event.action not in ACTIONS:
        raise EventError(f"“{event.action}” is not an action. Known are: {', '.join(ACTIONS)}.")
    for name in ("annotator", "session", "corpus", "emotion", "reason", "previous", "target"):
        _check_cell(name, getattr(event, name))
    for name in ("second_emotion", "prediction", "model_version", "event_id", "time", "writer"):
        _check_cell(name, getattr(event, name))
    if not event.annotator.strip():
        raise EventError("An event needs an annotator; the name is empty.")
    if event.clip and not _CLIP.fullmatch(event.clip):
        raise EventError(f"“{event.clip[:70]}” is not a clip: expected 64 lower-case hex digits.")
    words = (event.emotion, event.second_emotion, event.prediction)
    for word in (*words, *(event.probabilities or ())):
        if _MARKUP.search(word):
            raise EventError(f"“{word[:60]}” is not an emotion word: it contains <, > or &.")
    if event.action in OF_A_PERSON:
        return
    if not event.clip and not event.file_name:
        raise EventError("An event needs a clip or, where the file is missing, a file name.")
    for label, name in (("file name", event.file_name), ("former name", event.former_name)):
        wrong = names.problem(name) if name else None
        if wrong:
            raise EventError(f"The {label} “{name[:80]}” {wrong}.")
    if event.action in {"label", "suggest", "adjudicate"} and not event.emotion.strip():
        raise EventError(f"The action {event.action} needs an emotion.")
    if event.second_emotion and event.second_emotion == event.emotion:
        raise EventError(f"{event.emotion} can't be both the first and the second emotion.")
    if (event.second_emotion or event.intensity is not None) and not event.emotion:
        raise EventError("A second emotion or an intensity needs the emotion that it belongs to.")
    if event.intensity is not None and str(event.intensity) not in LEVELS:
        raise EventError(f"The intensity is {event.intensity}; expected 1, 2 or 3.")
    if event.action == "undo" and not event.target:
        raise EventError("An undo needs the id of the event that it takes back.")
    if event.action == "rename" and not event.file_name:
        raise EventError("A rename needs the new file name.")
    _check_numbers(event)
    _encodable("note", event.note)
    if len(event.note) > MAX_NOTE:
        raise EventError(f"The note has {len(event.note)} characters; {MAX_NOTE} is the most.")
    extra = json.dumps(dict(event.extra), ensure_ascii=False)
    _encodable("extra columns", extra)
    if len(extra) > MAX_EXTRA:
        raise EventError(
            f"The extra columns hold {len(extra)} characters; {MAX_EXTRA} is the most."
        )


def wrong_words(annotator: str, emotion: str, file_name: str, second_emotion: str = "") -> str:
    """Return what is wrong with the words of an event that was read, or "".

    An event may have come by another way than this store's own pen (a copied file, another
    machine), and its words stand on pages and in tables later.

    >>> wrong_words("ada", "<img src=x>", "a.wav")
    'its emotion “<img src=x>” is not a word: it contains <, > or &.'
    """
    for word in (emotion, second_emotion):
        if _MARKUP.search(word):
            return f"its emotion “{word[:60]}” is not a word: it contains <, > or &."
    cells = (("emotion", emotion), ("second emotion", second_emotion), ("annotator", annotator))
    for name, text in cells:
        if len(text) > MAX_CELL or names.has_control(text):
            return f"its {name} {text[:60]!r} is too long or holds a control character."
    problem = names.problem(file_name) if file_name else None
    return f"its file name “{file_name[:60]}” {problem}." if problem else ""


def _check_cell(name: str, text: str) -> None:
    if len(text) > MAX_CELL:
        raise EventError(f"The {name} has {len(text)} characters; {MAX_CELL} is the most.")
    if names.has_control(text):
        raise EventError(f"The {name} holds a control character or a line break: {text[:60]!r}.")
    _encodable(name, text)


def _encodable(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise EventError(f"The {name} holds bytes that are not text: {text[:60]!r}.") from None


def _check_numbers(event: LabelEvent) -> None:
    for name in ("start", "end", "certainty"):
        value = getattr(event, name)
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise EventError(f"The {name} is {value}; expected a finite number, 0 or more.")
    if event.start is not None and event.end is not None and event.end <= event.start:
        raise EventError(f"The end ({event.end} s) is not after the start ({event.start} s).")
    if event.certainty is not None and event.certainty > 1:
        raise EventError(f"The certainty is {event.certainty}; expected 0 to 1.")
    if event.milliseconds is not None and event.milliseconds < 0:
        raise EventError(f"{event.milliseconds} ms is not a duration.")
    for emotion, probability in (event.probabilities or {}).items():
        _check_cell("emotion of a probability", emotion)
        if not (math.isfinite(probability) and 0 <= probability <= 1):
            raise EventError(f"The probability of {emotion} is {probability}; expected 0 to 1.")


def encode_row(cells: Sequence[str]) -> bytes:
    """Return one line of CSV, ended by a line feed, that holds no other line break."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def encode(event: LabelEvent) -> bytes:
    """Return the event as one line of CSV, ended by a line feed.

    Raises:
        EventError: the event can't be stored as it is.
    """
    check(event)
    return encode_unchecked(event)


def encode_unchecked(event: LabelEvent) -> bytes:
    """Return a row as `encode` does, of an event that was read and need not be judged again."""
    return encode_row(
        (
            str(event.number),
            event.event_id,
            str(event.schema),
            event.time,
            event.writer,
            event.annotator,
            event.session,
            event.action,
            event.clip,
            event.file_name,
            event.former_name,
            event.corpus,
            _number(event.start),
            _number(event.end),
            event.emotion,
            event.second_emotion,
            "" if event.intensity is None else str(event.intensity),
            event.reason,
            _number(event.certainty),
            _escape(event.note),
            event.previous,
            event.target,
            event.prediction,
            _json(event.probabilities),
            event.model_version,
            "" if event.prediction_visible is None else str(int(event.prediction_visible)),
            "" if event.milliseconds is None else str(event.milliseconds),
            _json(event.extra or None),
        )
    )


def decode(cells: Mapping[str, str]) -> LabelEvent:
    """Return the event that a row holds; columns unknown here go to ``extra``.

    Args:
        cells: column name -> cell, as an event file of any version holds them.

    Raises:
        EventError: a cell can't be read; the message names it.
    """

    def text(name: str) -> str:
        return cells.get(name, "")

    try:
        extra: dict[str, str] = json.loads(text("extra")) if text("extra") else {}
        extra |= {name: cell for name, cell in cells.items() if name not in _KNOWN and cell}
        schema = int(text("schema") or 1)
        second, intensity = text("second_emotion"), text("intensity")
        if schema >= 2 and "second_emotion" not in cells:
            # An older version passed the row on: it puts columns that it does not know there.
            second = extra.pop("second_emotion", "")
            intensity = extra.pop("intensity", "") if extra.get("intensity") in LEVELS else ""
        return LabelEvent(
            number=int(text("number")),
            event_id=text("event_id"),
            schema=schema,
            time=text("time"),
            writer=text("writer"),
            annotator=text("annotator"),
            session=text("session"),
            action=text("action"),
            clip=text("clip"),
            file_name=text("file_name"),
            former_name=text("former_name"),
            corpus=text("corpus"),
            start=_float(text("start")),
            end=_float(text("end")),
            emotion=text("emotion"),
            second_emotion=second,
            intensity=int(intensity) if intensity else None,
            reason=text("reason"),
            certainty=_float(text("certainty")),
            note=_unescape(text("note")),
            previous=text("previous"),
            target=text("target"),
            prediction=text("prediction"),
            probabilities=json.loads(text("probabilities")) if text("probabilities") else None,
            model_version=text("model_version"),
            prediction_visible=text("prediction_visible") == "1"
            if text("prediction_visible")
            else None,
            milliseconds=int(text("milliseconds")) if text("milliseconds") else None,
            extra=extra,
        )
    except ValueError as error:
        raise EventError(f"Event {text('event_id') or '?'} can't be read: {error}.") from error


_KNOWN = frozenset(COLUMNS)


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _float(cell: str) -> float | None:
    return float(cell) if cell else None


def _json(values: Mapping[str, object] | None) -> str:
    if values is None:
        return ""
    return json.dumps(dict(values), ensure_ascii=False, separators=(",", ":"))


def _escape(text: str) -> str:
    return re.sub(r"[\\\n\r\0]", lambda found: _ESCAPES[found[0]], text)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", lambda found: _UNESCAPES.get(found[1], found[0]), text)

"""Label Studio's JSON and JSON-MIN: one task a clip, one annotation an annotator.

Source: Label Studio's documentation, "Export annotations and data from Label Studio".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ser_core.corpora.tables.columns import FIELDS, fold_heading
from ser_core.corpora.tables.delimited import expand, one_of
from ser_core.corpora.tables.row import SpeechTable, TableProblem, TableRow
from ser_core.corpora.tables.words import is_emotion
from ser_core.errors import TableError

_BESIDE = {"secondemotion": "Second emotion", "intensity": "Intensity"}
"""Question -> column: what is said beside the emotion."""

_PLAIN = {"id", "annotation_id", "created_at", "updated_at", "lead_time", "annotator"}


def read_label_studio(data: bytes, name: str) -> SpeechTable:
    """Read an export; each region and each annotator's answer is a row.

    Args:
        data: the file's bytes.
        name: its name, for messages.

    Raises:
        TableError: it is not such an export.
    """
    try:
        tasks = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise TableError(f"{name}: not JSON ({error}).") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise TableError(f"{name}: not a Label Studio export; expected a list of tasks.")
    rows: list[TableRow] = []
    problems: list[TableProblem] = []
    for line, task in enumerate(tasks, 1):
        found = (
            _task(line, task) if "annotations" in task or "data" in task else _minimal(line, task)
        )
        for one in found:
            (rows if isinstance(one, TableRow) else problems).append(one)  # type: ignore[arg-type]
    return SpeechTable(tuple(rows), tuple(problems))


def _task(line: int, task: Mapping[str, Any]) -> Iterator[TableRow | TableProblem]:
    data, annotations = task.get("data"), task.get("annotations")
    if not isinstance(data, dict) or not isinstance(annotations, list):
        reason = "The task has no data or no annotations."
        yield TableProblem(line, "", "unreadable-row", reason)
        return
    cells, extra = _fields(data)
    name = cells.get("file_name", "")[:80]
    if not annotations:
        yield TableProblem(line, name, "no-emotion", "Nobody annotated the task.")
    for annotation in annotations:
        if not isinstance(annotation, dict):
            continue
        if annotation.get("was_cancelled"):
            yield TableProblem(line, name, "cancelled", "The annotation was cancelled.")
            continue
        who = {"annotator": _annotator(annotation.get("completed_by"))}
        found = 0
        for given, times, beside in _answers(annotation.get("result") or ()):
            found += 1
            yield one_of(line, cells | who | times, given, extra | beside)
        if not found:
            yield TableProblem(line, name, "no-emotion", "The annotation names no emotion.")


def _answers(results: Any) -> Iterator[tuple[list[str], dict[str, str], dict[str, str]]]:
    """Yield the words for each segment, its times, and what is said beside them.

    Questions of which no answer is an emotion are left out.
    """
    by_question: dict[str, list[tuple[list[str], dict[str, str]]]] = {}
    beside: dict[tuple[str, ...], dict[str, str]] = {}
    for question, value in _questions(results):
        times = {key: _text(value[key]) for key in ("start", "end") if value.get(key) is not None}
        given = value.get("choices") or value.get("labels") or []
        words = [_text(word) for word in given] if isinstance(given, list) else []
        column = _BESIDE.get(fold_heading(question))
        if column:
            cell = ", ".join(words) or _text(value.get("rating"))
            beside.setdefault(tuple(times.values()), {})[column] = cell
        elif words:
            by_question.setdefault(question, []).append((words, times))
    moods = {
        question: answers
        for question, answers in by_question.items()
        if any(is_emotion(word) for words, _ in answers for word in words)
    }
    for answers in (moods or by_question).values():
        for words, times in answers:
            yield words, times, beside.get(tuple(times.values()), {})


def _questions(results: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each question's name and the answer to it."""
    for result in results if isinstance(results, list) else ():
        value = result.get("value") if isinstance(result, dict) else None
        if isinstance(value, dict):
            yield _text(result.get("from_name")), value


def _minimal(line: int, task: Mapping[str, Any]) -> Iterator[TableRow | TableProblem]:
    answers = {
        key: value
        for key, value in task.items()
        if key not in _PLAIN and _place(key) not in {"file_name", "corpus", "clip"}
    }
    cells, extra = _fields({k: v for k, v in task.items() if k not in answers and k not in _PLAIN})
    cells["annotator"] = _annotator(task.get("annotator"))
    moods = [
        key
        for key, value in answers.items()
        if fold_heading(key) not in _BESIDE and any(map(is_emotion, _words(value)))
    ]
    named = [key for key in answers if _place(key) == "emotion"]
    chosen = next(iter(moods or named), None)
    if chosen is None:
        reason = "The task has no answer that names an emotion."
        yield TableProblem(line, cells.get("file_name", "")[:80], "no-emotion", reason)
        return
    extra |= {key: _text(value) for key, value in answers.items() if key != chosen}
    yield from expand(line, cells | {"emotion": _text(answers[chosen])}, extra)


def _words(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [word for key in ("choices", "labels") for word in _words(value.get(key) or [])]
    return [word for one in value for word in _words(one)] if isinstance(value, list) else []


def _fields(data: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    cells: dict[str, str] = {}
    extra: dict[str, str] = {}
    # Our own exports name the file beside its address; the name goes first.
    for key in sorted(data, key=lambda key: fold_heading(key) != "filename"):
        place = _place(key)
        if (
            place in {"file_name", "corpus", "clip", "speaker", "sex", "sentence"}
            and place not in cells
        ):
            cells[place] = _text(data[key])
        elif place != "file_name":
            extra[key] = _text(data[key])
    return cells, extra


def _place(key: str) -> str:
    folded = fold_heading(key)
    if folded == "clip":
        return "clip"
    return next((field for field, aliases in FIELDS.items() if folded in aliases), "")


def _annotator(given: object) -> str:
    if isinstance(given, dict):
        return _text(given.get("email") or given.get("id") or "")
    return _text(given)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

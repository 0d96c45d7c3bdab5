"""Label Studio's JSON: one task a clip, one annotation an annotator.

Source: Label Studio's documentation, "Label Studio JSON format of annotated tasks".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from label_store.consensus import seconds
from label_store.errors import TableError
from label_store.exchange.rows import LabelRow, RowProblem, Table, build, collect
from label_store.fold import ClipView
from label_store.store import LabelStore


def to_label_studio(store: LabelStore, *, audio_url: str = "clips/") -> bytes:
    """Return every clip's votes as Label Studio tasks.

    Args:
        store: what to export.
        audio_url: what stands before ``<ab>/<sha256>.<ext>`` in each task's address.
    """
    paths = store.clips.paths()
    tasks = []
    for view in sorted(store.state().clips(), key=lambda one: (one.corpus, one.file_name, one.key)):
        path = paths.get(view.clip)
        address = f"{audio_url}{view.clip[:2]}/{path.name}" if path else view.file_name
        annotations = _annotations(view)
        if annotations:
            data = {
                "audio": address,
                "file_name": view.file_name,
                "corpus": view.corpus,
                "clip": view.clip,
            }
            tasks.append({"data": data, "annotations": annotations})
    return json.dumps(tasks, ensure_ascii=False, indent=1).encode()


def _annotations(view: ClipView) -> list[dict[str, Any]]:
    results: dict[str, list[dict[str, Any]]] = {}
    for span, votes in sorted(view.votes.items()):
        start, end = seconds(span)
        times = {
            name: value for name, value in (("start", start), ("end", end)) if value is not None
        }
        for annotator, entry in sorted(votes.items()):
            results.setdefault(annotator, []).append(
                {
                    "from_name": "emotion",
                    "to_name": "audio",
                    "type": "labels" if times else "choices",
                    "value": {**times, "labels" if times else "choices": [entry.emotion]},
                }
            )
    return [
        {"completed_by": {"email": annotator}, "result": found}
        for annotator, found in sorted(results.items())
    ]


def read_label_studio(data: bytes, name: str = "tasks.json") -> Table:
    """Read Label Studio's JSON export; each annotation is a row, with its annotator.

    Args:
        data: the file's bytes.
        name: its name, for messages.

    Raises:
        TableError: it is not such an export.
    """
    try:
        tasks = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise TableError(f"{name} is no JSON: {error}.") from error
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise TableError(f"{name} is no Label Studio export; a list of tasks is wanted.")
    return collect(row for line, task in enumerate(tasks, 1) for row in _task(line, task))


def _task(line: int, task: Mapping[str, Any]) -> Iterator[LabelRow | RowProblem]:
    data = task.get("data")
    annotations = task.get("annotations")
    if not isinstance(data, dict) or not isinstance(annotations, list):
        reason = "The task has no data or no annotations; export as JSON, not JSON-MIN."
        yield RowProblem(line, "", "short-row", reason)
        return
    known = {"audio", "file_name", "corpus", "clip"}
    cells = {key: _text(value) for key, value in data.items() if key not in known}
    cells |= {key: _text(data.get(key, "")) for key in ("file_name", "corpus", "clip")}
    cells["file_name"] = cells["file_name"] or _file_of(_text(data.get("audio", "")))
    for annotation in annotations:
        if not isinstance(annotation, dict) or annotation.get("was_cancelled"):
            continue
        for result in annotation.get("result") or ():
            value = result.get("value") if isinstance(result, dict) else None
            if not isinstance(value, dict):
                continue
            given: Any = value.get("choices") or value.get("labels") or []
            if not isinstance(given, list) or len(given) != 1:
                if given:
                    reason = f"{len(given)} emotions at once; one is wanted."
                    yield RowProblem(line, cells["file_name"][:80], "unknown-emotion", reason)
                continue
            more = {
                "emotion": _text(given[0]),
                "annotator": _annotator(annotation.get("completed_by")),
                "start": _text(value.get("start", "")),
                "end": _text(value.get("end", "")),
            }
            yield build(line, cells | more)


def _annotator(given: object) -> str:
    if isinstance(given, dict):
        return _text(given.get("email") or given.get("id") or "")
    return _text(given)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _file_of(address: str) -> str:
    # Local storage: /data/local-files/?d=folder/a.wav ; uploads: /data/upload/1/ab12cd34-a.wav
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    name = PurePosixPath(local[0] if local else unquote(parts.path)).name
    if "/upload/" in parts.path and name[8:9] == "-":
        name = name[9:]
    return name

"""Label Studio's JSON: one task a clip, one annotation an annotator.

A second emotion and an intensity are two more questions, ``second_emotion`` (Choices) and
``intensity`` (Rating), of the clip or, under the region's own id, of a region.

Source: Label Studio's documentation, "Label Studio JSON format of annotated tasks".
"""

from __future__ import annotations

import json
from typing import Any

from label_store.consensus import seconds
from label_store.event_rows import JournalEntry
from label_store.fold import ClipView, Span
from label_store.store import LabelStore


def to_label_studio(store: LabelStore, *, audio_url: str = "clips/") -> bytes:
    """Return every clip's annotations as Label Studio tasks.

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
    for span, by_annotator in sorted(view.annotations.items()):
        for annotator, entry in sorted(by_annotator.items()):
            results.setdefault(annotator, []).extend(_results(span, entry))
    return [
        {"completed_by": {"email": annotator}, "result": found}
        for annotator, found in sorted(results.items())
    ] + _decisions(view)


def _decisions(view: ClipView) -> list[dict[str, Any]]:
    """What a reviewer decided is the ground truth beside the annotations that it settles."""
    return [
        {
            "completed_by": {"email": entry.annotator},
            "ground_truth": True,
            "result": _results(span, entry),
        }
        for span, entry in sorted(view.reviews.items())
        if entry.action == "adjudicate"
    ]


def _results(span: Span, entry: JournalEntry) -> list[dict[str, Any]]:
    start, end = seconds(span)
    times = {name: value for name, value in (("start", start), ("end", end)) if value is not None}
    kind = "labels" if times else "choices"
    answers: list[tuple[str, str, dict[str, Any]]] = [("emotion", kind, {kind: [entry.emotion]})]
    if entry.second_emotion:
        answers.append(("second_emotion", "choices", {"choices": [entry.second_emotion]}))
    if entry.intensity:
        answers.append(("intensity", "rating", {"rating": int(entry.intensity)}))
    # What is said of a region carries the region's id; an answer for a whole clip needs none.
    region = {"id": entry.event_id} if times and len(answers) > 1 else {}
    return [
        {
            **region,
            "from_name": question,
            "to_name": "audio",
            "type": type_,
            "value": {**times, **answer},
        }
        for question, type_, answer in answers
    ]

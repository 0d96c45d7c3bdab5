"""Predictions as files to take away."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from ui import temporary
from ui.services import Services

FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_csv(predictions: Sequence[dict[str, Any]]) -> str:
    """Return one row a clip; a text that a spreadsheet would run as a formula gets a quote first.

    Args:
        predictions: as ``Prediction.to_json`` gives them, or ``{"file", "error"}``.
    """
    names = list(dict.fromkeys(n for one in predictions for n in one.get("probabilities", {})))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    plain = ["file", "emotion", "confidence", "entropy", "unsure", "warnings", "seconds"]
    writer.writerow([*plain, "model_version", "sha256", "error", *(f"p_{n}" for n in names)])
    for one in predictions:
        writer.writerow([safe(cell) for cell in _cells(one, names)])
    return text.getvalue()


def safe(cell: Any) -> Any:
    """Return the cell such that no spreadsheet takes it for a formula.

    >>> safe("=1+1"), safe(-0.5), safe("joy")
    ("'=1+1", -0.5, 'joy')
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def written(services: Services, predictions: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """Write the predictions as JSON and CSV and return the two paths."""
    folder = temporary.new_folder("answer")
    one = predictions[0] if len(predictions) == 1 else list(predictions)
    as_json, table = folder / "emotions.json", folder / "emotions.csv"
    as_json.write_text(json.dumps(one, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    table.write_text(as_csv(predictions), encoding="utf-8")
    return str(as_json), str(table)


def _cells(one: dict[str, Any], names: Sequence[str]) -> list[Any]:
    shares = one.get("probabilities", {})
    return [
        one["file"],
        one.get("emotion") or "",
        one.get("confidence", ""),
        one.get("entropy", ""),
        one.get("unsure") or "",
        " ".join(one.get("warnings", ())),
        one.get("seconds", ""),
        one.get("model", {}).get("version", ""),
        one.get("sha256", ""),
        one.get("error", ""),
        *(shares.get(name, "") for name in names),
    ]

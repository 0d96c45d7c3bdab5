"""The report on disk: JSON, CSV, one self-contained HTML page, and the table of a terminal."""

from __future__ import annotations

import csv
import html
import io
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from trainer.errors import DataError
from trainer.evaluation import Report
from trainer.metrics import Scores
from trainer.records import decode, encode

COLUMNS = ("scope", "name", "emotion", "metric", "value", "low", "high", "clips")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#1c1c22;background:#fff}table{border-collapse:collapse}td,th{padding:.2rem .8rem;"
    "border-bottom:1px solid #ddd;text-align:right}td:first-child,th:first-child{text-align:left}"
)


def to_json(report: Report) -> str:
    """Return the report as JSON; `from_json` reads it back."""
    return json.dumps(encode(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def from_json(text: str) -> Report:
    """Read `to_json`'s result.

    Raises:
        DataError: not JSON, or written by another version.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise DataError(f"the report is not JSON: {error}") from error
    return decode(Report, values)


def to_csv(report: Report) -> str:
    """Return every figure as a row: scope, name, emotion, metric, value, interval, clips."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_rows(report))
    return buffer.getvalue()


def _rows(report: Report) -> Iterator[tuple[Any, ...]]:
    found = report.evaluation
    yield from _score_rows("all", "restricted", found.overall)
    yield from _score_rows("all", "full", found.full)
    yield ("all", "full", "", "ece_before", found.calibration.ece_before, "", "", "")
    yield ("all", "full", "", "ece_after", found.calibration.ece_after, "", "", "")
    for name, pair in found.by_corpus.items():
        yield from _score_rows("corpus", name, pair.restricted)
        yield from _score_rows("corpus, any emotion", name, pair.full)
    for name, score in found.by_sex.items():
        yield from _score_rows("sex", name, score)
    for row in found.by_speaker:
        yield ("speaker", row.speaker, "", "uar", row.uar, "", "", row.clips)
        yield ("speaker", row.speaker, "", "accuracy", row.accuracy, "", "", row.clips)
    for point in found.coverage:
        share = f"{point.coverage:.2f}"
        yield ("coverage", share, "", "accuracy", point.accuracy, "", "", "")
        yield ("coverage", share, "", "uar", point.uar, "", "", "")
    for name, values in report.robustness.items():
        for strength, value in zip(("mild", "medium", "strong"), values, strict=True):
            yield ("augmentation", f"{name} {strength}", "", "uar", value, "", "", "")
    for trained, row_values in report.cross_corpus.items():
        for tested, value in row_values.items():
            yield ("trained on, tested on", f"{trained}, {tested}", "", "uar", value, "", "", "")
    for name, pair in report.leave_one_out.items():
        yield from _score_rows("never heard", name, pair.restricted)


def _score_rows(scope: str, name: str, score: Scores) -> Iterator[tuple[Any, ...]]:
    for metric in ("uar", "accuracy", "macro_f1", "majority_uar", "majority_accuracy"):
        interval = getattr(score, f"{metric}_interval", None)
        ends = (interval.low, interval.high) if interval else ("", "")
        yield (scope, name, "", metric, getattr(score, metric), *ends, score.clips)
    for one in score.classes:
        for metric in ("precision", "recall", "f1"):
            yield (scope, name, one.emotion, metric, getattr(one, metric), "", "", one.clips)


def table(rows: Sequence[tuple[str, Scores, Scores]]) -> str:
    """Return a table for a terminal: name, headline scores, scores with any emotion allowed."""
    width = max([len("name"), *(len(name) for name, _, _ in rows)])
    lines = [
        f"{'name':<{width}}  {'UAR':>5}  {'95 %':>13}  {'acc':>5}  {'F1':>5}  "
        f"{'any':>5}  {'major':>5}  {'clips':>6}"
    ]
    for name, own, full in rows:
        span = own.uar_interval
        ends = f"{span.low:.3f} – {span.high:.3f}" if span else ""
        lines.append(
            f"{name:<{width}}  {own.uar:5.3f}  {ends:>13}  {own.accuracy:5.3f}  "
            f"{own.macro_f1:5.3f}  {full.uar:5.3f}  {own.majority_uar:5.3f}  {own.clips:>6}"
        )
    return "\n".join(lines)


def terminal(report: Report) -> str:
    """Return the table that ``python -m trainer evaluate`` prints."""
    found = report.evaluation
    rows = [("all", found.overall, found.full)]
    rows += [(name, pair.restricted, pair.full) for name, pair in found.by_corpus.items()]
    rows += [(f"sex {name}", score, score) for name, score in found.by_sex.items()]
    lines = [f"{report.model} {report.version}", table(rows)]
    lines.append(
        f"expected calibration error {found.calibration.ece_before:.3f} before temperature "
        f"scaling, {found.calibration.ece_after:.3f} after"
    )
    if found.worst_speaker is not None:
        lines.append(
            f"median speaker {found.median_speaker_uar:.3f}, "
            f"worst {found.worst_speaker.uar:.3f} ({found.worst_speaker.speaker})"
        )
    lines += [f"left out: {n} clips ({reason})" for reason, n in found.left_out.items()]
    for name, values in report.robustness.items():
        lines.append(f"{name:<16} " + "  ".join(f"{value:.3f}" for value in values))
    return "\n".join([*lines, *(f"note: {note}" for note in report.notes)])


def to_html(report: Report) -> str:
    """Return one page with every figure drawn; it needs no network and no other file."""
    from plotly.offline import get_plotlyjs

    title = html.escape(f"{report.model} {report.version}".strip())
    found = report.evaluation
    rows = [("all", found.overall, found.full)]
    rows += [(name, pair.restricted, pair.full) for name, pair in found.by_corpus.items()]
    body = [f"<h1>{title}</h1>", _html_table(rows)]
    for heading, figure in _figures(report):
        drawn = figure.to_html(full_html=False, include_plotlyjs=False)
        body.append(f"<h2>{html.escape(heading)}</h2>{drawn}")
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in report.notes)
    facts = "".join(
        f"<li>{html.escape(k)}: {html.escape(v)}</li>" for k, v in report.provenance.items() if v
    )
    body.append(f"<h2>Notes</h2><ul>{notes}{facts}</ul>")
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<title>{title}</title><style>{_STYLE}</style>"
        f"<script>{get_plotlyjs()}</script></head><body>{''.join(body)}</body></html>\n"
    )


def _html_table(rows: Sequence[tuple[str, Scores, Scores]]) -> str:
    heads = ("", "UAR", "95 %", "accuracy", "macro-F1", "UAR, any emotion", "majority", "clips")
    lines = ["<table><tr>" + "".join(f"<th>{head}</th>" for head in heads) + "</tr>"]
    for name, own, full in rows:
        span = own.uar_interval
        cells = (
            html.escape(name),
            f"{own.uar:.3f}",
            f"{span.low:.3f} – {span.high:.3f}" if span else "",
            f"{own.accuracy:.3f}",
            f"{own.macro_f1:.3f}",
            f"{full.uar:.3f}",
            f"{own.majority_uar:.3f}",
            str(own.clips),
        )
        lines.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return "".join([*lines, "</table>"])


def _figures(report: Report) -> Iterator[tuple[str, Any]]:
    import plotly.graph_objects as go

    found = report.evaluation
    yield "Confusion, restricted to each corpus' emotions", _confusion(found.overall)
    yield "Confusion, any emotion", _confusion(found.full)
    bars = go.Figure(
        [
            go.Bar(
                name=metric,
                x=[c.emotion for c in found.overall.classes],
                y=[getattr(c, metric) for c in found.overall.classes],
            )
            for metric in ("precision", "recall", "f1")
        ]
    )
    yield "By emotion", bars.update_yaxes(range=[0, 1])
    ideal = go.Scatter(x=[0, 1], y=[0, 1], mode="lines", name="honest", line={"dash": "dot"})
    bins = found.calibration.bins
    honest = go.Scatter(
        x=[b[0] for b in bins],
        y=[b[1] for b in bins],
        text=[f"{b[2]} clips" for b in bins],
        mode="lines+markers",
        name="after temperature scaling",
    )
    yield "Confidence against accuracy", _axes(go.Figure([ideal, honest]), "confidence", "accuracy")
    share = [p.coverage for p in found.coverage]
    curves = [
        go.Scatter(x=share, y=[p.accuracy for p in found.coverage], name="accuracy"),
        go.Scatter(x=share, y=[p.uar for p in found.coverage], name="UAR"),
    ]
    yield "When only the surest are answered", _axes(go.Figure(curves), "share answered", "")
    if found.by_speaker:
        dots = go.Bar(
            x=[row.speaker for row in found.by_speaker], y=[row.uar for row in found.by_speaker]
        )
        yield "By speaker", _axes(go.Figure(dots), "", "UAR")
    if report.robustness:
        names = list(report.robustness)
        values = [list(report.robustness[name]) for name in names]
        yield "UAR under augmentation", _heat(values, ["mild", "medium", "strong"], names)
    if report.cross_corpus:
        names = list(report.cross_corpus)
        values = [[report.cross_corpus[row][column] for column in names] for row in names]
        yield "Trained on (rows), tested on (columns): UAR", _heat(values, names, names)


def _confusion(score: Scores) -> Any:
    rows = [[value / max(1, sum(row)) for value in row] for row in score.confusion]
    figure = _heat(rows, list(score.emotions), list(score.emotions))
    return _axes(figure, "said", "true")


def _heat(values: list[list[float]], x: list[str], y: list[str]) -> Any:
    import plotly.graph_objects as go

    heat = go.Heatmap(
        z=values, x=x, y=y, zmin=0, zmax=1, colorscale="Blues", texttemplate="%{z:.2f}"
    )
    return go.Figure(heat).update_yaxes(autorange="reversed")


def _axes(figure: Any, x: str, y: str) -> Any:
    return figure.update_xaxes(title=x).update_yaxes(title=y)


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, partial = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise

"""The report as one HTML page with Plotly figures; it needs no network and no other file."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from typing import Any

from trainer.evaluation.evaluate import Evaluation, Report
from trainer.evaluation.metrics import CalibrationScore, Scores
from trainer.reporting.report_tables import detail_tables, headline_tables
from trainer.reporting.tables import ReportTable

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem;"
    "color:#1c1c22;background:#fff}table{border-collapse:collapse;font-size:.9rem}"
    ".wide{overflow-x:auto}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;"
    "text-align:right;white-space:nowrap}td:first-child,th:first-child{text-align:left}"
    "pre{white-space:pre-wrap;font:inherit}.note{color:#555;max-width:50rem}"
)


def to_html(report: Report) -> str:
    """Return the page."""
    from plotly.offline import get_plotlyjs

    title = html.escape(f"{report.model} {report.version}".strip())
    body = [f"<h1>{title}</h1>"]
    body += [_table(one) for one in headline_tables(report)]
    for heading, figure in _figures(report):
        drawn = figure.to_html(full_html=False, include_plotlyjs=False)
        body.append(f"<h2>{html.escape(heading)}</h2>{drawn}")
    body += [_table(one) for one in detail_tables(report)]
    if report.remarks:
        body.append(f"<h2>What was tried</h2><pre>{html.escape(report.remarks)}</pre>")
    notes = "".join(f"<li>{html.escape(note)}</li>" for note in report.notes)
    facts = "".join(
        f"<li>{html.escape(k)}: {html.escape(v)}</li>" for k, v in report.provenance.items() if v
    )
    body.append(f"<h2>Notes</h2><ul>{notes}{facts}</ul>")
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width'>"
        f"<title>{title}</title><style>{_STYLE}</style>"
        f"<script>{get_plotlyjs()}</script></head><body>{''.join(body)}</body></html>\n"
    )


def _table(table: ReportTable) -> str:
    def line(cells: Sequence[str], kind: str) -> str:
        shown = (html.escape(cell.strip("*") if cell[:2] == "**" else cell) for cell in cells)
        return "<tr>" + "".join(f"<{kind}>{cell}</{kind}>" for cell in shown) + "</tr>"

    rows = "".join(line(row, "td") for row in table.rows)
    notes = "".join(f"<p class='note'>{html.escape(note)}</p>" for note in table.notes)
    return (
        f"<h2>{html.escape(table.title)}</h2><div class='wide'><table>"
        f"{line(table.columns, 'th')}{rows}</table></div>{notes}"
    )


def _figures(report: Report) -> Iterator[tuple[str, Any]]:
    import plotly.graph_objects as go

    found = report.evaluation
    yield "Confusion, restricted to each corpus' emotions", _confusion(found.overall)
    yield "Confusion, any emotion", _confusion(found.full)
    if len(found.by_corpus) > 1:
        for name, pair in found.by_corpus.items():
            yield f"Confusion, {name}", _confusion(pair.restricted)
    if report.unseen_corpora is not None:
        for name, pair in report.unseen_corpora.by_corpus.items():
            yield f"Confusion, {name} (unseen corpus)", _confusion(pair.restricted)
    bars = [
        go.Bar(
            name=metric,
            x=[c.emotion for c in found.overall.classes],
            y=[getattr(c, metric) for c in found.overall.classes],
        )
        for metric in ("precision", "recall", "f1")
    ]
    yield "By emotion", go.Figure(bars).update_yaxes(range=[0, 1])
    yield "Confidence against accuracy", _honesty(found)
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
    if report.conditions:
        held = report.conditions
        corpora = list(held[0].by_corpus)
        values = [[c.corpus_uar, *(c.by_corpus[name] for name in corpora)] for c in held]
        names = [c.name for c in held]
        yield "UAR under other conditions", _heat(values, ["mean", *corpora], names)
    if report.non_speech:
        heights = go.Bar(
            x=[s.kind for s in report.non_speech], y=[s.abstained for s in report.non_speech]
        )
        drawn = go.Figure(heights).update_yaxes(range=[0, 1])
        yield "Sounds that nobody speaks", _axes(drawn, "", "share not sure")
    if report.robustness:
        effects = list(report.robustness)
        values = [list(report.robustness[name]) for name in effects]
        yield "UAR under augmentation", _heat(values, ["mild", "medium", "strong"], effects)
    if report.cross_corpus:
        names = list(report.cross_corpus)
        values = [[report.cross_corpus[row][column] for column in names] for row in names]
        yield "Trained on (rows), tested on (columns): UAR", _heat(values, names, names)


def _honesty(found: Evaluation) -> Any:
    """Draw confidence against accuracy: all clips, and each corpus where there are several."""
    import plotly.graph_objects as go

    ideal = go.Scatter(x=[0, 1], y=[0, 1], mode="lines", name="honest", line={"dash": "dot"})
    curves = [ideal, _curve("all, after scaling", found.calibration)]
    if len(found.by_corpus) > 1:
        curves += [
            _curve(name, pair.calibration, visible="legendonly")
            for name, pair in found.by_corpus.items()
            if pair.calibration is not None
        ]
    return _axes(go.Figure(curves), "confidence", "accuracy")


def _curve(name: str, curve: CalibrationScore, **more: Any) -> Any:
    import plotly.graph_objects as go

    return go.Scatter(
        x=[b[0] for b in curve.bins],
        y=[b[1] for b in curve.bins],
        text=[f"{b[2]} clips" for b in curve.bins],
        mode="lines+markers",
        name=name,
        **more,
    )


def _confusion(score: Scores) -> Any:
    rows = [[value / max(1, sum(row)) for value in row] for row in score.confusion]
    figure = _heat(rows, list(score.emotions), list(score.emotions))
    return _axes(figure, "predicted", "true")


def _heat(values: list[list[float]], x: list[str], y: list[str]) -> Any:
    import plotly.graph_objects as go

    heat = go.Heatmap(
        z=values, x=x, y=y, zmin=0, zmax=1, colorscale="Blues", texttemplate="%{z:.2f}"
    )
    return go.Figure(heat).update_yaxes(autorange="reversed")


def _axes(figure: Any, x: str, y: str) -> Any:
    return figure.update_xaxes(title=x).update_yaxes(title=y)

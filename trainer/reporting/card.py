"""The checkpoint's README.md: a Hugging Face model card made from the report alone."""

from __future__ import annotations

from collections.abc import Iterable

from ser_core.checkpoints.specification import Specification
from trainer.evaluation.evaluate import Report
from trainer.reporting.licences import licences
from trainer.reporting.report_tables import confusion_table, detail_tables, headline_tables
from trainer.reporting.tables import ReportTable

LICENCE = "cc-by-nc-sa-4.0"


def model_card(report: Report, specification: Specification, licence: str = LICENCE) -> str:
    """Return the card in Markdown, with the front matter that the Hub reads.

    Args:
        report: where every figure comes from.
        specification: what the model is.
        licence: of the weights, a Hub identifier. The default is what the most restrictive of
            the shippable corpora asks for.
    """
    found = report.evaluation
    head = found.overall
    lines = [
        "---",
        f"license: {licence}",
        "pipeline_tag: audio-classification",
        "library_name: pytorch",
        "tags:",
        "  - speech-emotion-recognition",
        "  - audio",
        "model-index:",
        f"  - name: {_quoted(f'{report.model} {report.version}'.strip())}",
        "    results:",
        "      - task:",
        "          type: audio-classification",
        "          name: speech emotion recognition on unseen speakers",
        "        dataset:",
        f"          name: {_quoted(', '.join(found.by_corpus))}",
        "          type: speech-emotion",
        "        metrics:",
        *_metric("UAR", head.uar),
        *_metric("accuracy", head.accuracy),
        *_metric("macro-F1", head.macro_f1),
        "---",
        "",
        f"# {report.model} {report.version}".rstrip(),
        "",
        f"Speech to one of {len(specification.emotions)} emotions "
        f"({', '.join(specification.emotions)}): {specification.frontend} front-end, "
        f"{specification.backbone}, windows of {specification.seconds:g} s at "
        f"{specification.sample_rate} Hz.",
        "",
        "## On unseen speakers",
        "",
        f"{head.clips} clips of {head.speakers} test speakers. The headline takes the most "
        "probable of the emotions that the clip's corpus has; *any emotion* takes the most "
        "probable of all, which is what the page shows. Intervals: 95 %, bootstrap over speakers.",
        *_sections(headline_tables(report), first=True),
        *_speakers(report),
        *_sections(detail_tables(report)),
        *_sections([confusion_table(head)]),
        *_remarks(report),
        *_left_out(report),
        "",
        "## Limits",
        "",
        "Learned from actors who read sentences. It judges how something sounds in their manner, "
        "not what a person feels, and it is worse on other languages, microphones and "
        "spontaneous speech. Not for decisions about people.",
        *licences(specification, found.by_corpus),
        "",
        "## How it was made",
        "",
        *(f"- {name}: `{value}`" for name, value in report.provenance.items() if value),
        *(f"- {note}" for note in report.notes),
        "",
        "The settings are in `metrics.json`. `python -m trainer fit` with them and the same "
        "corpora trains one like it; `python -m trainer evaluate --complete` makes these figures "
        "again.",
        "",
    ]
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _metric(name: str, value: float) -> list[str]:
    kind = name.lower().replace("-", "_")
    return [
        f"          - type: {kind}",
        f"            name: {name}",
        f"            value: {value:.4f}",
    ]


def _sections(tables: Iterable[ReportTable], *, first: bool = False) -> list[str]:
    """Return tables with their titles; the first needs none under the heading that it has."""
    lines: list[str] = []
    for table in tables:
        title = [] if first else ["", f"### {table.title}"]
        lines += [*title, "", table.to_markdown()]
        first = False
    return lines


def _speakers(report: Report) -> list[str]:
    found = report.evaluation
    if found.worst_speaker is None or found.median_speaker_uar is None:
        return []
    return [
        "",
        f"Among the test speakers the median one has a UAR of {found.median_speaker_uar:.3f}, the "
        f"worst ({found.worst_speaker.speaker}) {found.worst_speaker.uar:.3f}.",
    ]


def _remarks(report: Report) -> list[str]:
    return ["", "## What was tried", "", report.remarks] if report.remarks else []


def _left_out(report: Report) -> list[str]:
    parts = [f"{count} clips ({reason})" for reason, count in report.evaluation.left_out.items()]
    return ["", f"Left out: {'; '.join(parts)}."] if parts else []

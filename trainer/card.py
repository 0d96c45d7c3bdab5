"""The checkpoint's README.md: a Hugging Face model card made from the report alone."""

from __future__ import annotations

from ser_core.specification import Specification
from trainer.evaluation import Report
from trainer.metrics import Scores

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
    head, full = found.overall, found.full
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
        "          name: speech emotion recognition on unheard speakers",
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
        "## On speakers it never heard",
        "",
        f"{head.clips} clips of {head.speakers} test speakers. The headline takes the most "
        "probable of the emotions that the clip's corpus has; *any emotion* takes the most "
        "probable of all, which is what the page shows. Intervals: 95 %, bootstrap over speakers.",
        "",
        "| clips of | UAR | accuracy | macro-F1 | UAR, any emotion | majority: UAR, accuracy |",
        "| --- | --- | --- | --- | --- | --- |",
        _row("**all**", head, full),
        *(_row(name, s.restricted, s.full) for name, s in found.by_corpus.items()),
        "",
        "| emotion | precision | recall | F1 | clips |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {c.emotion} | {c.precision:.3f} | {c.recall:.3f} | {c.f1:.3f} | {c.clips} |"
            for c in head.classes
        ),
        "",
        f"Expected calibration error {found.calibration.ece_before:.3f} before temperature "
        f"scaling, {found.calibration.ece_after:.3f} after. It says “unsure” on "
        f"{found.unsure.share:.1%} of these clips.",
        *_speakers(report),
        *_sexes(report),
        *_robustness(report),
        *_leave_one_out(report),
        *_left_out(report),
        "",
        "## Limits",
        "",
        "Learned from actors who read sentences. It judges how something sounds in their manner, "
        "not what a person feels, and it is worse on other languages, microphones and "
        "spontaneous speech. Not for decisions about people.",
        "",
        "## How it was made",
        "",
        *(f"- {name}: `{value}`" for name, value in report.provenance.items() if value),
        *(f"- {note}" for note in report.notes),
        "",
        "The settings are in `metrics.json`. `python -m trainer fit` with them and the same "
        "corpora makes it again; `python -m trainer evaluate` makes these figures again.",
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


def _row(name: str, own: Scores, full: Scores) -> str:
    interval = own.uar_interval
    span = f" ({interval.low:.3f}–{interval.high:.3f})" if interval else ""
    return (
        f"| {name} | {own.uar:.3f}{span} | {own.accuracy:.3f} | {own.macro_f1:.3f} | "
        f"{full.uar:.3f} | {own.majority_uar:.3f}, {own.majority_accuracy:.3f} "
        f"({own.majority_emotion}) |"
    )


def _speakers(report: Report) -> list[str]:
    found = report.evaluation
    if found.worst_speaker is None or found.median_speaker_uar is None:
        return []
    return [
        "",
        f"UAR of the median speaker {found.median_speaker_uar:.3f}, of the worst "
        f"({found.worst_speaker.speaker}) {found.worst_speaker.uar:.3f}.",
    ]


def _sexes(report: Report) -> list[str]:
    parts = [f"{name} {s.uar:.3f}" for name, s in report.evaluation.by_sex.items()]
    return ["", f"UAR by sex: {', '.join(parts)}."] if parts else []


def _robustness(report: Report) -> list[str]:
    if not report.robustness:
        return []
    rows = [
        f"| {name} | " + " | ".join(f"{value:.3f}" for value in values) + " |"
        for name, values in report.robustness.items()
    ]
    return ["", "| UAR under | mild | medium | strong |", "| --- | --- | --- | --- |", *rows]


def _leave_one_out(report: Report) -> list[str]:
    if not report.leave_one_out:
        return []
    rows = [
        f"| {name} | {s.restricted.uar:.3f} | {s.restricted.majority_uar:.3f} |"
        for name, s in report.leave_one_out.items()
    ]
    return ["", "| corpus never heard | UAR | majority class |", "| --- | --- | --- |", *rows]


def _left_out(report: Report) -> list[str]:
    parts = [f"{count} clips ({reason})" for reason, count in report.evaluation.left_out.items()]
    return ["", f"Left out: {'; '.join(parts)}."] if parts else []

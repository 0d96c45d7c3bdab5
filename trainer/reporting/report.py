"""The report on disk: JSON and CSV, and the table of a terminal."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trainer.evaluation.evaluate import CorpusScores, Report
from trainer.evaluation.metrics import Scores
from trainer.reporting.records import encode

COLUMNS = ("scope", "name", "emotion", "metric", "value", "low", "high", "clips")


def to_json(report: Report) -> str:
    """Return the report as JSON."""
    return json.dumps(encode(report), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


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
        yield from _corpus_rows("corpus", name, pair)
    if report.unseen_corpora is not None:
        for name, pair in report.unseen_corpora.by_corpus.items():
            yield from _corpus_rows("unseen corpus", name, pair)
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
        yield from _score_rows("left out", name, pair.restricted)
    for one in report.conditions:
        for metric in ("corpus_uar", "accuracy", "ece", "abstained"):
            yield ("condition", one.name, "", metric, getattr(one, metric), "", "", one.clips)
        for name, value in one.by_corpus.items():
            yield ("condition, corpus", f"{one.name}, {name}", "", "uar", value, "", "", "")
    for sound in report.non_speech:
        yield ("not speech", sound.kind, "", "abstained", sound.abstained, "", "", sound.sounds)
    for voice in report.voices:
        for metric in ("without", "known"):
            value = getattr(voice, metric)
            yield ("voice", voice.corpus, "", f"uar {metric}", value, "", "", voice.clips)
    for table in report.tables:
        for cells in table.rows:
            for column, cell in zip(table.columns[1:], cells[1:], strict=True):
                yield (table.title, cells[0], "", column, cell, "", "", "")


def _corpus_rows(scope: str, name: str, pair: CorpusScores) -> Iterator[tuple[Any, ...]]:
    yield from _score_rows(scope, name, pair.restricted)
    yield from _score_rows(f"{scope}, any emotion", name, pair.full)
    clips = pair.restricted.clips
    if pair.calibration is not None:
        for metric in ("ece_before", "ece_after", "floor"):
            yield (scope, name, "", metric, getattr(pair.calibration, metric), "", "", clips)
        for confidence, true, count in pair.calibration.bins:
            yield (f"{scope}, calibration", name, "", f"at {confidence:.4f}", true, "", "", count)
    if pair.abstentions is not None:
        for metric in ("share", "accuracy_when_answering", "accuracy_when_abstaining"):
            value = getattr(pair.abstentions, metric)
            yield (scope, name, "", f"abstention_{metric}", value, "", "", clips)
    if pair.sets is not None:
        for metric in ("held", "size", "alone"):
            yield (scope, name, "", f"sets_{metric}", getattr(pair.sets, metric), "", "", clips)


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
    if report.unseen_corpora is not None:
        unseen = report.unseen_corpora.by_corpus.items()
        rows += [(f"{name}, unseen", pair.restricted, pair.full) for name, pair in unseen]
    rows += [(f"sex {name}", score, score) for name, score in found.by_sex.items()]
    lines = [f"{report.model} {report.version}", table(rows)]
    lines.append(
        f"expected calibration error {found.calibration.ece_before:.3f} before temperature "
        f"scaling, {found.calibration.ece_after:.3f} after "
        f"({found.calibration.floor:.3f} if every confidence were true)"
    )
    lines.append(f"not sure of {found.abstentions.share:.1%} of the clips")
    if found.worst_speaker is not None:
        lines.append(
            f"median speaker {found.median_speaker_uar:.3f}, "
            f"worst {found.worst_speaker.uar:.3f} ({found.worst_speaker.speaker})"
        )
    lines += [f"left out: {n} clips ({reason})" for reason, n in found.left_out.items()]
    for name, values in report.robustness.items():
        lines.append(f"{name:<16} " + "  ".join(f"{value:.3f}" for value in values))
    lines += _cross_corpus(report.cross_corpus)
    if report.leave_one_out:
        lines.append("trained on all corpora but one, tested on that one")
        left = [(n, pair.restricted, pair.full) for n, pair in report.leave_one_out.items()]
        lines.append(table(left))
    for one in report.conditions:
        lines.append(f"{one.name:<16} mean UAR {one.corpus_uar:.3f}, not sure {one.abstained:.1%}")
    for sound in report.non_speech:
        lines.append(f"{sound.kind:<16} not sure {sound.abstained:.1%} of {sound.sounds} sounds")
    return "\n".join([*lines, *(f"note: {note}" for note in report.notes)])


def _cross_corpus(found: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return UAR by corpus trained on (rows) and corpus tested on (columns) as lines."""
    if not found:
        return []
    names = list(found)
    width = max(len("trained on"), *(len(name) for name in names))
    lines = [
        "UAR trained on one corpus (row) and tested on another (column)",
        "  ".join(["trained on".ljust(width), *(name.rjust(max(5, len(name))) for name in names)]),
    ]
    for trained in names:
        cells = [
            ("–" if value != value else f"{value:.3f}").rjust(max(5, len(tested)))
            for tested, value in ((tested, found[trained][tested]) for tested in names)
        ]
        lines.append("  ".join([trained.ljust(width), *cells]))
    return lines

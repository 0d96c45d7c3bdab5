"""The report's figures as tables of text, which the card and the page show alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from trainer.bootstrap import Interval
from trainer.evaluation import CorpusScores, Evaluation, Report
from trainer.metrics import Scores
from trainer.tables import Table

OVER_CLIPS = (
    "An interval marked † is over clips, because there are fewer than three speakers to draw "
    "from: it knows nothing of other speakers and is too narrow."
)


def headline_tables(report: Report) -> Iterator[Table]:
    """Yield the tables on clean speech: test speakers, then corpora never heard."""
    found = report.evaluation
    yield _scores(
        "Speakers never heard",
        {"**all**": (found.overall, found.full)} | _pairs(found.by_corpus),
        f"Mean of the corpora's UAR: {found.corpus_uar:.3f}.",
    )
    if report.never_heard is not None:
        yield _scores("Corpora never heard", _pairs(report.never_heard.by_corpus))


def detail_tables(report: Report) -> Iterator[Table]:
    """Yield every other table that the report has figures for."""
    found = report.evaluation
    yield _classes(found.overall)
    yield _honesty(report)
    if found.by_sex:
        yield _sexes(found)
    if report.conditions:
        yield _conditions(report)
    if report.non_speech:
        yield Table(
            "Sounds that nobody speaks",
            ("sound", "sounds", "unsure", "because"),
            tuple(
                (s.kind, str(s.sounds), percent(s.unsure), reasons(s.reasons))
                for s in report.non_speech
            ),
            ("Made by a script, 1 to 6 s long, peaks from -40 to -3 dB.",),
        )
    if report.robustness:
        yield Table(
            "Under each effect",
            ("UAR under", "mild", "medium", "strong"),
            tuple(
                (name, *(f"{value:.3f}" for value in values))
                for name, values in report.robustness.items()
            ),
        )
    if report.leave_one_out:
        yield Table(
            "Leave one corpus out",
            ("corpus never heard", "UAR", "majority class"),
            tuple(
                (name, f"{s.restricted.uar:.3f}", f"{s.restricted.majority_uar:.3f}")
                for name, s in report.leave_one_out.items()
            ),
        )
    yield from report.tables


def span(value: float, interval: Interval | None) -> str:
    """Return a figure with its interval.

    >>> span(0.5, Interval(0.4, 0.6, 0.95)), span(0.5, Interval(0.4, 0.6, 0.95, "clips"))
    ('0.500 (0.400–0.600)', '0.500 (0.400–0.600)†')
    >>> span(0.5, None), span(float("nan"), None)
    ('0.500', '')
    """
    if not math.isfinite(value):
        return ""
    if interval is None:
        return f"{value:.3f}"
    mark = "†" if interval.over == "clips" else ""
    return f"{value:.3f} ({interval.low:.3f}–{interval.high:.3f}){mark}"


def percent(share: float) -> str:
    """Return a share as percent; nothing where there is none.

    >>> percent(0.125), percent(float("nan"))
    ('12.5 %', '')
    """
    return f"{100 * share:.1f} %" if math.isfinite(share) else ""


def reasons(shares: Mapping[str, float]) -> str:
    """Return reasons with their shares, the most frequent first."""
    ranked = sorted(shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {percent(share)}" for name, share in ranked)


def confusion_table(score: Scores) -> Table:
    """Return the counts of a confusion matrix: rows are the truth, columns what was said."""
    return Table(
        "Confusion",
        ("true \\ said", *score.emotions),
        tuple(
            (name, *(str(count) for count in row))
            for name, row in zip(score.emotions, score.confusion, strict=True)
        ),
        ("Test speakers, each clip by its corpus' emotions.",),
    )


def _sexes(found: Evaluation) -> Table:
    rows = tuple(
        (
            name,
            span(s.uar, s.uar_interval),
            span(s.macro_f1, s.macro_f1_interval),
            span(s.accuracy, s.accuracy_interval),
            str(s.clips),
            str(s.speakers),
        )
        for name, s in found.by_sex.items()
    )
    columns = ("sex", "UAR", "macro-F1", "accuracy", "clips", "speakers")
    return Table("By sex", columns, rows, (OVER_CLIPS,) if _starred(rows) else ())


def _starred(rows: Iterable[Sequence[str]]) -> bool:
    return any("†" in row[1] for row in rows)


def _pairs(by_corpus: Mapping[str, CorpusScores]) -> dict[str, tuple[Scores, Scores]]:
    return {name: (pair.restricted, pair.full) for name, pair in by_corpus.items()}


def _scores(title: str, pairs: Mapping[str, tuple[Scores, Scores]], *notes: str) -> Table:
    rows = []
    for name, (own, full) in pairs.items():
        rows.append(
            (
                name,
                span(own.uar, own.uar_interval),
                span(own.macro_f1, own.macro_f1_interval),
                span(own.accuracy, own.accuracy_interval),
                f"{full.uar:.3f}",
                f"{own.majority_uar:.3f}, {own.majority_accuracy:.3f} ({own.majority_emotion})",
                str(own.clips),
                str(own.speakers or ""),
            )
        )
    columns = ("clips of", "UAR", "macro-F1", "accuracy", "UAR, any emotion")
    return Table(
        title,
        (*columns, "majority: UAR, accuracy", "clips", "speakers"),
        tuple(rows),
        (*notes, OVER_CLIPS) if _starred(rows) else notes,
    )


def _classes(head: Scores) -> Table:
    return Table(
        "By emotion",
        ("emotion", "precision", "recall", "F1", "clips"),
        tuple(
            (c.emotion, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", str(c.clips))
            for c in head.classes
        ),
    )


def _honesty(report: Report) -> Table:
    rows = [_honest_row("**all**", report.evaluation)]
    for part in (report.evaluation, report.never_heard):
        if part is not None:
            rows += [_honest_row(name, pair) for name, pair in part.by_corpus.items()]
    return Table(
        "Confidence and doubt",
        (
            "clips of",
            "ECE before",
            "ECE after",
            "ECE if honest",
            "unsure",
            "accuracy when sure",
            "when unsure",
            "truth in the set",
            "emotions in it",
        ),
        tuple(rows),
        (
            "ECE: expected calibration error in 15 bins, any emotion allowed, before and after "
            "scaling on the validation speakers. “If honest” is what a model would measure on so "
            "few clips if every confidence were true: below it nothing can be told.",
            *_wanted(report.evaluation),
            *_why(report.evaluation),
        ),
    )


def _wanted(found: Evaluation) -> tuple[str, ...]:
    if found.sets is None:
        return ()
    return (f"The sets were made to hold the truth in {percent(found.sets.wanted)}.",)


def _why(found: Evaluation) -> tuple[str, ...]:
    if not found.unsure.reasons:
        return ()
    return (f"Unsure of these clips because: {reasons(found.unsure.reasons)}.",)


def _honest_row(name: str, part: Evaluation | CorpusScores) -> tuple[str, ...]:
    curve, doubt, sets = part.calibration, part.unsure, part.sets
    return (
        name,
        *((f"{curve.ece_before:.3f}", f"{curve.ece_after:.3f}") if curve else ("", "")),
        f"{curve.floor:.3f}" if curve else "",
        percent(doubt.share) if doubt else "",
        percent(doubt.accuracy_when_sure) if doubt else "",
        percent(doubt.accuracy_when_unsure) if doubt else "",
        percent(sets.held) if sets else "",
        f"{sets.size:.2f}" if sets else "",
    )


def _conditions(report: Report) -> Table:
    corpora = list(report.conditions[0].by_corpus)
    return Table(
        "Under other conditions",
        ("heard", "mean UAR", *corpora, "accuracy", "ECE", "unsure", "clips"),
        tuple(
            (
                c.name,
                f"{c.corpus_uar:.3f}",
                *(f"{c.by_corpus[name]:.3f}" for name in corpora),
                f"{c.accuracy:.3f}",
                f"{c.ece:.3f}",
                percent(c.unsure),
                str(c.clips),
            )
            for c in report.conditions
        ),
        ("UAR of the test speakers by corpus; accuracy: any emotion allowed.",),
    )

"""The report's figures as tables of text, which the card and the page show alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ser_core.corpora import READERS
from trainer.evaluation.bootstrap import Interval
from trainer.evaluation.evaluate import CorpusScores, Evaluation, Report, VoiceScore
from trainer.evaluation.metrics import Scores, mean_over_corpora
from trainer.reporting.tables import ReportTable

OVER_CLIPS = (
    "An interval marked † is over clips, because there are fewer than three speakers to draw "
    "from: it says nothing of other speakers and is too narrow."
)


def headline_tables(report: Report) -> Iterator[ReportTable]:
    """Yield the tables on clean speech: test speakers, then unseen corpora."""
    found = report.evaluation
    yield _scores(
        "Unseen speakers",
        {"**all**": (found.overall, found.full)} | _pairs(found.by_corpus),
        f"Mean of the corpora's UAR: {found.corpus_uar:.3f}.",
    )
    if report.unseen_corpora is not None:
        yield _scores("Unseen corpora", _pairs(report.unseen_corpora.by_corpus))
    if report.voices:
        yield voices_table(report.voices)


def detail_tables(report: Report) -> Iterator[ReportTable]:
    """Yield every other table that the report has figures for."""
    found = report.evaluation
    yield _classes(found.overall)
    yield _confidence(report)
    if found.by_sex:
        yield _sexes(found)
    yield from _languages(report)
    if report.conditions:
        yield _conditions(report)
    if report.non_speech:
        yield ReportTable(
            "Sounds that nobody speaks",
            ("sound", "sounds", "not sure", "because"),
            tuple(
                (s.kind, str(s.sounds), percent(s.abstained), reasons(s.reasons))
                for s in report.non_speech
            ),
            ("Made by a script, 1 to 6 s long, peaks from -40 to -3 dB.",),
        )
    if report.robustness:
        yield ReportTable(
            "Under each effect",
            ("UAR under", "mild", "medium", "strong"),
            tuple(
                (name, *(f"{value:.3f}" for value in values))
                for name, values in report.robustness.items()
            ),
        )
    if report.leave_one_out:
        yield ReportTable(
            "Leave one corpus out",
            ("unseen corpus", "UAR", "majority class"),
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


def voices_table(voices: Sequence[VoiceScore]) -> ReportTable:
    """Return what it gives to know a voice, by corpus, each mean above its corpora."""

    def row(name: str, part: Sequence[VoiceScore]) -> tuple[str, ...]:
        without, known = (
            mean_over_corpora({one.corpus: getattr(one, which) for one in part})
            for which in ("without", "known")
        )
        return (
            name,
            f"{without:.3f}",
            f"{known:.3f}",
            f"{known - without:+.3f}",
            str(sum(one.clips for one in part)),
            str(sum(one.speakers for one in part)),
        )

    rows = []
    for title, unseen in (("**mean of the corpora**", False), ("**mean, unseen corpora**", True)):
        part = [one for one in voices if one.unseen is unseen]
        if part:
            rows += [row(title, part), *(row(one.corpus, [one]) for one in part)]
    return ReportTable(
        "With the speaker's voice known",
        ("clips of", "UAR without", "UAR with", "difference", "clips", "speakers"),
        tuple(rows),
        (
            "The voice is taken from up to 8 other neutral clips of the speaker, as `predict "
            "--neutral` and the page do. Speakers without neutral speech are left out of both "
            "figures, and of each speaker at most 100 clips count.",
        ),
    )


def _languages(report: Report) -> Iterator[ReportTable]:
    """Yield the corpora's figures by what is spoken in them, if that is more than one language."""
    groups: dict[tuple[str, bool], dict[str, CorpusScores]] = {}
    for part, unseen in ((report.evaluation, False), (report.unseen_corpora, True)):
        for name, pair in part.by_corpus.items() if part is not None else ():
            language = READERS[name].language if name in READERS else ""
            groups.setdefault((language or "not known", unseen), {})[name] = pair
    if len({language for language, _ in groups}) < 2:
        return
    rows = []
    for (language, unseen), corpora in sorted(groups.items(), key=lambda one: (one[0][1], one[0])):
        held = [pair.restricted for pair in corpora.values()]
        clips = sum(score.clips for score in held)
        rows.append(
            (
                f"{language}, unseen corpora" if unseen else language,
                f"{mean_over_corpora({n: p.restricted.uar for n, p in corpora.items()}):.3f}",
                f"{sum(score.accuracy * score.clips for score in held) / clips:.3f}",
                str(clips),
                str(sum(score.speakers for score in held)),
                ", ".join(corpora),
            )
        )
    yield ReportTable(
        "By language",
        ("language", "UAR, mean of its corpora", "accuracy", "clips", "speakers", "corpora"),
        tuple(rows),
    )


def confusion_table(score: Scores) -> ReportTable:
    """Return the counts of a confusion matrix: rows are the truth, columns the predictions."""
    return ReportTable(
        "Confusion",
        ("true \\ predicted", *score.emotions),
        tuple(
            (name, *(str(count) for count in row))
            for name, row in zip(score.emotions, score.confusion, strict=True)
        ),
        ("Test speakers, each clip by its corpus' emotions.",),
    )


def _sexes(found: Evaluation) -> ReportTable:
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
    return ReportTable("By sex", columns, rows, (OVER_CLIPS,) if _starred(rows) else ())


def _starred(rows: Iterable[Sequence[str]]) -> bool:
    return any("†" in row[1] for row in rows)


def _pairs(by_corpus: Mapping[str, CorpusScores]) -> dict[str, tuple[Scores, Scores]]:
    return {name: (pair.restricted, pair.full) for name, pair in by_corpus.items()}


def _scores(title: str, pairs: Mapping[str, tuple[Scores, Scores]], *notes: str) -> ReportTable:
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
    return ReportTable(
        title,
        (*columns, "majority: UAR, accuracy", "clips", "speakers"),
        tuple(rows),
        (*notes, OVER_CLIPS) if _starred(rows) else notes,
    )


def _classes(head: Scores) -> ReportTable:
    return ReportTable(
        "By emotion",
        ("emotion", "precision", "recall", "F1", "clips"),
        tuple(
            (c.emotion, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", str(c.clips))
            for c in head.classes
        ),
    )


def _confidence(report: Report) -> ReportTable:
    rows = [_confidence_row("**all**", report.evaluation)]
    for part in (report.evaluation, report.unseen_corpora):
        if part is not None:
            rows += [_confidence_row(name, pair) for name, pair in part.by_corpus.items()]
    return ReportTable(
        "Confidence and abstention",
        (
            "clips of",
            "ECE before",
            "ECE after",
            "ECE if honest",
            "not sure",
            "accuracy when sure",
            "when not sure",
            "truth in the set",
            "emotions in it",
        ),
        tuple(rows),
        (
            "ECE: expected calibration error in 15 bins, any emotion allowed, before and after "
            "scaling on the validation speakers. “If honest” is what a model would measure on so "
            "few clips if every confidence were true: a value below that means nothing.",
            *_target(report.evaluation),
            *_why(report.evaluation),
        ),
    )


def _target(found: Evaluation) -> tuple[str, ...]:
    if found.sets is None:
        return ()
    return (f"The sets were made to hold the truth in {percent(found.sets.target)}.",)


def _why(found: Evaluation) -> tuple[str, ...]:
    if not found.abstentions.reasons:
        return ()
    return (f"Not sure of these clips because: {reasons(found.abstentions.reasons)}.",)


def _confidence_row(name: str, part: Evaluation | CorpusScores) -> tuple[str, ...]:
    curve, silent, sets = part.calibration, part.abstentions, part.sets
    return (
        name,
        *((f"{curve.ece_before:.3f}", f"{curve.ece_after:.3f}") if curve else ("", "")),
        f"{curve.floor:.3f}" if curve else "",
        percent(silent.share) if silent else "",
        percent(silent.accuracy_when_answering) if silent else "",
        percent(silent.accuracy_when_abstaining) if silent else "",
        percent(sets.held) if sets else "",
        f"{sets.size:.2f}" if sets else "",
    )


def _conditions(report: Report) -> ReportTable:
    corpora = list(report.conditions[0].by_corpus)
    return ReportTable(
        "Under other conditions",
        ("condition", "mean UAR", *corpora, "accuracy", "ECE", "not sure", "clips"),
        tuple(
            (
                c.name,
                f"{c.corpus_uar:.3f}",
                *(f"{c.by_corpus[name]:.3f}" for name in corpora),
                f"{c.accuracy:.3f}",
                f"{c.ece:.3f}",
                percent(c.abstained),
                str(c.clips),
            )
            for c in report.conditions
        ),
        ("UAR of the test speakers by corpus; accuracy: any emotion allowed.",),
    )

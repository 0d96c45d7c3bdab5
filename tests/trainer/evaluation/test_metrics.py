"""Figures agree with scikit-learn, with arithmetic by hand, and with what they mean."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.errors import DataError
from trainer.evaluation import bootstrap, metrics
from trainer.evaluation.evaluate import Report, evaluate, headline
from trainer.evaluation.metrics import Outcomes
from trainer.evaluation.predictions import LeftOut, Predictions
from trainer.lifecycle.promotion import Gain, decide
from trainer.lifecycle.rule import Rule
from trainer.reporting.html_page import to_html
from trainer.reporting.records import decode, encode
from trainer.reporting.report import to_csv, to_json

EMOTIONS = ("anger", "joy", "sadness", "surprise")


def outcomes(
    rng: np.random.Generator, skill: float, speakers: int = 12, each: int = 15
) -> Outcomes:
    count = speakers * each
    truth = np.random.default_rng(1).integers(0, 3, count)
    said = np.where(rng.random(count) < skill, truth, rng.integers(0, 4, count))
    chances = np.full((count, 4), 0.1)
    chances[np.arange(count), said] = 0.7
    names = tuple(f"x/{index // each}" for index in range(count))
    return Outcomes(
        EMOTIONS,
        truth.astype(np.int64),
        chances,
        chances,
        tuple("a" if index % 2 else "b" for index in range(count)),
        tuple("f" if index % 3 else "m" for index in range(count)),
        names,
        tuple(str(index) for index in range(count)),
    )


def test_scores_agree_with_scikit_learn(rng: np.random.Generator) -> None:
    from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

    found = outcomes(rng, 0.5)
    said = metrics.restricted(found, metrics.corpus_emotions(found))
    score = metrics.scores(found, said, rng=rng)
    assert score.uar == pytest.approx(balanced_accuracy_score(found.labels, said))
    assert score.accuracy == pytest.approx(accuracy_score(found.labels, said))
    assert score.macro_f1 == pytest.approx(f1_score(found.labels, said, average="macro"))
    assert score.uar_interval is not None
    assert score.uar_interval.low < score.uar < score.uar_interval.high
    assert score.majority_uar == pytest.approx(1 / 3)


def test_restricted_never_says_what_the_corpus_lacks(rng: np.random.Generator) -> None:
    found = outcomes(rng, 0.2)
    assert 3 in metrics.full(found)
    assert 3 not in metrics.restricted(found, metrics.corpus_emotions(found))


def test_an_interval_over_speakers_is_wider_than_one_over_clips(rng: np.random.Generator) -> None:
    found = outcomes(rng, 0.5)
    alike = (np.arange(len(found)) // 15) % 2 == 0  # half of the speakers are always understood
    said = np.where(alike, found.labels, (found.labels + 1) % 3)
    by_speaker = metrics.scores(found, said, rng=np.random.default_rng(0)).uar_interval
    single = Outcomes(**{**_fields(found), "speaker": ("",) * len(found)})
    by_clip = metrics.scores(single, said, rng=np.random.default_rng(0)).uar_interval
    assert by_speaker is not None
    assert by_clip is not None
    assert by_speaker.high - by_speaker.low > 2 * (by_clip.high - by_clip.low)


def _fields(found: Outcomes) -> dict[str, object]:
    return {name: getattr(found, name) for name in Outcomes.__dataclass_fields__}


def test_honest_confidence_has_no_error_and_false_confidence_has(rng: np.random.Generator) -> None:
    labels = (rng.random(20_000) > 0.7).astype(np.int64)
    honest = np.tile([0.7, 0.3], (20_000, 1))
    boastful = np.tile([0.99, 0.01], (20_000, 1))
    assert metrics.calibration_error(labels, honest)[0] < 0.02
    assert metrics.calibration_error(labels, boastful)[0] == pytest.approx(0.29, abs=0.02)


def test_answering_only_the_surest_is_more_accurate_when_doubt_is_informative() -> None:
    sure = np.array([0.95] * 50 + [0.55] * 50)
    labels = np.array([0] * 50 + [0, 1] * 25, dtype=np.int64)
    chances = np.stack([sure, 1 - sure], axis=1)
    blank = ("",) * 100
    found = Outcomes(("joy", "fear"), labels, chances, chances, blank, blank, blank)
    curve = {p.coverage: p.accuracy for p in metrics.coverage(found, metrics.full(found))}
    assert curve[0.5] == 1.0
    assert curve[1.0] == 0.75


def test_an_empty_side_is_said_so() -> None:
    nothing = np.zeros((0, 2))
    with pytest.raises(DataError, match="empty"):
        Outcomes(("joy", "fear"), np.zeros(0, np.int64), nothing, nothing, (), (), ())


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 4)), min_size=1))
def test_summed_clusters_are_the_whole(rows: list[tuple[int, int, int]]) -> None:
    truth, said, who = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    whole = bootstrap.confusions(truth, said, np.zeros(len(rows), np.int64), 4)[0]
    parts = bootstrap.confusions(truth, said, bootstrap.clusters([f"s{w}" for w in who]), 4)
    assert (parts.sum(axis=0) == whole).all()
    once = np.ones((1, len(parts)), np.int64)
    assert (bootstrap.resample(parts, once)[0] == whole).all()


def test_a_better_challenger_is_promoted_and_a_worse_one_is_not() -> None:
    weak = outcomes(np.random.default_rng(2), 0.3)
    strong = outcomes(np.random.default_rng(3), 0.8)
    rule = Rule(calibration=1.0)  # the made-up confidences of both are equally naive
    up = decide(weak, strong, rng=np.random.default_rng(0), rule=rule)
    down = decide(strong, weak, rng=np.random.default_rng(0), rule=rule)
    assert up.promote
    assert up.figures["not_worse"] > 0.99
    assert not down.promote
    assert "lower" in down.reasons[0]


def test_the_same_model_again_is_not_worse() -> None:
    found = outcomes(np.random.default_rng(2), 0.5)
    assert decide(found, found, rng=np.random.default_rng(0)).promote


def test_a_challenger_has_to_gain_where_that_was_measured() -> None:
    found = outcomes(np.random.default_rng(2), 0.5)
    up, none = Gain(0.4, 0.5, 60, 3), Gain(0.5, 0.5, 60, 3)
    taken = decide(found, found, rng=np.random.default_rng(0), gain=up)
    refused = decide(found, found, rng=np.random.default_rng(0), gain=none)
    assert taken.promote
    assert "UAR 0.500 against 0.400 on 60 new labels" in str(taken)
    assert taken.figures["gain"] == pytest.approx(0.1)
    assert not refused.promote
    assert "nothing is gained" in str(refused)
    assert "on the test speakers UAR" in str(refused)


def test_a_gain_does_not_excuse_a_loss() -> None:
    old, new = (outcomes(np.random.default_rng(2), right) for right in (0.8, 0.6))
    found = decide(old, new, rng=np.random.default_rng(0), gain=Gain(0.1, 0.9, 60, 3))
    assert not found.promote
    assert "taught something all the same: UAR 0.900 against 0.100" in str(found)


def test_a_class_that_falls_below_the_floor_keeps_a_challenger_out() -> None:
    old = outcomes(np.random.default_rng(2), 0.3)
    new = outcomes(np.random.default_rng(3), 0.95)
    chances = new.probabilities.copy()
    joy = new.labels == 1
    chances[joy] = [0.7, 0.1, 0.1, 0.1]
    worse = Outcomes(**{**_fields(new), "probabilities": chances})
    found = decide(old, worse, rng=np.random.default_rng(0), rule=Rule(confidence=0.51))
    assert not found.promote
    assert any("recall of joy" in reason for reason in found.reasons)


def test_a_boastful_challenger_is_kept_out() -> None:
    old = outcomes(np.random.default_rng(2), 0.6)
    loud = np.where(old.probabilities > 0.5, 0.997, 0.001)
    found = decide(
        old, Outcomes(**{**_fields(old), "probabilities": loud}), rng=np.random.default_rng(0)
    )
    assert not found.promote
    assert any("worse calibrated" in reason for reason in found.reasons)


def test_models_heard_on_other_clips_are_not_compared() -> None:
    one, two = (outcomes(np.random.default_rng(2), 0.5, speakers=n) for n in (12, 11))
    with pytest.raises(DataError, match="same labelled clips"):
        decide(one, two, rng=np.random.default_rng(0))


@pytest.fixture
def report(rng: np.random.Generator) -> Report:
    found = Predictions(outcomes(rng, 0.6), (LeftOut("a/1", "it holds no sound"),))
    return Report(
        "studio",
        "<b>v1",
        "2024-01-01",
        evaluate(found, draws=200),
        robustness={"gain": (0.6, 0.5, 0.4)},
        cross_corpus={"a": {"a": 0.5, "b": float("nan")}, "b": {"a": 0.2, "b": 0.6}},
        notes=("a note",),
    )


def test_a_report_survives_json(report: Report) -> None:
    again = decode(Report, json.loads(to_json(report)))
    assert encode(again) == encode(report)
    assert again.evaluation.left_out == {"it holds no sound": 1}


def test_a_report_of_another_version_is_refused(report: Report) -> None:
    values = encode(report) | {"extra": 1}
    del values["notes"]
    with pytest.raises(DataError, match=r"unknown extra; missing notes"):
        decode(Report, values)


def test_csv_and_metrics_hold_the_reports_figures(report: Report) -> None:
    import csv
    import io

    rows = list(csv.DictReader(io.StringIO(to_csv(report))))
    (row,) = [
        r for r in rows if (r["scope"], r["name"], r["metric"]) == ("all", "restricted", "uar")
    ]
    assert float(row["value"]) == report.evaluation.overall.uar == headline(report)["uar"]
    assert {r["name"] for r in rows if r["scope"] == "augmentation"} == {
        "gain mild",
        "gain medium",
        "gain strong",
    }


def test_the_page_needs_no_network_and_escapes_names(report: Report) -> None:
    page = to_html(report)
    assert "<b>v1" not in page
    assert "&lt;b&gt;v1" in page
    assert 'src="http' not in page
    assert page.count("plotly-graph-div") >= 8


def test_the_card_has_front_matter_and_the_same_figures(report: Report) -> None:
    from ser_core.checkpoints.specification import Specification
    from trainer.reporting.card import model_card

    card = model_card(report, Specification(emotions=EMOTIONS))
    assert card.startswith("---\nlicense: cc-by-nc-sa-4.0\n")
    assert f"| **all** | {report.evaluation.overall.uar:.3f}" in card
    assert "| gain | 0.600 | 0.500 | 0.400 |" in card


def test_the_honest_error_shrinks_with_clips_and_bounds_a_true_confidence() -> None:
    few = np.tile([0.6, 0.4], (60, 1))
    many = np.tile([0.6, 0.4], (6000, 1))
    assert metrics.honest_error(few) > 3 * metrics.honest_error(many)
    labels = (np.random.default_rng(4).random(6000) > 0.6).astype(np.int64)
    measured = metrics.calibration_error(labels, many)[0]
    assert measured < 4 * metrics.honest_error(many)


def test_few_speakers_give_an_interval_over_clips_that_says_so(rng: np.random.Generator) -> None:
    found = outcomes(rng, 0.5, speakers=2)
    score = metrics.scores(found, metrics.full(found), rng=rng)
    assert score.macro_f1_interval is not None
    assert score.macro_f1_interval.over == "clips"
    assert score.macro_f1_interval.low < score.macro_f1 < score.macro_f1_interval.high
    many = outcomes(rng, 0.5, speakers=3)
    again = metrics.scores(many, metrics.full(many), rng=rng).uar_interval
    assert again is not None
    assert again.over == "speakers"


def test_sets_hold_the_truth_as_often_as_they_should(rng: np.random.Generator) -> None:
    from pathlib import Path

    from ser_core.checkpoints import calibration
    from ser_core.corpora.clip import Clip
    from trainer.evaluation.predictions import assemble

    labels = rng.integers(0, 4, 4000)
    logits = rng.standard_normal((4000, 4)) + 2 * np.eye(4)[labels]
    fitted = calibration.fit(logits[:2000], labels[:2000])
    clips = [Clip(Path("x"), "a", str(i), EMOTIONS[e]) for i, e in enumerate(labels[2000:])]
    found = evaluate(assemble(EMOTIONS, fitted, clips, logits[2000:], EMOTIONS), draws=10)
    assert found.sets is not None
    assert found.sets.held == pytest.approx(0.9, abs=0.03)
    assert 1 <= found.sets.size < 4
    assert found.abstentions.share == pytest.approx(0.08, abs=0.03)
    assert sum(found.abstentions.reasons.values()) == pytest.approx(found.abstentions.share)
    assert found.calibration.ece_after < found.calibration.floor + 0.03


def test_a_hard_corpus_gets_its_answers_too(rng: np.random.Generator) -> None:
    from ser_core.checkpoints import calibration

    labels = rng.integers(0, 4, 600)
    force = np.where(np.arange(600) < 500, 4.0, 0.5)  # the last hundred are hard to tell
    logits = rng.standard_normal((600, 4)) + force[:, None] * np.eye(4)[labels]
    groups = ["easy"] * 500 + ["hard"] * 95 + ["tiny"] * 5

    def refused(fitted: calibration.Calibration) -> float:
        chances = fitted.probabilities(logits[500:595])
        high = calibration.entropy(chances) > fitted.entropy_limit
        limit = fitted.energy_limit
        assert limit is not None
        return float((high | (calibration.energy(logits[500:595]) < limit)).mean())

    assert refused(calibration.fit(logits, labels)) > 0.2
    assert refused(calibration.fit(logits, labels, groups=groups)) < 0.1

"""The Model tab without the page: figures from any metrics, versions, a run, who may start it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ui.errors import PageError
from ui.identity import Annotator, Identity
from ui.model import html, tab, versions
from ui.model.figures import (
    ALL,
    confusion_figure,
    curve_figure,
    curves_of,
    figures_of,
    read_champion,
)
from ui.model.runs import Runs, TrainingRequest
from ui.services import AppSettings, Services

TRAINER = Annotator("ada", may_write=True, may_train=True)
VISITOR = Annotator("visitor", may_suggest=True, reason="Nobody is known. Sign in.")


def scores(confusion: list[list[int]], emotions: list[str]) -> dict[str, Any]:
    total = sum(map(sum, confusion))
    recalls = [row[i] / sum(row) for i, row in enumerate(confusion) if sum(row)]
    return {
        "uar": sum(recalls) / len(recalls),
        "accuracy": sum(row[i] for i, row in enumerate(confusion)) / total,
        "macro_f1": 0.5,
        "uar_interval": {"low": 0.4, "high": 0.7, "confidence": 0.95},
        "majority_uar": 1 / len(recalls),
        "clips": total,
        "speakers": 2,
        "classes": [
            {"emotion": e, "precision": 0.5, "recall": r, "f1": 0.5, "clips": sum(row)}
            for e, r, row in zip(emotions, recalls, confusion, strict=True)
        ],
        "emotions": emotions,
        "confusion": confusion,
        "ece": 0.1,
    }


TWO = {
    "test": {
        "emodb": scores([[8, 2], [1, 9]], ["anger", "joy"]),
        "tess": scores([[5, 5], [0, 10]], ["joy", "sadness"]),
    }
}


def test_corpora_are_pooled_by_their_counts() -> None:
    found = figures_of(TWO)
    assert list(found) == [ALL, "emodb", "tess"]
    together = found[ALL]
    assert together.emotions == ("anger", "joy", "sadness")
    assert together.clips == 40
    assert together.accuracy == pytest.approx(32 / 40)
    assert {row.emotion: round(row.recall, 3) for row in together.rows} == {
        "anger": 0.8,
        "joy": 0.7,
        "sadness": 1.0,
    }
    drawn = confusion_figure(together).data[0]
    assert drawn.z[1].sum() == pytest.approx(1, abs=1e-3)


def test_a_whole_report_goes_before_the_training_s_own_figures() -> None:
    overall = scores([[3, 1], [1, 3]], ["anger", "joy"])
    bins = [[0.4, 0.3, 10], [0.9, 0.8, 30]]
    report = {
        "evaluation": {
            "overall": overall,
            "by_corpus": {"emodb": {"restricted": overall, "full": overall}},
            "calibration": {"ece_before": 0.2, "ece_after": 0.1, "bins": bins},
        }
    }
    metrics = TWO | {"report": report}
    assert figures_of(metrics)[ALL].clips == 8
    assert figures_of(metrics)["emodb"].clips == 8
    curve = curves_of(metrics)[ALL]
    assert len(curve_figure(curve).data) == 2
    assert "overconfident" in html.curve_words(curve, "")


@pytest.mark.parametrize("metrics", [{}, {"test": {}}, {"test": None}, {"report": {"x": 1}}])
def test_missing_figures_get_a_sentence(metrics: dict[str, Any]) -> None:
    assert figures_of(metrics) == {}
    assert curves_of(metrics) == {}
    assert "without figures" in html.headline(None)


def test_what_the_trainer_s_evaluation_writes_is_drawn(
    services: Services, small_model: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    from trainer.evaluation.evaluate import Report, evaluate, headline
    from trainer.evaluation.metrics import Outcomes
    from trainer.evaluation.predictions import Predictions

    names, count = ("anger", "joy", "sadness"), 240
    labels = rng.integers(0, 3, count)
    logits = rng.normal(0, 1, (count, 3)) + 1.5 * np.eye(3)[labels]
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    corpora = tuple("savee" if i % 3 else "emodb" for i in range(count))
    speakers = tuple(f"{corpus}/{i % 8}" for i, corpus in enumerate(corpora))
    said = Outcomes(names, labels, shares, shares, corpora, ("",) * count, speakers)
    report = Report("small", "small-1", "2026-01-01", evaluate(Predictions(said, ()), draws=20))
    folder = tmp_path / "measured"
    shutil.copytree(small_model, folder)
    (folder / "metrics.json").write_text(json.dumps(headline(report)), encoding="utf-8")

    curves = curves_of(json.loads((folder / "metrics.json").read_text()))
    assert list(curves) == [ALL, "emodb", "savee"]
    assert curves[ALL].bins == report.evaluation.calibration.bins
    assert sum(clips for _, _, clips in curves["savee"].bins) == 160
    measured = Services(AppSettings(home=services.home, model=folder), Identity())
    champion = read_champion(measured)
    for name in (ALL, "emodb"):
        *_, drawn, words = tab.of_clips(champion, name)
        assert drawn["visible"]
        line = drawn["value"].data[1]
        assert [*zip(line.x, line.y, strict=True)] == [b[:2] for b in curves[name].bins]
        assert f"off by {curves[name].after * 100:.1f} %" in words
    *_, drawn, words = tab.of_clips(read_champion(services), ALL)
    assert not drawn["visible"]
    assert "<code>python -m trainer evaluate</code>" in words


def test_a_corpus_that_was_not_trained_on_is_named_so() -> None:
    one = {"restricted": {"uar": 0.4, "clips": 9}, "calibration": {"bins": [[0.5, 0.4, 9]]}}
    report = {
        "evaluation": {"by_corpus": {"emodb": one}},
        "never_heard": {"by_corpus": {"tess": one}},
    }
    found = figures_of({"report": report})
    assert list(found) == ["emodb", "tess, none of it in training"]
    assert list(curves_of({"report": report})) == list(found)


def test_figures_with_holes_leave_out_only_what_is_missing() -> None:
    found = figures_of({"test": {"emodb": {"uar": 0.5, "clips": 3, "accuracy": None}}})
    assert list(found) == ["emodb"]
    said = html.headline(found["emodb"])
    assert "50.0 %" in said
    assert "Accuracy" not in said
    assert "–" in html.corpora(list(found.values()))


def test_names_from_files_are_escaped() -> None:
    found = figures_of({"test": {"<b>": {"uar": 0.5, "clips": 3}}})
    assert "<b>" not in html.corpora(list(found.values()))


def test_overview_of_a_checkpoint_without_figures(services: Services) -> None:
    shown = tab.overview(services)
    assert "without figures" in shown[1]
    assert "A small model." in shown[8]
    assert "small-1" in shown[9]
    assert shown[0]["choices"]


def test_a_missing_model_gets_a_sentence(tmp_path: Path) -> None:
    bare = Services(AppSettings(home=tmp_path, model=tmp_path / "none"), Identity())
    assert "Nothing can be read" in read_champion(bare).problem
    assert "Nothing can be read" in tab.overview(bare)[1]


@pytest.fixture
def two_versions(services: Services, small_model: Path) -> Services:
    """A home with two versions: ``one``, and ``two`` that came from it."""
    for name, parent, uar, epochs in (("one", "small-1", 0.4, 4), ("two", "one", 0.5, 8)):
        folder = services.home / "models" / name
        shutil.copytree(small_model, folder)
        path = folder / "specification.json"
        held = json.loads(path.read_text())
        held |= {"version": name, "parent": parent, "created": f"2026-01-0{epochs // 4}T00:00:00Z"}
        path.write_text(json.dumps(held))
        metrics = {"uar": uar, "settings": {"epochs": epochs, "device": name}}
        (folder / "metrics.json").write_text(json.dumps(metrics))
    return services


def test_versions_say_what_changed(two_versions: Services) -> None:
    found = versions.lines(two_versions)
    assert [line.name for line in found] == ["two", "one", "small-1"]
    assert found[0].changes == ("UAR 0.400 → 0.500", "settings: epochs 4 → 8")
    assert [line.serves for line in found] == [False, False, True]


def test_promote_and_roll_back(two_versions: Services) -> None:
    assert "two serves" in versions.promote(two_versions, "two", TRAINER)
    assert versions.lines(two_versions)[0].serves
    assert two_versions.champion()["version"] == "two"
    assert "shipped model serves again" in versions.rollback(two_versions, TRAINER)
    assert [act.text.split()[0] for act in versions.acts(two_versions)] == ["rolled", "two"]
    assert "rolled back" in html.history(versions.lines(two_versions), versions.acts(two_versions))


def test_visitors_change_nothing(two_versions: Services) -> None:
    for act in (
        lambda: versions.promote(two_versions, "two", VISITOR),
        lambda: versions.rollback(two_versions, VISITOR),
        lambda: Runs(two_versions).start(TrainingRequest(), VISITOR),
        lambda: Runs(two_versions).stop(VISITOR),
    ):
        with pytest.raises(PageError, match="Only people who may train"):
            act()
    assert not (two_versions.home / "models" / "champion.json").exists()


def test_the_handlers_ask_who_it_is(two_versions: Services) -> None:
    foreign = SimpleNamespace(headers={"host": "studio.example:7860"})
    said = tab._promoter(two_versions)("two", foreign)
    assert "Only people who may train" in said
    said, *_ = tab._starter(Runs(two_versions))("fine-tune", 4, False, "", foreign)
    assert "Only people who may train" in said
    assert not (two_versions.home / "models" / "champion.json").exists()

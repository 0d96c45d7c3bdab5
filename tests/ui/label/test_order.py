"""What the order knows: opinions without a button, listening ahead, honesty about training."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from label_store.annotators import write_annotator_settings
from ser_core.audio import load, to_wav_bytes
from ui.annotation_settings import ClipLookup, SettingsReader, read_settings
from ui.catalogue import Source
from ui.clip_cache import ClipCache, make_ready
from ui.crowd import CrowdReader
from ui.identity import Annotator
from ui.label import html
from ui.label.background_scoring import BackgroundScoring
from ui.label.candidates import QueueKnowledge
from ui.label.session import LabelSession
from ui.predictions import ClipPrediction, PredictionCache, predict_clip
from ui.services import AppSettings, Services

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
ADA = Annotator("ada", may_write=True, may_train=True, may_suggest=True)
NAMES = ("03a01Fa.wav", "03a02Wa.wav", "09a01Na.wav", "12a02Fa.wav")


@pytest.fixture
def services(tmp_path: Path, small_model: Path) -> Services:
    """A home with four spoken clips, two of them of a speaker that trains."""
    folder = tmp_path / "home" / "corpora" / "emodb" / "wav"
    folder.mkdir(parents=True)
    clip = load(EXAMPLES / "2_lively.flac")
    for number, name in enumerate(NAMES):
        piece = clip.samples[:, number * 4000 : number * 4000 + 20_000]
        (folder / name).write_bytes(to_wav_bytes(piece, clip.sample_rate))
    return Services(AppSettings(home=tmp_path / "home", model=small_model))


def sources(services: Services) -> dict[str, Source]:
    return services.catalogue.hashed(services.catalogue.listing().sources)


def test_a_clip_that_is_made_ready_feeds_the_order(services: Services) -> None:
    labelling = LabelSession(services, np.random.default_rng(0))
    clip = labelling.open(ADA, "s", blind=False)
    assert clip is not None
    prediction = PredictionCache(services).get(clip.sha)
    assert prediction is not None
    predicted = clip.ready.prediction
    assert predicted is not None
    assert prediction.probabilities == pytest.approx(predicted["probabilities"], abs=1e-5)
    assert prediction.information is None, "nobody asked for the order by draws"
    labelling.pool.learn()
    assert labelling.pool.known().scored >= 1
    assert "has predicted" in html.known(labelling.pool.known(), scoring=True)


def test_what_was_heard_once_is_not_asked_again_after_a_start(services: Services) -> None:
    sha, source = next(iter(sources(services).items()))
    for _ in range(2):
        assert source.path is not None
        predict_clip(services, sha, source.path)
    lines = PredictionCache(services).path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    other = Services(services.settings)
    assert sha in PredictionCache(other).all()
    assert PredictionCache(other, "another-model").all() == {}


def test_a_torn_line_is_passed_over(services: Services) -> None:
    kept = PredictionCache(services)
    kept.add({"a": ClipPrediction({"joy": 1.0}, 0.5)})
    with kept.path.open("a", encoding="utf-8") as file:
        file.write("{torn\n")
    kept.add({"b": ClipPrediction({})})
    assert kept.all() == {"a": ClipPrediction({"joy": 1.0}, 0.5), "b": ClipPrediction({})}


def test_a_cache_that_cannot_be_written_stops_nobody(services: Services) -> None:
    (services.home / "cache").rmdir() if (services.home / "cache").is_dir() else None
    (services.home / "cache").write_text("", encoding="utf-8")
    PredictionCache(services).add({"a": ClipPrediction({"joy": 1.0})})
    assert not PredictionCache(services).path.parent.is_dir()


class Waits:
    """Counts the waits, and ends the work after some."""

    def __init__(self, most: int) -> None:
        self.most, self.spent = most, []

    def __call__(self, seconds: float) -> bool:
        self.spent.append(seconds)
        return len(self.spent) > self.most


def test_the_model_listens_ahead_until_it_has_heard_all(services: Services) -> None:
    clips = sources(services)
    waits = Waits(6)
    services._asked = -1e9
    scoring = BackgroundScoring(services, lambda: clips, quiet=0.0, wait=waits)
    before = os.getpriority(os.PRIO_PROCESS, 0) if sys.platform == "linux" else 0
    scoring.work()
    assert set(PredictionCache(services).all()) == set(clips)
    assert waits.spent[-1] == 30.0
    # What a thread of lower priority starts (a model's own threads) would keep that priority.
    assert before == (os.getpriority(os.PRIO_PROCESS, 0) if sys.platform == "linux" else 0)


def test_draws_are_made_for_the_order_that_goes_by_them(services: Services) -> None:
    labelling = LabelSession(services, np.random.default_rng(0))
    labelling.queue()
    scoring = labelling.background
    scoring._quiet, scoring._wait, services._asked = 0.0, Waits(6), -1e9
    scoring.work()
    known = PredictionCache(services).all()
    assert {one.information for one in known.values()} == {None}
    labelling.pool.learn()
    labelling.choose_by("bald")
    assert labelling.pool.known().scored == 0, "the order by draws knows none of them yet"
    scoring._wait, services._asked = Waits(6), -1e9
    scoring.work()
    drawn = PredictionCache(services).all()
    assert all(one.information is not None for one in drawn.values())
    for sha, one in drawn.items():
        assert one.probabilities == pytest.approx(known[sha].probabilities, abs=1e-4)
    labelling.pool.learn()
    assert labelling.pool.known().scored == len(drawn)


def test_it_rests_while_somebody_waits_and_stops_at_its_bound(services: Services) -> None:
    clips = sources(services)
    services.serving  # noqa: B018 - somebody asks
    waits = Waits(3)
    BackgroundScoring(services, lambda: clips, quiet=60.0, wait=waits).work()
    assert PredictionCache(services).count() == 0
    assert waits.spent[1:] == [60.0] * 3
    services._asked = -1e9
    BackgroundScoring(services, lambda: clips, quiet=0.0, most=2, wait=Waits(50)).work()
    assert PredictionCache(services).count() == 2
    assert services.quiet_seconds() > 1e6, "its own questions do not count as somebody's"


def test_it_goes_on_where_it_stopped(services: Services) -> None:
    clips = sources(services)
    done = next(iter(clips))
    PredictionCache(services).add({done: ClipPrediction({"joy": 1.0}, 0.1)})
    BackgroundScoring(services, lambda: clips, quiet=0.0, most=3, wait=Waits(50)).work()
    assert PredictionCache(services).get(done) == ClipPrediction({"joy": 1.0}, 0.1)
    assert PredictionCache(services).count() == 4


def test_a_clip_that_cannot_be_heard_is_passed_over(services: Services) -> None:
    clips = sources(services)
    first = next(iter(clips.values()))
    assert first.path is not None
    first.path.unlink()
    scoring = BackgroundScoring(services, lambda: clips, quiet=0.0, wait=Waits(8))
    scoring.work()
    assert PredictionCache(services).count() == 3


def test_it_starts_stops_and_starts_again(services: Services) -> None:
    gate = threading.Event()
    scoring = BackgroundScoring(services, dict, quiet=0.0, wait=lambda seconds: gate.wait(30))
    assert not scoring.running
    scoring.start()
    scoring.start()
    assert scoring.running
    scoring.stop()
    assert not scoring.running
    gate.set()
    scoring.start()
    scoring.stop()


def test_inside_a_space_nobody_listens_ahead(services: Services) -> None:
    services.identity = replace(services.identity, space=True)
    assert not LabelSession(services, np.random.default_rng(0)).scores_in_background


def remember_predictions(labelling: LabelSession, probabilities: dict[str, float]) -> None:
    found = {sha: ClipPrediction(probabilities, 0.1) for sha in labelling.pool.sources}
    PredictionCache(labelling.services).add(found)


def test_speakers_of_the_training_are_never_called_suspected_errors(services: Services) -> None:
    labelling = LabelSession(services, np.random.default_rng(0))
    labelling.queue()
    sides = {sha: one.side for sha, one in labelling.pool.sources.items()}
    assert sorted(sides.values()).count("train") == 2
    remember_predictions(labelling, {"anger": 0.05, "joy": 0.05, "neutral": 0.05, "sadness": 0.85})
    labelling.choose_by("label-error")
    known = labelling.pool.known()
    assert (known.scored, known.total, known.in_training) == (4, 4, 2)
    held_out = {one.clip for one in labelling.queue().candidates if one.speaker_held_out}
    assert {sides[sha] for sha in held_out} <= {"validation", "test"}
    assert known.suspected == 2
    reasons = {}
    while (clip := labelling.advance(ADA, "s", blind=False)) is not None:
        reasons[clip.sha] = clip.why
        labelling.services.store.append(_label(clip.sha))
    assert len(reasons) == 4
    assert all(why != "label-error" for sha, why in reasons.items() if sha not in held_out)
    text = html.known(known, scoring=False)
    assert "never called suspected errors" in text
    assert "2 are by speakers" in text


def _label(sha: str) -> Any:
    from label_store.event import LabelEvent

    return LabelEvent(action="label", annotator="ada", session="s", clip=sha, emotion="joy")


def test_every_order_that_is_offered_is_known(services: Services) -> None:
    labelling = LabelSession(services, np.random.default_rng(0))
    labelling.queue()
    remember_predictions(labelling, {"anger": 0.4, "joy": 0.3, "neutral": 0.2, "sadness": 0.1})
    for _, strategy in html.STRATEGIES:
        labelling.choose_by(strategy)
        assert labelling.advance(ADA, strategy, blind=False) is not None
        labelling.leave(strategy)
    assert "bald" in dict(html.STRATEGIES).values()


def test_a_closed_page_takes_no_clip_from_others(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[Callable[[], None]] = []

    class Late:
        def __init__(self, target: Callable[[], None], daemon: bool) -> None:
            self.start = lambda: late.append(target)

    labelling = LabelSession(services, np.random.default_rng(0))
    labelling.queue()
    monkeypatch.setattr("ui.label.session.threading", SimpleNamespace(Thread=Late))
    assert labelling.advance(ADA, "s", blind=False) is not None
    assert len(labelling.queue().leases.active()) == 1
    labelling.leave("s")
    late.pop()()
    assert labelling.queue().leases.active() == []
    assert labelling.advance(ADA, "t", blind=False) is not None
    late.pop()()
    assert len(labelling.queue().leases.active()) == 2


def test_the_line_says_what_the_order_does_not_know() -> None:
    text = html.known(QueueKnowledge("entropy", 312, 1240, 0), scoring=True)
    assert "<b>312</b> of 1,240 clips" in text
    assert "continues while nobody waits" in text
    assert "training" not in text
    assert html.known(QueueKnowledge("entropy", 0, 0, 0), scoring=True) == ""


def test_gold_follows_its_file_and_the_share_that_was_set(services: Services) -> None:
    labelling = LabelSession(services, np.random.default_rng(0))
    labelling.queue()
    folder = services.store.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gold.csv").write_text("Filename,Emotion\n03a01Fa.wav,joy\nno.wav,joy\n", "utf-8")
    write_annotator_settings(folder, None, 0.5, by="ada")
    queue = labelling.queue()
    (sha,) = queue.gold
    assert labelling.pool.sources[sha].name == "wav/03a01Fa.wav"
    assert queue.settings.gold_share == 0.5
    assert len(read_settings(services).problems) == 1
    assert "no.wav" in read_settings(services).problems[0]
    assert ClipLookup(services).hash_of("03a01Fa.wav", "elsewhere") == ""


def test_a_damaged_file_of_people_stops_no_labelling(services: Services) -> None:
    folder = services.store.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "people.json").write_text("{", encoding="utf-8")
    (folder / "gold.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    labelling = LabelSession(services, np.random.default_rng(0))
    assert labelling.open(ADA, "s", blind=False) is not None
    assert len(read_settings(services).problems) == 2


def test_the_blind_picture_has_no_emotions_over_time(services: Services, tmp_path: Path) -> None:
    clip = load(EXAMPLES / "2_lively.flac")
    path = tmp_path / "long.wav"
    path.write_bytes(to_wav_bytes(clip.samples[:, : 4 * clip.sample_rate], clip.sample_rate))
    source = Source("", "long.wav", path)
    sha = services.catalogue.hash_of(source)
    ready = make_ready(services, sha, source)
    assert ready.figure is not None
    assert ready.plain is not None
    assert len(ready.plain.data) < len(ready.figure.data)
    assert "over time" not in str(ready.plain.layout.annotations)
    assert ClipCache(services).get(sha, source).prediction == ready.prediction


def labelled_by(services: Services, clip: str, **given: str) -> None:
    from label_store.event import LabelEvent

    for name, emotion in given.items():
        services.store.append(
            LabelEvent(action="label", annotator=name, session=name, clip=clip, emotion=emotion)
        )


def test_the_most_telling_clips_come_first_and_settled_ones_leave(services: Services) -> None:
    labelling = LabelSession(services, np.random.default_rng(0))
    labelling.queue()
    agreed, other, torn, fresh = sorted(labelling.pool.sources)
    remember_predictions(labelling, {"anger": 0.1, "joy": 0.7, "neutral": 0.1, "sadness": 0.1})
    labelled_by(services, agreed, ben="joy", cy="joy", di="joy")
    labelled_by(services, other, ben="joy", cy="joy", di="joy")
    labelled_by(services, torn, ben="joy", cy="sadness", di="anger")
    labelling.choose_by("telling")
    told = labelling.queue().telling
    assert told[torn] > told[agreed], "labels that differ"
    assert told[fresh] > told[agreed], "no label yet"
    assert labelling.pool.known().scored == 4
    assert "Most telling first" in html.known(labelling.pool.known(), scoring=True)
    reasons = {}
    while (clip := labelling.advance(ADA, "s", blind=False)) is not None:
        reasons[clip.sha] = clip.why
        labelled_by(services, clip.sha, ada="joy")
    assert set(reasons) == {agreed, other, torn, fresh}
    assert "telling" in reasons.values()


def test_clips_with_enough_labels_leave_the_queue_once_their_level_is_set(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("label_store.crowd.FEWEST", 2)
    labelling = LabelSession(services, np.random.default_rng(0))
    labelling.queue()
    glad, sad, torn, fresh = sorted(labelling.pool.sources)
    labelled_by(services, glad, ben="joy", cy="joy", di="joy")
    labelled_by(services, sad, ben="sadness", cy="sadness", di="sadness")
    labelled_by(services, torn, ben="joy", cy="sadness", di="anger")
    labelling.choose_by("telling")
    assert labelling.queue().enough == frozenset(), "nobody asked for a level"
    write_annotator_settings(services.store.folder, None, 0.0, by="ada", enough=0.6)
    labelling.queue()
    found = CrowdReader(services).read()
    assert found.enough == {glad, sad}
    labelling.pool.learn()
    assert labelling.queue().enough == found.enough
    coming = {one.clip for one in labelling.queue().coming("ada", 4)}
    assert coming == {torn, fresh}
    assert labelling.progress(ADA).remaining == 2
    write_annotator_settings(services.store.folder, None, 0.0, by="ada")
    assert labelling.queue().enough == frozenset()
    assert labelling.progress(ADA).remaining == 4


def test_ratings_rest_while_somebody_labels_and_are_anew_when_they_are_asked_for(
    services: Services,
) -> None:
    labelling = LabelSession(services, np.random.default_rng(0))
    labelling.queue()
    clip = sorted(labelling.pool.sources)[0]
    reader = CrowdReader(services)
    first = reader.read()
    assert reader.read() is first, "nothing changed"
    labelled_by(services, clip, ben="joy", cy="joy")
    reader._held.spent = 1e6  # as if there were very many clips
    assert reader.keep_up() is first
    fresh = reader.read()
    assert fresh is not first
    assert fresh.total == 4
    labelled_by(services, clip, di="joy")
    reader._held.spent = 0.0
    assert reader.keep_up() is not fresh
    with reader._held.lock:
        labelled_by(services, clip, di="anger")
        assert CrowdReader(services).keep_up() is reader._held.crowd, "somebody computes already"


def test_settings_are_read_while_somebody_holds_the_store(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, begun = SettingsReader(services), threading.Event()

    def read(given: Services) -> Any:
        begun.set()
        return read_settings(given)

    monkeypatch.setattr("ui.annotation_settings.read_settings", read)
    other = threading.Thread(target=reader.read, daemon=True)
    with services.store.exclusive():
        other.start()
        assert begun.wait(90)
        assert reader.read().problems == (), "neither waits for what the other holds"
    other.join(90)
    assert not other.is_alive()

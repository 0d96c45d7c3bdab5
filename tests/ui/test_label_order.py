"""What the order knows: opinions without a button, listening ahead, honesty about training."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from label_store.people import write_people
from ser_core.audio import load, to_wav_bytes
from ui import label_parts
from ui.corpus_catalogue import Source
from ui.identity import Annotator
from ui.label_ahead import Ahead
from ui.label_clip import Shelf, make_ready
from ui.label_desk import Desk
from ui.label_opinions import Heard, Opinions, listen
from ui.label_pool import Known, Names
from ui.services import AppSettings, Services

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
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
    desk = Desk(services, np.random.default_rng(0))
    clip = desk.open(ADA, "s", blind=False)
    assert clip is not None
    heard = Opinions(services).get(clip.sha)
    assert heard is not None
    said = clip.ready.prediction
    assert said is not None
    assert heard.probabilities == pytest.approx(said["probabilities"], abs=1e-5)
    assert heard.information is not None
    desk.pool.learn()
    assert desk.pool.known().judged >= 1
    assert "The model has heard" in label_parts.known(desk.pool.known(), listening=True)


def test_what_was_heard_once_is_not_asked_again_after_a_start(services: Services) -> None:
    sha, source = next(iter(sources(services).items()))
    for _ in range(2):
        assert source.path is not None
        listen(services, sha, source.path)
    lines = Opinions(services).path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1
    other = Services(services.settings)
    assert sha in Opinions(other).all()
    assert Opinions(other, "another-model").all() == {}


def test_a_torn_line_is_passed_over(services: Services) -> None:
    kept = Opinions(services)
    kept.add({"a": Heard({"joy": 1.0}, 0.5)})
    with kept.path.open("a", encoding="utf-8") as file:
        file.write("{torn\n")
    kept.add({"b": Heard({})})
    assert kept.all() == {"a": Heard({"joy": 1.0}, 0.5), "b": Heard({})}


def test_a_cache_that_cannot_be_written_stops_nobody(services: Services) -> None:
    (services.home / "cache").rmdir() if (services.home / "cache").is_dir() else None
    (services.home / "cache").write_text("", encoding="utf-8")
    Opinions(services).add({"a": Heard({"joy": 1.0})})
    assert not Opinions(services).path.parent.is_dir()


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
    ahead = Ahead(services, lambda: clips, quiet=0.0, wait=waits)
    ahead.work()
    assert set(Opinions(services).all()) == set(clips)
    assert all(heard.information is not None for heard in Opinions(services).all().values())
    assert waits.spent[-1] == 30.0


def test_it_rests_while_somebody_waits_and_stops_at_its_bound(services: Services) -> None:
    clips = sources(services)
    services.serving  # noqa: B018 - somebody asks
    waits = Waits(3)
    Ahead(services, lambda: clips, quiet=60.0, wait=waits).work()
    assert Opinions(services).count() == 0
    assert waits.spent[1:] == [60.0] * 3
    services._asked = -1e9
    Ahead(services, lambda: clips, quiet=0.0, most=2, wait=Waits(50)).work()
    assert Opinions(services).count() == 2
    assert services.quiet_seconds() > 1e6, "its own questions do not count as somebody's"


def test_it_goes_on_where_it_stopped(services: Services) -> None:
    clips = sources(services)
    done = next(iter(clips))
    Opinions(services).add({done: Heard({"joy": 1.0}, 0.1)})
    Ahead(services, lambda: clips, quiet=0.0, most=3, wait=Waits(50)).work()
    assert Opinions(services).get(done) == Heard({"joy": 1.0}, 0.1)
    assert Opinions(services).count() == 4


def test_a_clip_that_cannot_be_heard_is_passed_over(services: Services) -> None:
    clips = sources(services)
    first = next(iter(clips.values()))
    assert first.path is not None
    first.path.unlink()
    ahead = Ahead(services, lambda: clips, quiet=0.0, wait=Waits(8))
    ahead.work()
    assert Opinions(services).count() == 3


def test_it_starts_stops_and_starts_again(services: Services) -> None:
    gate = threading.Event()
    ahead = Ahead(services, dict, quiet=0.0, wait=lambda seconds: gate.wait(30))
    assert not ahead.running
    ahead.start()
    ahead.start()
    assert ahead.running
    ahead.stop()
    assert not ahead.running
    gate.set()
    ahead.start()
    ahead.stop()


def test_inside_a_space_nobody_listens_ahead(services: Services) -> None:
    services.identity = replace(services.identity, space=True)
    assert not Desk(services, np.random.default_rng(0)).listens


def told(desk: Desk, probabilities: dict[str, float]) -> None:
    found = {sha: Heard(probabilities, 0.1) for sha in desk.pool.sources}
    Opinions(desk.services).add(found)


def test_speakers_of_the_training_are_never_called_suspected_errors(services: Services) -> None:
    desk = Desk(services, np.random.default_rng(0))
    desk.queue()
    sides = {sha: one.side for sha, one in desk.pool.sources.items()}
    assert sorted(sides.values()).count("train") == 2
    told(desk, {"anger": 0.05, "joy": 0.05, "neutral": 0.05, "sadness": 0.85})
    desk.choose_by("label-error")
    known = desk.pool.known()
    assert (known.judged, known.total, known.in_training) == (4, 4, 2)
    fair = {one.clip for one in desk.queue().candidates if one.fair}
    assert {sides[sha] for sha in fair} <= {"validation", "test"}
    assert known.suspected == 2
    reasons = {}
    while (clip := desk.advance(ADA, "s", blind=False)) is not None:
        reasons[clip.sha] = clip.why
        desk.services.store.append(_label(clip.sha))
    assert len(reasons) == 4
    assert all(why != "label-error" for sha, why in reasons.items() if sha not in fair)
    text = label_parts.known(known, listening=False)
    assert "never called suspected errors" in text
    assert "2 are of speakers" in text


def _label(sha: str) -> Any:
    from label_store.event import LabelEvent

    return LabelEvent(action="label", annotator="ada", session="s", clip=sha, emotion="joy")


def test_every_order_that_is_offered_is_known(services: Services) -> None:
    desk = Desk(services, np.random.default_rng(0))
    desk.queue()
    told(desk, {"anger": 0.4, "joy": 0.3, "neutral": 0.2, "sadness": 0.1})
    for _, strategy in label_parts.STRATEGIES:
        desk.choose_by(strategy)
        assert desk.advance(ADA, strategy, blind=False) is not None
        desk.leave(strategy)
    assert "bald" in dict(label_parts.STRATEGIES).values()


def test_a_closed_page_takes_no_clip_from_others(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    late: list[Callable[[], None]] = []

    class Late:
        def __init__(self, target: Callable[[], None], daemon: bool) -> None:
            self.start = lambda: late.append(target)

    desk = Desk(services, np.random.default_rng(0))
    desk.queue()
    monkeypatch.setattr("ui.label_desk.threading", SimpleNamespace(Thread=Late))
    assert desk.advance(ADA, "s", blind=False) is not None
    assert len(desk.queue().leases.active()) == 1
    desk.leave("s")
    late.pop()()
    assert desk.queue().leases.active() == []
    assert desk.advance(ADA, "t", blind=False) is not None
    late.pop()()
    assert len(desk.queue().leases.active()) == 2


def test_the_line_says_what_the_order_does_not_know() -> None:
    text = label_parts.known(Known("entropy", 312, 1240, 0), listening=True)
    assert "<b>312</b> of 1,240 clips" in text
    assert "goes on while nobody waits" in text
    assert "training" not in text
    assert label_parts.known(Known("entropy", 0, 0, 0), listening=True) == ""


def test_gold_follows_its_file_and_the_share_that_was_set(services: Services) -> None:
    desk = Desk(services, np.random.default_rng(0))
    desk.queue()
    folder = services.store.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "gold.csv").write_text("Filename,Emotion\n03a01Fa.wav,joy\nno.wav,joy\n", "utf-8")
    write_people(folder, None, 0.5, by="ada")
    queue = desk.queue()
    (sha,) = queue.gold
    assert desk.pool.sources[sha].name == "wav/03a01Fa.wav"
    assert queue.settings.gold_share == 0.5
    assert len(desk.pool.problems) == 1
    assert "no.wav" in desk.pool.problems[0]
    assert Names(services).hash_of("03a01Fa.wav", "elsewhere") == ""


def test_a_damaged_file_of_people_stops_no_labelling(services: Services) -> None:
    folder = services.store.folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "people.json").write_text("{", encoding="utf-8")
    (folder / "gold.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    desk = Desk(services, np.random.default_rng(0))
    assert desk.open(ADA, "s", blind=False) is not None
    assert len(desk.pool.problems) == 2


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
    assert Shelf(services).get(sha, source).prediction == ready.prediction

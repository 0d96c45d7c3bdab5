"""From corrections to a champion, or to an honest no, on small real models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from label_store.event import LabelEvent
from label_store.store import LabelStore
from ser_core import audio, checkpoint
from ser_core.champion import models_folder, read_pointer
from ser_core.recognizer import Recognizer
from ser_core.splits import TABLES
from trainer import run, versions
from trainer.errors import DataError, DivergedError, LockedError
from trainer.fit import fit
from trainer.lock import only_one
from trainer.loop import Progress
from trainer.prepare import prepare
from trainer.run import Labels, run_once
from trainer.settings import Settings

_MADE: dict[Path, Path] = {}


def speakers(side: str) -> list[str]:
    return [speaker for speaker, held in sorted(TABLES["cremad"].items()) if held == side]


@pytest.fixture
def tuning(tiny_settings: Settings) -> Settings:
    return dataclasses.replace(
        tiny_settings, epochs=8, learning_rate=0.05, augment=(), feature_augment=(), batch_size=6
    )


@pytest.fixture
def shipped(tiny_corpora: Path, tuning: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that learned from labels of which joy and sadness were swapped; made once."""
    if tiny_corpora in _MADE:
        return _MADE[tiny_corpora]
    work = tmp_path_factory.mktemp("shipped")
    prepared = prepare(tuning, work / "cache")
    swap = {"joy": "sadness", "sadness": "joy"}
    sides = dict(prepared.sides)
    for side in ("train", "validation"):
        sides[side] = [
            dataclasses.replace(
                item,
                target=tuple(
                    float(emotion == swap.get(item.clip.emotion, item.clip.emotion))
                    for emotion in prepared.emotions
                ),
            )
            for item in prepared.sides[side]
        ]
    swapped = dataclasses.replace(prepared, sides=sides)
    made = fit(
        tuning, work / "default", work / "run", work / "cache", prepared=swapped, progress=quiet()
    )
    _MADE[tiny_corpora] = made.folder
    return made.folder


def quiet() -> Progress:
    return Progress(log=lambda line: None)


def label(store: LabelStore, data: bytes, name: str, annotator: str, emotion: str) -> None:
    clip = store.keep_clip(data, ".wav")
    store.append(
        LabelEvent(action="label", annotator=annotator, clip=clip, file_name=name, emotion=emotion)
    )


def label_everything(home: Path, corpora: Path, annotator: str, emotion: str) -> None:
    store = LabelStore(home)
    for file in sorted(corpora.rglob("*.wav")):
        label(store, file.read_bytes(), file.name, annotator, emotion)


def test_a_fine_tune_on_better_labels_is_promoted(
    tuning: Settings, tiny_corpora: Path, shipped: Path, tmp_path: Path
) -> None:
    outcome = run_once(tmp_path, shipped, tuning, progress=quiet())
    assert outcome.decision is not None
    assert outcome.decision.promote, outcome.message
    figures = outcome.decision.figures
    assert figures["challenger_uar"] > figures["champion_uar"] + 0.3
    pointer = read_pointer(tmp_path)
    assert pointer is not None
    assert pointer["version"] == outcome.version
    served = Recognizer(models_folder(tmp_path) / outcome.version)
    assert served.metrics["uar"] == pytest.approx(figures["challenger_uar"])
    assert "license: cc-by-nc-sa-4.0" in served.card
    assert f"{figures['challenger_uar']:.3f}" in served.card

    again = run_once(tmp_path, shipped, tuning, progress=quiet())
    assert again.version == ""
    assert "nothing is new" in again.message


def test_labels_of_a_stranger_train_nothing(
    tuning: Settings, tiny_corpora: Path, shipped: Path, tmp_path: Path
) -> None:
    label_everything(tmp_path, tiny_corpora, "mallory", "anger")
    outcome = run_once(tmp_path, shipped, tuning, labels=Labels(frozenset({"ada"})), min_new=1)
    assert outcome.version == ""
    assert outcome.message.startswith("0 new labels")


def test_a_worse_challenger_is_not_promoted(
    tuning: Settings, tiny_corpora: Path, shipped: Path, tmp_path: Path
) -> None:
    good = run_once(tmp_path, shipped, tuning, progress=quiet())
    label_everything(tmp_path, tiny_corpora, "ada", "anger")
    outcome = run_once(tmp_path, shipped, tuning, progress=quiet())
    assert outcome.decision is not None
    assert not outcome.decision.promote
    assert outcome.version in {version.name for version in versions.versions(tmp_path)}
    pointer = read_pointer(tmp_path)
    assert pointer is not None
    assert pointer["version"] == good.version


def test_a_second_run_is_refused_while_one_is_at_work(
    tuning: Settings, shipped: Path, tmp_path: Path
) -> None:
    with only_one(tmp_path, "a test"), pytest.raises(LockedError, match="a test"):
        run_once(tmp_path, shipped, tuning, progress=quiet())


def test_without_corpora_the_champion_stays_and_nothing_is_written(
    tuning: Settings, shipped: Path, tmp_path: Path
) -> None:
    settings = dataclasses.replace(tuning, corpora=str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="no folder of corpora"):
        run_once(tmp_path, shipped, settings, progress=quiet())
    assert read_pointer(tmp_path) is None
    assert versions.versions(tmp_path) == []


def test_a_loss_that_is_no_number_leaves_no_version(
    tuning: Settings, shipped: Path, tmp_path: Path
) -> None:
    held = checkpoint.load(shipped)
    for value in held.model.backbone.parameters():
        value.data.mul_(1e18)
    broken = checkpoint.save(
        tmp_path / "broken", held.model, held.specification, held.calibration, {}, held.card
    )
    with pytest.raises(DivergedError, match="lower the learning rate"):
        run_once(tmp_path, broken, tuning, progress=quiet())
    assert versions.versions(tmp_path) == []
    assert read_pointer(tmp_path) is None


def test_new_clips_join_on_the_side_that_their_speaker_is_on(
    tuning: Settings, shipped: Path, speech: ModuleType, tmp_path: Path
) -> None:
    rng = np.random.default_rng(9)
    lines: list[str] = []
    store = LabelStore(tmp_path)
    for side in ("train", "test"):
        data = audio.to_wav_bytes(speech.tone(420.0, 0.6, rng), 16_000)
        label(store, data, f"{speakers(side)[0]}_WSI_ANG_XX.wav", "ada", "anger")
    run_once(tmp_path, shipped, tuning, progress=Progress(log=lines.append))
    (line,) = [line for line in lines if line.startswith("corrections:")]
    assert "1 new test clips" in line
    assert "1 new train clips" in line


def test_a_fine_tune_hears_its_clips_as_the_champion_does(
    tuning: Settings, shipped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = checkpoint.load(shipped)
    words = dataclasses.replace(held.specification, trim_silence=True)
    trimming = checkpoint.save(
        tmp_path / "trimming", held.model, words, held.calibration, {}, held.card
    )
    seen: list[Settings] = []

    def look(settings: Settings, *args: object, **kwargs: object) -> None:
        seen.append(settings)
        raise DataError("seen")

    for champion in (shipped, trimming):
        with monkeypatch.context() as patch:
            patch.setattr("trainer.run.prepare", look)
            with pytest.raises(DataError, match="seen"):
                run_once(tmp_path, champion, tuning, progress=quiet())
    assert [settings.trim_silence for settings in seen] == [False, True]


def test_test_clips_are_judged_with_their_silent_ends(
    tuning: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ser_core.vad.trimmed", lambda samples, rate: samples[:, :4000])
    prepared = prepare(dataclasses.replace(tuning, trim_silence=True), tmp_path / "cache")
    item = prepared.sides["test"][0]
    assert prepared.decoded.samples(item.digest).shape == (1, 4000)
    clips, load = run.test_clips(prepared)
    assert load(clips[0]).shape == (1, 9600)


def test_labels_of_test_speakers_clips_never_reach_training_or_the_ruler(
    tuning: Settings, shipped: Path, tiny_corpora: Path, tmp_path: Path
) -> None:
    from label_store.consensus import consensus
    from trainer.corrections import join

    label_everything(tmp_path, tiny_corpora, "ada", "anger")
    store = LabelStore(tmp_path)
    prepared = prepare(tuning, tmp_path / "cache")
    joined = join(prepared, consensus(store).labels, weight=3.0, session=lambda clip: clip)
    assert joined.prepared.sides["test"] == prepared.sides["test"]
    assert joined.left_out == {"a test speaker's corpus clip": len(prepared.sides["test"])}
    tests = {item.digest for item in prepared.sides["test"]}
    assert not tests & {item.digest for item in joined.prepared.sides["train"]}
    assert {item.clip.emotion for item in joined.prepared.sides["train"]} == {"anger"}

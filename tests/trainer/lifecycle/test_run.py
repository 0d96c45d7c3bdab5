"""From corrections to a champion, or to an honest no, on small real models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from label_store.event import LabelEvent
from label_store.store import LabelStore
from ser_core import audio
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.champion import read_pointer
from ser_core.corpora.clip import Clip
from ser_core.corpora.committed_sides import TABLES
from ser_core.home import Home
from ser_core.inference.recognizer import Recognizer
from trainer.data.labelled_clips import CORPUS, side_of_label
from trainer.data.prepare import prepare
from trainer.errors import DataError, DivergedError, LockedError
from trainer.lifecycle import versions
from trainer.lifecycle.lock import only_one
from trainer.lifecycle.run import Labels, run_once
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit

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


def quiet() -> Callbacks:
    return Callbacks(log=lambda line: None)


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
    served = Recognizer(Home(tmp_path).models / outcome.version)
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


def test_without_a_corpus_the_labels_alone_are_learned_from(
    tuning: Settings, tiny_corpora: Path, shipped: Path, tmp_path: Path
) -> None:
    from ser_core.corpora import read_all

    store = LabelStore(tmp_path)
    settings = dataclasses.replace(tuning, corpora=str(tmp_path / "corpora"), epochs=2)
    clips = [clip for reading in read_all(tiny_corpora) for clip in reading.clips]
    for number, clip in enumerate(clips):
        if number == 10:
            with pytest.raises(DataError, match="10 of 10 labels can train; 30 are needed"):
                run_once(tmp_path, shipped, settings, progress=quiet())
        name = f"mine-{number}.wav"
        label(store, clip.path.read_bytes(), name, "ada", clip.emotion)
    lines: list[str] = []
    outcome = run_once(tmp_path, shipped, settings, progress=Callbacks(log=lines.append))
    assert outcome.decision is not None
    assert any(f"learns from {len(clips)} labels alone" in line for line in lines)


def test_labels_that_do_not_train_are_counted_by_reason(
    tuning: Settings, tiny_corpora: Path, shipped: Path, tmp_path: Path
) -> None:
    store = LabelStore(tmp_path)
    file = next(p for p in sorted(tiny_corpora.rglob("*.wav")) if p.name[:4] in speakers("train"))
    other = tiny_corpora.rglob("*.wav")
    held = next(p for p in sorted(other) if p.name[:4] in speakers("test"))
    label(store, file.read_bytes(), file.name, "ada", "anger")
    label(store, file.read_bytes(), file.name, "bob", "joy")
    label(store, held.read_bytes(), held.name, "ada", "anger")
    label(store, b"RIFF not a sound", "broken.wav", "ada", "joy")
    lines: list[str] = []
    settings = dataclasses.replace(tuning, epochs=1)
    outcome = run_once(
        tmp_path, shipped, settings, force=True, progress=Callbacks(log=lines.append)
    )
    (told,) = [line for line in lines if line.startswith("corrections:")]
    assert "3 labels do not train" in told
    for reason in ("1 (the annotators differ", "1 (a clip of a test speaker", "1 (broken audio)"):
        assert reason in told
    assert told in outcome.message


def test_an_emotion_that_the_champion_lacks_is_learned_from_enough_labels(
    tuning: Settings, tiny_corpora: Path, shipped: Path, tmp_path: Path
) -> None:
    assert "boredom" not in Recognizer(shipped).emotions
    store = LabelStore(tmp_path)
    for number, file in enumerate(sorted(tiny_corpora.rglob("*.wav"))[:12]):
        samples = audio.load(file.read_bytes(), sample_rate=16_000).samples[:, ::-1]
        clip = store.keep_clip(audio.to_wav_bytes(samples.copy(), 16_000), ".wav")
        store.append(
            LabelEvent(
                action="label",
                annotator="ada",
                clip=clip,
                session=f"s{number % 3}",
                file_name=f"mine-{number}.wav",
                emotion="boredom",
            )
        )
    lines: list[str] = []
    settings = dataclasses.replace(tuning, epochs=2)
    outcome = run_once(tmp_path, shipped, settings, progress=Callbacks(log=lines.append))
    assert any("12 labels of boredom by 3" in line for line in lines)
    assert "doesn't know boredom" not in outcome.message
    made = checkpoint.load(Home(tmp_path).version(outcome.version))
    assert "boredom" in made.specification.emotions
    assert made.specification.parent == checkpoint.load(shipped).specification.version
    bias = made.model.backbone.classifier.bias
    assert bias is not None
    assert float(bias[made.specification.emotions.index("boredom")]) > -15


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
    run_once(tmp_path, shipped, tuning, progress=Callbacks(log=lines.append))
    (line,) = [line for line in lines if line.startswith("corrections:")]
    assert "1 new train clip" in line
    assert "1 (a clip of a test speaker" in line


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
            patch.setattr("trainer.lifecycle.run.prepare", look)
            with pytest.raises(DataError, match="seen"):
                run_once(tmp_path, champion, tuning, progress=quiet())
    assert [settings.trim_silence for settings in seen] == [False, True]


def test_labels_of_test_speakers_clips_never_reach_training_or_the_ruler(
    tuning: Settings, shipped: Path, tiny_corpora: Path, tmp_path: Path
) -> None:
    from label_store.consensus import consensus
    from trainer.data.corrections import join
    from trainer.data.labelled_clips import TEST_SPEAKER

    label_everything(tmp_path, tiny_corpora, "ada", "anger")
    store = LabelStore(tmp_path)
    prepared = prepare(tuning, tmp_path / "cache")
    joined = join(prepared, consensus(store), weight=3.0, session=lambda clip: clip)
    assert joined.prepared.sides["test"] == prepared.sides["test"]
    assert joined.left_out == {TEST_SPEAKER: len(prepared.sides["test"])}
    tests = {item.digest for item in prepared.sides["test"]}
    assert not tests & {item.digest for item in joined.prepared.sides["train"]}
    assert {item.clip.emotion for item in joined.prepared.sides["train"]} == {"anger"}


def test_new_labels_refit_the_head_and_what_they_taught_is_measured(
    tuning: Settings, shipped: Path, tmp_path: Path, speech: ModuleType
) -> None:
    """The shipped model swaps joy and sadness; three sessions of new clips say better."""
    import soundfile

    store, rng = LabelStore(tmp_path), np.random.default_rng(8)
    sessions = [name for name in map(str, range(40)) if side_of_session(name) == "train"][:3]
    names = {"ANG": "anger", "SAD": "sadness", "HAP": "joy"}
    for session in sessions:
        for number in range(4):
            for code, emotion in names.items():
                file = tmp_path / f"new{session}{number}{code}.wav"
                soundfile.write(file, speech.tone(speech.EMOTIONS[code], 0.6, rng), 16_000)
                store.append(
                    LabelEvent(
                        action="label",
                        annotator="ada",
                        clip=store.keep_clip(file.read_bytes(), ".wav"),
                        file_name=file.name,
                        emotion=emotion,
                        session=session,
                    )
                )
    settings = dataclasses.replace(
        tuning, depth="head", epoch_clips=240, batch_size=24, correction_share=0.5
    )
    lines: list[str] = []
    outcome = run_once(tmp_path, shipped, settings, progress=Callbacks(log=lines.append))
    assert outcome.decision is not None
    figures = outcome.decision.figures
    assert figures["gain_clips"] == 36
    assert figures["gain"] > 0.2
    assert outcome.decision.promote, outcome.message
    assert "new labels that were held out (speakers)" in outcome.message
    old, new = (
        checkpoint.load(one).model for one in (shipped, Home(tmp_path).version(outcome.version))
    )
    assert all(
        torch.equal(value, new.state_dict()[name])
        for name, value in old.state_dict().items()
        if not name.startswith("backbone.classifier")
    )


def side_of_session(session: str) -> str:
    return side_of_label(Clip(Path("x.wav"), CORPUS, "x", "joy", family=CORPUS), session)

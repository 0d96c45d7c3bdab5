"""Out-of-fold predictions: nobody is predicted by a model that had them; wrong labels are found."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from label_store.annotators import write_annotator_settings
from label_store.event import LabelEvent
from label_store.out_of_fold import FILE, read_predictions
from label_store.store import LabelStore
from ser_core.corpora import read_all
from ser_core.corpora.committed_sides import TABLES
from trainer.__main__ import main
from trainer.data.corrections import Counted, new_labels
from trainer.errors import SettingsError
from trainer.experiments import out_of_fold
from trainer.experiments.out_of_fold import OutOfFoldRun, run_out_of_fold
from trainer.presets import preset
from trainer.settings import Settings

SPEAKERS = sorted(TABLES["cremad"])[:6]
FLIPPED = "_IEO_ANG_XX.wav"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory, speech: ModuleType) -> Path:
    """Six speakers; one file that is named for anger sounds like joy."""
    root: Path = speech.write_cremad(tmp_path_factory.mktemp("flipped"), SPEAKERS)
    folder = root / "cremad" / "AudioWAV"
    right = folder / f"{SPEAKERS[0]}_ITH_HAP_XX.wav"
    right.rename(folder / f"{SPEAKERS[0]}{FLIPPED}")
    return root


@pytest.fixture
def settings(corpora: Path) -> Settings:
    return preset("statistics").with_values(
        {"corpora": str(corpora), "folds": 3, "epochs": 25, "seconds": 0.6, "workers": 0,
         "threads": 1, "batch_size": 8, "learning_rate": 0.01, "device": "cpu",
         "precision": "fp32"}
    )  # fmt: skip


@pytest.fixture(scope="module")
def done(
    tmp_path_factory: pytest.TempPathFactory, corpora: Path
) -> tuple[OutOfFoldRun, list[dict[str, Any]], Path]:
    """One whole run, and who was on which side of each model."""
    home = tmp_path_factory.mktemp("home")
    settings = preset("statistics").with_values(
        {"corpora": str(corpora), "folds": 3, "epochs": 25, "seconds": 0.6, "workers": 0,
         "threads": 1, "batch_size": 8, "learning_rate": 0.01, "device": "cpu",
         "precision": "fp32"}
    )  # fmt: skip
    seen: list[dict[str, Any]] = []
    real = out_of_fold.fit

    def watched(*args: Any, **words: Any) -> Any:
        seen.append(words["prepared"].sides)
        return real(*args, **words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(out_of_fold, "fit", watched)
        judged = run_out_of_fold(home, settings, clock=lambda: 1e9)
    return judged, seen, home


def test_no_speaker_is_judged_by_a_model_that_heard_them(done: Any, corpora: Path) -> None:
    judged, seen, home = done
    assert len(seen) == 3
    speaker = {
        digest(clip.path): clip.person
        for reading in read_all(corpora, None)
        for clip in reading.clips
    }
    found = read_predictions(home / FILE)
    assert set(found.clips) == set(speaker), "every clip is judged"
    assert found.folds == judged.predictions.folds
    for clip, said in found.clips.items():
        sides = seen[said.fold]
        heard = {item.clip.person for side in ("train", "validation") for item in sides[side]}
        assert speaker[clip] not in heard
        assert sum(said.probabilities.values()) == pytest.approx(1, abs=1e-4)


def test_the_file_says_how_it_was_made(done: Any) -> None:
    judged, _, home = done
    head = json.loads((home / FILE).read_text(encoding="utf-8").splitlines()[0])
    assert head["settings"]["frontend"] == "descriptors"
    assert head["settings"]["scheme"] == "kfold"
    assert head["created"].startswith("2001-09-09")
    assert head["data_hash"]
    assert head["label_revision"] == 0
    assert [fold["speakers"] for fold in head["folds"]] == [2, 2, 2]
    assert all(fold["uar"] > 0.6 for fold in head["folds"])
    assert "UAR of the folds" in judged.sentence()
    assert not list((home / "cache" / "opinions").glob("*/*/weights.safetensors"))


def test_a_flipped_label_comes_out_suspected(done: Any, corpora: Path) -> None:
    judged, _, _ = done
    flipped = digest(corpora / "cremad" / "AudioWAV" / f"{SPEAKERS[0]}{FLIPPED}")
    shares = judged.predictions.clips[flipped].probabilities
    assert max(shares, key=lambda name: shares[name]) == "joy"
    assert 1 <= judged.errors <= 6
    anger = {
        clip: 1 - said.probabilities["anger"] for clip, said in judged.predictions.clips.items()
    }
    named = [digest(p) for p in (corpora / "cremad" / "AudioWAV").glob("*_ANG_*")]
    assert max(named, key=lambda clip: anger[clip]) == flipped


def test_a_run_that_was_killed_goes_on_with_its_fold(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = dataclasses.replace(settings, epochs=1)
    real, trained = out_of_fold.fit, []

    def dies(*args: Any, **words: Any) -> Any:
        if len(trained) == 1:
            raise KeyboardInterrupt
        trained.append(args[0].fold)
        return real(*args, **words)

    monkeypatch.setattr(out_of_fold, "fit", dies)
    with pytest.raises(KeyboardInterrupt):
        run_out_of_fold(tmp_path, settings)
    assert not (tmp_path / FILE).exists()

    def counts(*args: Any, **words: Any) -> Any:
        trained.append(args[0].fold)
        return real(*args, **words)

    monkeypatch.setattr(out_of_fold, "fit", counts)
    first = run_out_of_fold(tmp_path, settings)
    assert trained == [0, 1, 2]
    assert run_out_of_fold(tmp_path, settings).predictions.clips == first.predictions.clips
    assert trained == [0, 1, 2], "nothing changed, so nothing is trained again"


def test_a_correction_is_learned_and_judged_as_the_label(
    tmp_path: Path, settings: Settings, corpora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = LabelStore(tmp_path)
    path = corpora / "cremad" / "AudioWAV" / f"{SPEAKERS[0]}{FLIPPED}"
    sha = store.keep_clip(path.read_bytes(), ".wav")
    label(store, sha, "ada", "joy")
    sides: list[dict[str, Any]] = []
    real = out_of_fold.fit

    def watched(*args: Any, **words: Any) -> Any:
        sides.append(words["prepared"].sides)
        return real(*args, **words)

    monkeypatch.setattr(out_of_fold, "fit", watched)
    run_out_of_fold(tmp_path, dataclasses.replace(settings, epochs=1))
    held = [(side, i) for one in sides for side, items in one.items() for i in items]
    ours = [(side, item) for side, item in held if item.digest == sha]
    assert {item.clip.emotion for _, item in ours} == {"joy"}
    assert [item.weight for side, item in ours if side == "train"] == [settings.correction_weight]
    assert read_predictions(tmp_path / FILE).label_revision == 1


def test_a_model_that_has_heard_everybody_is_refused(tmp_path: Path, settings: Settings) -> None:
    with pytest.raises(SettingsError, match="may have had"):
        run_out_of_fold(tmp_path, dataclasses.replace(settings, start="models/default"))


def test_the_verb_refuses_another_division(
    tmp_path: Path, corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["out-of-fold", "--home", str(tmp_path), "--corpora", str(corpora)]
    assert main([*words, "--scheme", "random"]) == 1
    assert "kfold" in capsys.readouterr().err
    assert main([*words, "--folds", "2"]) == 1
    assert "3 or more folds" in capsys.readouterr().err


def test_the_verb_prints_what_was_found_and_where_to_look(
    tmp_path: Path, corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["opinions", "--home", str(tmp_path), "--corpora", str(corpora), "--folds", "3"]
    assert main([*words, "--epochs", "1", "--seconds", "0.6", "--workers", "0"]) == 0
    text = capsys.readouterr().out
    assert "cleanlab takes" in text
    assert "python app.py" in text
    assert (tmp_path / FILE).is_file()


# ---------------------------------------------------------------- what counts as a new label


def label(store: LabelStore, sha: str, who: str, emotion: str) -> None:
    store.append(
        LabelEvent(action="label", annotator=who, session=who, clip=sha, emotion=emotion,
                   file_name=f"{sha[:6]}.wav", corpus="cremad")
    )  # fmt: skip


def test_a_change_of_whom_the_trainer_trusts_counts_by_the_labels_it_changes(
    tmp_path: Path,
) -> None:
    store = LabelStore(tmp_path)
    clips = [store.keep_clip(f"clip {n}".encode(), ".wav") for n in range(3)]
    label(store, clips[0], "ada", "joy")
    label(store, clips[1], "ada", "joy")
    label(store, clips[1], "ben", "joy")
    label(store, clips[2], "ben", "fear")
    since = 4
    last = Counted.of(store, None, 1)
    assert new_labels(store, since, before=last) == 0
    write_annotator_settings(store.folder, ["ada"], 0.05, by="ada")
    assert new_labels(store, since) == 0, "trusted alike before and after, nothing differs"
    assert new_labels(store, since, before=last) == 1, "ben's own label trains no more"
    write_annotator_settings(store.folder, ["ben"], 0.05, by="ada")
    assert new_labels(store, since, before=last) == 1, "ada's own label trains no more"
    write_annotator_settings(store.folder, None, 0.05, by="ada")
    assert new_labels(store, since, before=Counted(frozenset({"ada"}))) == 1
    assert Counted.from_json(json.loads(json.dumps(last.to_json()))) == last
    assert Counted.from_json(None) is None

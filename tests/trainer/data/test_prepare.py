"""What a split leaves out is named, and a quick try has clips of every emotion."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

from ser_core.corpora.committed_sides import TABLES
from trainer.data.prepare import prepare, require_sides
from trainer.errors import DataError, SettingsError
from trainer.settings import Settings
from trainer.settings_file import read_toml, to_toml
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit


def test_a_quick_try_draws_from_every_emotion(tiny_settings: Settings, tmp_path: Path) -> None:
    whole = prepare(tiny_settings, tmp_path / "cache")
    few = dataclasses.replace(tiny_settings, max_clips=len(whole.emotions))
    taken = prepare(few, tmp_path / "cache").sides["train"]
    assert Counter(item.label for item in taken) == dict.fromkeys(range(len(whole.emotions)), 1)
    again = prepare(few, tmp_path / "cache").sides["train"]
    assert [item.digest for item in again] == [item.digest for item in taken]
    fewer = dataclasses.replace(few, max_clips=few.max_clips - 1)
    with pytest.raises(DataError, match="of which each needs one at least"):
        prepare(fewer, tmp_path / "cache")


def test_an_emotion_that_only_others_have_is_named(tiny_settings: Settings, tmp_path: Path) -> None:
    settings = dataclasses.replace(tiny_settings, emotions=("anger", "joy"))
    notes = prepare(settings, tmp_path / "cache").notes
    left = [note for note in notes if note.startswith("sadness: ")]
    assert len(left) == 1
    assert "clips left out, the model doesn't have it" in left[0]


def test_clips_of_unknown_speakers_and_what_was_left_out_are_said_before_the_refusal(
    tiny_settings: Settings, tiny_corpora: Path, tmp_path: Path
) -> None:
    sounds = sorted(tiny_corpora.rglob("*.wav"))
    folder = tmp_path / "corpora" / "mine"
    folder.mkdir(parents=True)
    (folder / "a.wav").write_bytes(sounds[0].read_bytes())
    (folder / "labels.csv").write_text("Filename,Emotion\na.wav,joy\ngone.wav,joy\n")
    settings = dataclasses.replace(tiny_settings, corpora=str(tmp_path / "corpora"))
    lines: list[str] = []
    with pytest.raises(DataError, match="1 clip of speakers who are not known"):
        fit(
            settings, tmp_path / "m", tmp_path / "r", tmp_path / "cache",
            progress=Callbacks(log=lines.append),
        )  # fmt: skip
    assert any("gone.wav" in line for line in lines)


def test_too_few_speakers_say_how_many_and_what_helps(
    tiny_settings: Settings, speech: ModuleType, tmp_path: Path
) -> None:
    trained = [speaker for speaker, side in sorted(TABLES["cremad"].items()) if side == "train"]
    root = speech.write_cremad(tmp_path / "corpora", trained[:2])
    settings = dataclasses.replace(tiny_settings, corpora=str(root))
    prepared = prepare(settings, tmp_path / "cache")
    with pytest.raises(DataError, match="of 2 speakers .*3 or more are needed.*--scheme random"):
        require_sides(prepared, "fixed")
    root = speech.write_cremad(tmp_path / "more", trained[:4])
    settings = dataclasses.replace(tiny_settings, corpora=str(root))
    prepared = prepare(settings, tmp_path / "cache")
    with pytest.raises(DataError, match="of 4 speakers .*--scheme kfold --folds 4"):
        require_sides(prepared, "fixed")


def test_background_noise_needs_a_folder_and_trains_with_one(
    tiny_settings: Settings, tiny_corpora: Path, tmp_path: Path
) -> None:
    recipe = [{"name": "background_noise", "snr": [5, 15]}]
    with pytest.raises(SettingsError, match="--noises FOLDER"):
        tiny_settings.with_values({"augment": recipe})
    values = {"augment": recipe, "noises": str(tiny_corpora), "epochs": 1}
    noisy = tiny_settings.with_values(values)
    made = fit(
        noisy,
        tmp_path / "m",
        tmp_path / "run",
        tmp_path / "cache",
        progress=Callbacks(lambda line: None),
    )
    assert made.history[0]["train_loss"] > 0


def test_settings_survive_the_way_through_toml(tiny_settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "best.toml"
    path.write_text(to_toml(tiny_settings))
    assert Settings().with_values(read_toml(path)) == tiny_settings

"""Heads are fitted again on kept states: without a speaker, or with corrections beside them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from benchmarks.studies.correction_curve import curve, table
from benchmarks.studies.learners import AsShipped, Heads, Recipes
from benchmarks.studies.published_splits import Study, read_list, with_rows
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.checkpoint import Checkpoint
from ser_core.corpora import read
from ser_core.corpora.committed_sides import TABLES
from trainer.__main__ import main
from trainer.data.batches import examples
from trainer.data.prepare import Prepared, prepare
from trainer.errors import DataError, SettingsError
from trainer.experiments.out_of_fold_head import out_of_fold_predictions
from trainer.presets import preset
from trainer.settings import Settings
from trainer.training.callbacks import Callbacks
from trainer.training.fit import fit

WHISPER: dict[str, Any] = {
    "model_type": "whisper",
    "d_model": 16,
    "encoder_layers": 1,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 24,
    "num_mel_bins": 20,
    "max_source_positions": 50,
}


@dataclasses.dataclass(frozen=True)
class Made:
    """A small encoder model with two heads, its clips, and where everything is."""

    home: Path
    held: Checkpoint
    prepared: Prepared
    settings: Settings


@pytest.fixture(scope="module")
def made(speech: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Made:
    sides = TABLES["cremad"]
    names = {s: [n for n, held in sorted(sides.items()) if held == s] for s in sides.values()}
    root = tmp_path_factory.mktemp("corpora")
    speech.write_cremad(root, names["train"][:8] + names["validation"][:2] + names["test"][:2])
    speech.write_emodb(root, ["03", "08", "09"])
    home = tmp_path_factory.mktemp("home")
    settings = dataclasses.replace(
        Settings(),
        corpora=str(root),
        names=("cremad",),
        frontend="encoder",
        frontend_preset="",
        frontend_parameters={"config": WHISPER, "stack": True},
        backbone="layer_pooling",
        backbone_parameters={"sizes": [8], "dropout": 0.0},
        normalisation="none",
        seconds=0.6,
        depth="head",
        heads=2,
        optimizer="adamw",
        epochs=3,
        batch_size=8,
        precision="fp32",
        threads=1,
        workers=0,
    )
    prepared = prepare(settings, home / "cache" / "decoded")
    quiet = Callbacks(log=lambda line: None)
    folder = home / "models" / "one"
    fit(
        settings,
        folder,
        home / "run",
        home / "cache" / "decoded",
        prepared=prepared,
        progress=quiet,
    )
    return Made(home, checkpoint.load(folder), prepared, settings)


def test_every_speaker_but_the_test_ones_is_met_for_the_first_time(made: Made) -> None:
    said: list[str] = []
    found = out_of_fold_predictions(made.held, made.prepared, Callbacks(log=said.append), folds=2)
    sides = made.prepared.sides
    met = {item.clip.person for side in ("train", "validation") for item in sides[side]}
    assert set(found.outcomes.speaker) == met
    assert len(found.outcomes) == len(sides["train"]) + len(sides["validation"])
    assert found.logits is not None
    assert np.isfinite(found.logits).all()
    assert said == ["speaker fold 1 of 2", "speaker fold 2 of 2"]


def test_a_model_whose_front_learned_is_not_calibrated_so(made: Made) -> None:
    metrics = made.held.metrics | {"settings": made.held.metrics["settings"] | {"depth": "all"}}
    metrics["settings"] |= {"heads": 1}
    deep = dataclasses.replace(made.held, metrics=metrics)
    with pytest.raises(SettingsError, match="learned from these speakers too"):
        out_of_fold_predictions(deep, made.prepared, Callbacks())
    with pytest.raises(SettingsError, match="doesn't say by which settings"):
        out_of_fold_predictions(
            dataclasses.replace(made.held, metrics={}), made.prepared, Callbacks()
        )


def test_the_command_writes_the_calibration(
    made: Made,
    capsys: pytest.CaptureFixture[str],
    read_calibration: Callable[[Path], dict[str, Any]],
) -> None:
    folder = made.home / "models" / "one"
    before = read_calibration(folder)
    words = ["evaluate", "one", "--home", str(made.home), "--corpora", made.settings.corpora]
    assert main([*words, "--threads", "1", "--calibrate", "out-of-fold", "--write"]) == 0
    after = read_calibration(folder)
    assert after != before
    assert after["temperature"] > 0
    assert "speaker fold 4 of 4" in capsys.readouterr().err


@pytest.fixture
def read_calibration() -> Callable[[Path], dict[str, Any]]:
    def read_it(folder: Path) -> dict[str, Any]:
        values: dict[str, Any] = json.loads((folder / checkpoint.CALIBRATION).read_text())
        return values

    return read_it


def test_a_curve_begins_with_the_model_itself_and_ends_with_all_labels(made: Made) -> None:
    clips = read(Path(made.settings.corpora) / "emodb", "emodb").clips
    digests, _ = made.prepared.decoded.prepare(clips)
    strangers = examples(clips, digests, made.held.specification.emotions)
    settings = dataclasses.replace(
        preset("fine-tune"), corpora=made.settings.corpora, epochs=1, epoch_clips=64, batch_size=16
    )
    points = curve(made.held, made.prepared, strangers, settings, (0, 4, 100))
    assert [(p.speaker, p.labels) for p in points[:3]] == [("03", 0), ("03", 4), ("03", 12)]
    assert len(points) == 9
    assert len({p.old for p in points if p.labels == 0}) == 1
    shown = table(points, "emodb", "small")
    assert [row[0] for row in shown.rows] == ["0", "4", "12"]
    assert shown.rows[0][-1] == "+0.000"
    mean = np.mean([p.heard for p in points if p.labels == 12])
    assert shown.rows[2][1] == f"{mean:.3f}"


def test_a_published_list_is_followed_and_who_is_not_here_is_counted(
    made: Made, tmp_path: Path
) -> None:
    people = sorted({i.clip.speaker for side in made.prepared.sides.values() for i in side})
    rows = [(name, "train") for name in (*people[:6], "9999")]
    rows += [(people[6], "valid"), (people[7], "test"), (people[8], "test")]
    file = tmp_path / "list.csv"
    file.write_text("speaker_id,split\n" + "".join(f"{n},{side}\n" for n, side in rows))
    decoded = made.prepared.decoded
    study = Study(Heads(made.held, decoded), Path(made.settings.corpora), decoded)
    name, accuracy, uar, tested, who = study.by_list("cremad", read_list(file))
    assert (name, tested) == ("cremad, published list", "18")
    assert who == "6 of 7 train, 1 of 1 validation, 2 of 2 test"
    assert 0 <= float(uar) <= 1
    assert 0 <= float(accuracy) <= 1
    folded = study.by_folds("cremad", 3)
    assert (folded[3], folded[4]) == (str(9 * len(people)), f"{len(people)} in turn")
    with pytest.raises(DataError, match="speakers here of each side"):
        study.by_list("cremad", {people[0]: "train", "9999": "test"})
    file.write_text("speaker_id,split\n1001,train\n1001,test\n")
    with pytest.raises(DataError, match="1001 is on two sides"):
        read_list(file)
    file.write_text("name,side\n1001,train\n")
    with pytest.raises(DataError, match="expected the columns"):
        read_list(file)


HEAD = """
preset = "encoder"
frontend_preset = ""
frontend_parameters = { config = CONFIG, stack = true }
normalisation = "none"
seconds = 0.6
epochs = 1
epoch_clips = 32
batch_size = 8
precision = "fp32"
threads = 1
workers = 0
[backbone_parameters]
sizes = [8]
"""


def test_recipes_train_a_model_for_each_part_once_and_go_on_where_they_were(
    made: Made, tmp_path: Path
) -> None:
    config = ", ".join(f"{name} = {json.dumps(value)}" for name, value in WHISPER.items())
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    first.write_text(HEAD.replace("CONFIG", "{" + config + "}"))
    second.write_text(first.read_text().replace("epochs = 1", 'epochs = 1\ndepth = "last"'))
    said: list[str] = []
    decoded = made.prepared.decoded
    learner = Recipes([first, second], tmp_path, encoder="", epoch_clips=16, log=said.append)
    study = Study(learner, Path(made.settings.corpora), decoded)
    row = study.by_folds("emodb", 3)
    assert (row[0], row[4]) == ("emodb, 3 folds", "3 in turn")
    assert learner.name == "first.toml, then second.toml"
    assert "1 epochs of 16 clips" in learner.about
    folders = sorted((tmp_path / "cache" / "published").iterdir())
    assert len(folders) == 3
    people = {item.clip.speaker for item in study.items("emodb")[0]}
    assert len(people) == 3
    tuned = checkpoint.load(folders[0] / "1")
    assert tuned.specification.parent == "0"
    assert set(tuned.specification.emotions) == set(study.items("emodb")[1])
    said.clear()
    assert study.by_folds("emodb", 3) == row, "nothing is trained twice"
    assert said == []

    file = tmp_path / "table.json"
    other = AsShipped(made.held)
    for one, accuracy in ((other, "0.1"), (learner, "0.2"), (other, "0.3")):
        table = with_rows(file, one, [("emodb, 3 folds", accuracy, "0.5", "9", "3 in turn")])
        file.write_text(table.to_json())
    assert [(name, value) for name, _, value, *_ in table.rows] == [
        (learner.name, "0.2"),
        (other.name, "0.3"),
    ]
    assert table.notes[:2] == (learner.about, other.about)


def test_a_model_as_shipped_is_asked_about_strangers_alone(made: Made, tmp_path: Path) -> None:
    decoded = made.prepared.decoded
    study = Study(AsShipped(made.held), Path(made.settings.corpora), decoded)
    here = {i.clip.speaker for side in made.prepared.sides.values() for i in side}
    strangers = {name for name in here if TABLES["cremad"][name] == "test"}
    name, _, _, tested, who = study.by_folds("cremad", 5)
    assert (name, who) == ("cremad, test speakers", f"{len(strangers)} of {len(here)} test")
    assert tested == str(9 * len(strangers))
    sides = dict.fromkeys(sorted(here)[:-2], "test") | dict(
        zip(sorted(here)[-2:], ("train", "validation"), strict=True)
    )
    met = strangers & {speaker for speaker, side in sides.items() if side == "test"}
    assert study.by_list("cremad", sides)[4] == f"{len(met)} of {len(here) - 2} test"

"""One command makes the whole report, the card and the figures; another a table of backbones."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import ModuleType

import pytest

from benchmarks.studies import ablations
from ser_core.checkpoints import checkpoint
from ser_core.corpora.committed_sides import TABLES
from trainer.__main__ import main
from trainer.cli.compare import recipe
from trainer.errors import DataError, SettingsError
from trainer.reporting import tables
from trainer.settings import Settings
from trainer.training.budget import Pace

Captured = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def corpora(speech: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little of CREMA-D and of EMO-DB."""
    root: Path = tmp_path_factory.mktemp("corpora")
    for family, write in (("cremad", speech.write_cremad), ("emodb", speech.write_emodb)):
        sides = TABLES[family]
        by_side = {s: [n for n, held in sorted(sides.items()) if held == s] for s in sides.values()}
        chosen = by_side["train"][:3] + by_side["validation"][:1] + by_side["test"][:3]
        write(root, chosen)
    return root


def test_one_command_makes_the_whole_report(
    flags: list[str], corpora: Path, tmp_path: Path, capsys: Captured
) -> None:
    words = [*flags, "--home", str(tmp_path), "--corpora", str(corpora), "--augment", ""]
    trained = [*words, "--names", "cremad", "--epochs", "1", "--average", "0"]
    assert main(["fit", *trained, "--version", "one"]) == 0
    folder = tmp_path / "models" / "one"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    shown = tables.ReportTable("Backbones", ("model", "UAR"), (("cnn", "0.5"),), ("A note.",))
    (tmp_path / "table.json").write_text(shown.to_json())
    (tmp_path / "tried.md").write_text("Mixup was tried.")
    file = {ending: tmp_path / f"report.{ending}" for ending in ("json", "csv", "html")}
    forms = [word for ending, path in file.items() for word in (f"--{ending}", str(path))]
    more = ["--complete", "--sounds", "1", "--condition-clips", "6"]
    more += ["--unseen-clips", "9"]
    more += ["--tables", str(tmp_path / "table.json"), "--remarks", str(tmp_path / "tried.md")]
    capsys.readouterr()
    assert main(["evaluate", "one", *words, *more, *forms]) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert "predicting" in capsys.readouterr().err

    # the corpora of the headline are those that the checkpoint was trained on
    report = json.loads(file["json"].read_text())
    assert set(report["evaluation"]["by_corpus"]) == {"cremad"}
    assert set(report["unseen_corpora"]["by_corpus"]) == {"emodb"}
    assert report["unseen_corpora"]["overall"]["clips"] == 9
    assert [c["name"] for c in report["conditions"]][:2] == ["clean", "telephone band"]
    assert len(report["conditions"]) == 7
    assert report["non_speech"][-1]["sounds"] == 12
    rows = list(csv.DictReader(file["csv"].open()))
    scopes = {row["scope"] for row in rows}
    assert {"corpus", "unseen corpus", "condition", "not speech", "Backbones"} <= scopes
    assert any(row["metric"] == "macro_f1" and row["low"] for row in rows)
    page = file["html"].read_text()
    for text in ("Unseen corpora", "Under other conditions", "Mixup was tried", "A note."):
        assert text in page

    # the same again is remembered, and with --write it goes into the checkpoint
    assert main(["evaluate", "one", *words, *more, "--write"]) == 0
    assert "predicting" not in capsys.readouterr().err
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"metrics.json", "README.md"}
    assert set(after) == set(before)
    metrics = json.loads(after["metrics.json"])
    assert metrics["settings"]["names"] == ["cremad"]
    held = report["evaluation"]["by_corpus"]["cremad"]["restricted"]["uar"]
    assert metrics["by_corpus"]["cremad"]["uar"] == held
    assert "emodb" in metrics["by_corpus"]
    card = after["README.md"].decode()
    for text in (
        f"{held:.3f}",
        "### Sounds that nobody speaks",
        "## What was tried",
        "| cnn |",
        "### Confusion",
    ):
        assert text in card


def test_a_corpus_that_was_trained_on_is_not_an_unseen_one(
    flags: list[str], corpora: Path, tmp_path: Path, capsys: Captured
) -> None:
    words = [*flags, "--home", str(tmp_path), "--corpora", str(corpora), "--epochs", "0"]
    assert main(["fit", *words, "--names", "cremad", "--version", "one", "--average", "0"]) == 0
    assert main(["evaluate", "one", *words, "--never-heard", "cremad"]) == 1
    assert "cremad: trained on" in capsys.readouterr().err


@pytest.mark.slow
def test_backbones_under_one_budget_are_kept_row_by_row(
    flags: list[str],
    corpora: Path,
    tmp_path: Path,
    capsys: Captured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # How fast this machine is today must not decide how long the test's models are trained.
    monkeypatch.setattr("trainer.experiments.study.measure_pace", lambda *_: Pace(20.0, 0.1))
    words = [*flags, "--home", str(tmp_path), "--corpora", str(corpora), "--minutes", "0.02"]
    words += ["--names", "cremad,emodb", "--epochs", "1", "--json", str(tmp_path / "table.json")]
    both = ["--backbones", "cnn,gru,mlp", "--random-split", "cnn", "--leave-one-out-of", "cnn"]
    assert main(["compare", *words, *both, "--test"]) == 0
    said = capsys.readouterr()
    assert said.err.count("training,") == 6
    found = tables.read(tmp_path / "table.json")
    assert [row[0] for row in found.rows] == [
        "cnn",
        "cnn, random split (leaks)",
        "bigru",
        "mlp",
        "cnn without cremad",
        "cnn without emodb",
    ]
    assert [row[1] for row in found.rows][1] == "random"
    assert main(["compare", *words, *both, "--test"]) == 0
    assert "training," not in capsys.readouterr().err
    assert tables.read(tmp_path / "table.json") == found


def test_each_backbone_gets_the_recipe_as_far_as_it_applies() -> None:
    settings = Settings(
        backbone_parameters={"dropout": 0.3}, mixup=0.2, names=("cremad",), seed=7, epochs=3
    )
    assert recipe(settings, "resnet50") == settings
    plain = recipe(settings, "cnn")
    assert (plain.backbone, plain.backbone_parameters, plain.mixup) == ("cnn", {}, 0.2)
    assert recipe(settings, "bigru").optimizer == "adamw"
    perceptron = recipe(settings, "mlp")
    assert (perceptron.frontend, perceptron.names, perceptron.seed) == (
        "descriptors",
        ("cremad",),
        7,
    )
    with pytest.raises(SettingsError, match="no backbone"):
        recipe(settings, "transformer")


def test_every_ablation_changes_the_recipe_and_can_be_trained() -> None:
    from trainer.presets import preset
    from trainer.settings_file import read_toml

    file = read_toml(ablations.ROOT / "models" / "default.toml")
    settings = preset(file.pop("preset")).with_values(file)
    rows = ablations.changes(settings)
    assert len(rows) > 10
    for name, delta in rows.items():
        assert (settings.with_values(delta) == settings) == (name == ablations.BASE), name


@pytest.mark.parametrize(
    ("model", "recipe"), [("default", "default_taught_again"), ("encoder", "encoder_fourth")]
)
def test_the_recipe_of_a_shipped_model_is_in_its_figures(model: str, recipe: str) -> None:
    from trainer.presets import preset
    from trainer.settings_file import read_toml

    file = read_toml(ablations.ROOT / "models" / f"{recipe}.toml")
    settings = preset(file.pop("preset")).with_values(file, recipe)
    shipped = checkpoint.load(ablations.ROOT / "models" / model)
    assert settings.backbone == shipped.specification.backbone
    assert settings.half_weights
    last = shipped.metrics["settings"]
    changed = {k for k, v in settings.to_json().items() if k in last and last[k] != v}
    assert changed <= {"start", "corpora"}
    assert last["start"] == shipped.specification.parent


@pytest.mark.parametrize(
    ("name", "backbone"),
    [
        ("default", "resnet50"),
        ("default_second", "resnet50"),
        ("default_taught", "resnet50"),
        ("encoder", "layer_pooling"),
        ("encoder_second", "layer_pooling"),
        ("encoder_third", "layer_pooling"),
    ],
)
def test_the_recipes_before_it_are_settings(name: str, backbone: str) -> None:
    from trainer.presets import preset
    from trainer.settings_file import read_toml

    file = read_toml(ablations.ROOT / "models" / f"{name}.toml")
    settings = preset(file.pop("preset")).with_values(file, name)
    assert (settings.backbone, settings.half_weights) == (backbone, True)


@pytest.mark.slow
def test_an_ablation_is_trained_and_told(corpora: Path, tmp_path: Path, capsys: Captured) -> None:
    config = tmp_path / "tiny.toml"
    config.write_text(
        'preset = "default"\nseconds = 0.6\ncrop_seconds = [0.3, 0.6]\nworkers = 0\nthreads = 1\n'
        "batch_size = 8\nmixup = 0.2\n[frontend_parameters]\nn_mels = 32\nhop_length = 512\n"
    )
    words = ["--config", str(config), "--corpora", str(corpora), "--home", str(tmp_path / "home")]
    words += ["--epochs", "1", "--epoch-clips", "16", "--out", str(tmp_path), "--threads", "1"]
    rows = ["--rows", ablations.BASE, "no mixup"]
    assert ablations.main([*words, *rows, "--recipe-seeds", "2"]) == 0
    found = tables.read(tmp_path / "ablations.json")
    assert [row[0] for row in found.rows] == [ablations.BASE, "no mixup"]
    assert found.rows[1][2][0] in "+-"
    assert found.rows[0][3]
    assert not found.rows[1][3]
    assert "the recipe with 2 seeds, the rest with 1 seed" in found.notes[0]
    assert "no mixup" in (tmp_path / "ablations.md").read_text()
    assert ablations.main([]) == 0
    assert "no SpecAugment" in capsys.readouterr().out


def test_a_table_survives_json_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    table = tables.ReportTable("t", ("a", "b"), (("1", "2"), ("3", "")), ("n",))
    (tmp_path / "t.json").write_text(table.to_json())
    assert tables.read(tmp_path / "t.json") == table
    assert table.to_csv() == "a,b\n1,2\n3,\n"
    assert table.to_text().splitlines()[0] == "t"
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(DataError, match=r"bad\.json"):
        tables.read(tmp_path / "bad.json")
    with pytest.raises(DataError, match="1 cells for 2"):
        tables.ReportTable("t", ("a", "b"), (("1",),))

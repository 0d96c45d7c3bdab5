"""Settings: read from presets, TOML and flags; refused in a sentence that says what is expected."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from trainer.__main__ import main
from trainer.cli.flags import add_settings, help_of, read_text
from trainer.cli.parser import build_parser
from trainer.errors import SettingsError
from trainer.presets import SETTINGS_PRESETS, preset, with_encoder
from trainer.settings import Settings, spec, specs
from trainer.settings_file import read_toml


def test_every_setting_has_a_group_and_one_line_of_help() -> None:
    for one in specs():
        assert one.group, one.name
        assert 5 < len(one.help) < 90, one.name
        assert "\n" not in one.help
        assert one.kind in (str, int, float, bool, dict, tuple), one.name


def test_every_number_has_a_range_that_its_default_lies_in() -> None:
    for one in specs():
        if one.kind in (int, float):
            assert one.low is not None, one.name
            assert one.high is not None, one.name
            assert one.low <= one.default <= one.high, one.name
            for bad in (one.low - 1, one.high + 1):
                with pytest.raises(SettingsError, match=one.name):
                    Settings().with_values({one.name: one.kind(bad)})


def test_what_is_not_a_number_is_in_no_range() -> None:
    with pytest.raises(SettingsError, match="learning_rate is nan"):
        Settings().with_values({"learning_rate": float("nan")})


@pytest.mark.parametrize("name", SETTINGS_PRESETS)
def test_a_preset_survives_the_way_through_json(name: str) -> None:
    settings = preset(name)
    assert Settings().with_values(settings.to_json()) == settings


def test_former_names_are_read() -> None:
    settings = Settings().with_values({"blend": True, "votes": 0.5, "augment": "seed"})
    assert settings.weight_interpolation
    assert settings.soft_labels == 0.5
    assert settings.augment == Settings().with_values({"augment": "baseline"}).augment
    assert preset("seed") == preset("baseline")
    assert Settings().with_values({"frontend_preset": "seed"}).frontend_arguments() == (
        preset("baseline").frontend_arguments()
    )


def test_an_old_toml_file_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('preset = "seed"\nepochs = 3\nvotes = 0.25\nblend = false\n')
    values = read_toml(path)
    settings = preset(values.pop("preset")).with_values(values, str(path))
    assert (settings.epochs, settings.soft_labels, settings.early_stop) == (3, 0.25, 4)
    assert main(["fit", "--home", str(tmp_path), "--config", str(path)]) == 1
    # It gets as far as the corpora, which are not there.
    assert str(tmp_path / "corpora") in capsys.readouterr().err


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"epochs": True}, "epochs is True; it must be a whole number from 0 to 10000"),
        ({"epochs": 2.5}, "epochs is 2.5; it must be a whole number"),
        ({"learning_rate": "fast"}, "learning_rate is “fast”; it must be a number from"),
        ({"optimizer": "adamax"}, "one of sgd, adam, adamw. Did you mean “adam"),
        ({"names": "emodb"}, "names is “emodb”; it must be a list of names"),
        ({"crop_seconds": ["a", "b"]}, "must be a list of numbers"),
        ({"trim_silence": "maybe"}, "must be true or false"),
        ({"frontend_parameters": 3}, "must be a table of parameters"),
        ({"emotions": ["joy", "hunger"]}, "hunger"),
        ({"augment": "street"}, "no recipe “street”"),
        ({"epochs": -1, "momentum": 2}, "momentum is 2.*epochs is -1|epochs is -1.*momentum is 2"),
    ],
)
def test_a_refusal_names_the_setting_the_value_and_what_is_expected(
    values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence) as caught:
        Settings().with_values(values, "mine.toml")
    assert str(caught.value).startswith("mine.toml: ")


def test_a_copy_is_checked_too() -> None:
    with pytest.raises(SettingsError, match="batch_size"):
        dataclasses.replace(Settings(), batch_size=0)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "7", 7),
        ("learning_rate", "1e-3", 1e-3),
        ("trim_silence", "no", False),
        ("names", "cremad, emodb", ("cremad", "emodb")),
        ("crop_seconds", "1.25,2.75", (1.25, 2.75)),
        ("crop_seconds", "", ()),
        ("backbone_parameters", '{"dropout": 0.3}', {"dropout": 0.3}),
        ("augment", "train", "train"),
        ("augment", '[{"name": "gain"}]', [{"name": "gain"}]),
        ("epochs", "many", "many"),
    ],
)
def test_flags_are_read_in_the_type_of_their_setting(name: str, text: str, value: object) -> None:
    assert read_text(name, text) == value


def test_help_shows_type_range_default_and_sentence() -> None:
    shown = build_parser("data", "models/default", "fit").parse_args
    with pytest.raises(SystemExit):
        shown(["fit", "--help"])
    assert help_of(spec("epochs")) == "rounds over the training clips (0 to 10000; default 20)"
    assert help_of(spec("schedule")) == "learning rate after the warm-up (default cosine)"


def test_a_verbs_help_shows_the_defaults_of_its_preset(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        build_parser("data", "models/default", "fit").parse_args(["fit", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "recipe on waveforms: its name, or a list of steps (default train)" in text
    assert "--schedule {cosine,constant}" in text
    assert "VALUE" not in text


def test_a_former_flag_works_and_is_not_shown() -> None:
    import argparse

    parser = argparse.ArgumentParser()
    add_settings(parser)
    assert parser.parse_args(["--blend", "yes"]).weight_interpolation == "yes"
    assert "--blend" not in parser.format_help()


def test_an_encoder_is_named_in_a_word() -> None:
    parser = build_parser("", "", "fit")
    assert parser.parse_args(["fit", "--encoder", "openai/whisper-base"]).encoder
    over = with_encoder(preset("encoder"), "a/folder")
    assert over.frontend_arguments() == {"source": "a/folder", "keep_layers": 3, "stack": True}
    assert with_encoder(preset("default"), "x").frontend_arguments() == {"source": "x"}


def test_the_settings_of_the_shipped_models_are_read(repository: Path) -> None:
    read = {}
    for path in sorted((repository / "models").glob("*.toml")):
        values = read_toml(path)
        read[path.stem] = preset(values.pop("preset")).with_values(values, path.name)
    assert {"default", "default_taught", "encoder"} <= set(read)
    encoder, taught = read["encoder"], read["default_taught"]
    assert (encoder.depth, encoder.copies, encoder.heads) == ("head", 1, 3)
    assert not encoder.crop_seconds
    assert (taught.teacher, taught.unlabelled) == (("encoder",), ("indowave",))

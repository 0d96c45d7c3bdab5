"""Visitors choose between the studio's own model and the shipped ones; each is loaded once."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ser_core.checkpoints.champion import write_pointer
from ser_core.errors import CheckpointError
from ui import model_choice
from ui.api import predicted
from ui.identity import Identity
from ui.services import AppSettings, Services


def renamed(source: Path, target: Path, name: str) -> Path:
    """Copy a checkpoint under another name and version."""
    shutil.copytree(source, target)
    file = target / "specification.json"
    words = json.loads(file.read_text()) | {"name": name, "version": f"{name}-1"}
    file.write_text(json.dumps(words))
    return target


@pytest.fixture
def settings(tmp_path: Path, small_model: Path) -> AppSettings:
    shipped = tmp_path / "models"
    for name in ("default", "encoder"):
        renamed(small_model, shipped / name, name)
    return AppSettings(home=tmp_path / "home", model=shipped / "default", shipped=shipped)


def test_a_visitor_s_model_answers_and_is_loaded_once_for_all(
    settings: AppSettings, clip: Path
) -> None:
    services = Services(settings, Identity())
    assert [(one.key, one.version) for one in services.models.offered()] == [
        ("", "default-1"),
        ("encoder", "encoder-1"),
    ]
    assert predicted(services, str(clip))["model"]["version"] == "default-1"
    assert predicted(services, str(clip), "encoder")["model"]["version"] == "encoder-1"
    assert services.recognizer("encoder") is services.recognizer("encoder")
    # What serves anyway is not loaded a second time under its name.
    assert services.recognizer("default") is services.recognizer() is services.serving.recognizer


def test_an_unknown_model_gets_a_sentence_that_names_the_others(settings: AppSettings) -> None:
    services = Services(settings, Identity())
    for wrong in ("../default", "champion", str(settings.model)):
        with pytest.raises(CheckpointError, match=r"no model .* here. Choose default, encoder, or"):
            services.recognizer(wrong)


def test_a_promoted_model_is_the_studio_s_own_beside_the_shipped(
    settings: AppSettings, small_model: Path
) -> None:
    services = Services(settings, Identity())
    before = services.recognizer()
    renamed(small_model, settings.home / "models" / "new-1", "new")
    write_pointer(settings.home, "new-1", reason="a test")
    assert [(one.key, one.version) for one in services.models.offered()] == [
        ("", "new-1"),
        ("default", "default-1"),
        ("encoder", "encoder-1"),
    ]
    assert services.recognizer("champion") is services.recognizer() is not before
    assert services.recognizer("default").version == "default-1"
    pinned = Services(replace(settings, model=settings.shipped / "encoder", pinned=True))
    assert [one.key for one in pinned.models.offered()] == ["", "default"]
    assert pinned.recognizer().version == "encoder-1"


def test_the_masthead_names_the_models_and_drops_a_choice_that_is_gone(
    settings: AppSettings,
) -> None:
    services = Services(settings, Identity())
    line = model_choice.model_line(services, "encoder")
    assert '<option value="">default default-1</option>' in line
    assert '<option value="encoder" selected>encoder encoder-1</option>' in line
    assert model_choice.standing(services, "encoder") == "encoder"
    shutil.rmtree(settings.shipped / "encoder")
    assert model_choice.standing(services, "encoder") == ""
    assert "encoder" not in model_choice.model_line(services, "encoder")

"""The line that says where labels are, and what /health answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from label_store import LabelEvent, LabelStore
from label_store.sync import Status, SyncSettings
from ui.identity import Identity
from ui.keeping import health, keeping_line, status_line
from ui.services import AppSettings, Services

STATUS = Status("hf://datasets/ada/labels", saved=1200, waiting=0, kept_through=1200)


@dataclass
class Request:
    """As much of a gr.Request as tells who asks."""

    headers: dict = field(default_factory=lambda: {"host": "127.0.0.1:7860"})
    session: dict = field(default_factory=dict)


def services(home: Path, place: str = "", **identity) -> Services:
    return Services(AppSettings(home=home, sync=SyncSettings(place)), Identity(**identity))


def label(home: Path) -> None:
    event = LabelEvent(action="label", annotator="ada", clip="0" * 64, emotion="joy")
    LabelStore(home).append(event)


def test_the_two_states_and_what_is_still_to_go() -> None:
    kept = status_line(STATUS)
    assert "Saved here: 1,200" in kept
    assert "Kept at hf://datasets/ada/labels: 1,200" in kept
    going = status_line(replace(STATUS, waiting=3))
    assert "Kept at hf://datasets/ada/labels: 1,197" in going
    assert "3 still to go" in going
    late = status_line(replace(STATUS, waiting=3, error="no route <b>", retry_in=42.4))
    assert "no route &lt;b&gt; 3 still to go." in late
    assert "Next try in 42 s" in late
    assert "damaged" in status_line(replace(STATUS, damaged=("labels/x.csv",)))


def test_who_may_not_label_is_told_nothing(tmp_path: Path) -> None:
    shown = services(tmp_path, str(tmp_path / "copy"))
    assert "Saved here: 0" in keeping_line(shown, Request())
    assert keeping_line(shown, Request(headers={"host": "example.org"})) == ""


def test_a_space_without_a_place_tells_its_owner_that_labels_will_be_lost(tmp_path: Path) -> None:
    space = services(tmp_path, space=True, owner="ada")
    owner = Request(session={"oauth_info": {"userinfo": {"preferred_username": "ada"}}})
    line = keeping_line(space, owner)
    assert "lost when this Space restarts" in line
    assert "SER_SYNC" in line
    assert "HF_TOKEN" in line
    assert keeping_line(space, Request()) == ""
    assert keeping_line(services(tmp_path), Request()) == ""  # at home the disk stays


def test_health_says_model_store_and_lag(tmp_path: Path) -> None:
    label(tmp_path / "home")
    found = services(tmp_path / "home", str(tmp_path / "copy"))
    answer, status = health(found)
    assert status == 200
    assert answer["model"]["name"]
    assert answer["store"] == {"writable": True}
    assert answer["sync"] == {"waiting": 1, "lag_seconds": 0.0, "reached": True}
    found.syncer.start()
    assert found.syncer.wait_folded_in(20)
    assert health(found)[0]["sync"]["waiting"] == 0
    assert found.syncer.stop()
    assert health(services(tmp_path / "other"))[0]["sync"] is None


def test_health_of_a_store_that_cannot_be_written_is_503(tmp_path: Path) -> None:
    (tmp_path / "labels").write_text("a file where the folder should be")
    answer, status = health(services(tmp_path))
    assert status == 503
    assert answer["store"] == {"writable": False}
    assert answer["ok"] is False


@pytest.mark.parametrize("state", ["kept", "going", "late"])
def test_the_line_is_announced(state: str) -> None:
    status = {
        "kept": STATUS,
        "going": replace(STATUS, waiting=1),
        "late": replace(STATUS, error="down"),
    }[state]
    assert f'class="keeping {state}" role="status"' in status_line(status)

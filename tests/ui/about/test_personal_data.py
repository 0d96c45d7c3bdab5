"""What is said of personal data, and that it goes when its owner asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from label_store import LabelEvent
from label_store.errors import StoreError
from label_store.sync import Replica
from label_store.sync.folder import FolderPlace
from label_store.sync.settings import SyncSettings
from ui.about.personal_data import delete_mine, delete_old, what_is_kept
from ui.errors import PageError
from ui.identity import Annotator, Identity
from ui.services import AppSettings, Services

ADA = Annotator("ada", may_write=True, may_suggest=True)
GUEST = Annotator("guest", may_suggest=True, reason="Suggestions wait.")
VISITOR = Annotator("visitor", may_suggest=True, reason="Sign in to label.")
NOBODY = Annotator("", reason="Sign in first. Only those known write.")


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return Services(AppSettings(home=tmp_path / "home"), Identity(host="0.0.0.0"))


def label(
    services: Services, who: str, data: bytes, action: str = "label", corpus: str = ""
) -> str:
    sha = services.store.keep_clip(data, ".wav")
    services.store.append(
        LabelEvent(action=action, annotator=who, clip=sha, session="s-" + who, corpus=corpus,
                   file_name=f"clip-{len(data)}.wav", emotion="joy", note=f"note of {who}")
    )  # fmt: skip
    return sha


def files(folder: Path) -> bytes:
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return b"".join(path.name.encode() + path.read_bytes() for path in found)


def test_what_somebody_labelled_goes_here_and_elsewhere_and_the_emotion_stays(
    services: Services, tmp_path: Path
) -> None:
    hers, shared = label(services, "guest", b"her voice", "suggest"), b"a corpus clip"
    of_corpus = label(services, "guest", shared, "suggest", corpus="emodb")
    others = label(services, "ada", b"his voice")
    replica = Replica(services.store, FolderPlace(tmp_path / "copy"), clips=True)
    replica.round()
    assert b"her voice" in files(tmp_path / "copy")
    text = delete_mine(services, GUEST, " guest ")
    assert "2 events" in text
    assert "1 recording was deleted" in text
    replica.round()
    for folder in (services.home, tmp_path / "copy"):
        left = files(folder)
        for word in (b"guest", b"her voice", b"s-guest"):
            assert word not in left, (folder, word)
        assert shared in left
        assert b"his voice" in left
    assert services.store.clip(hers).suggestions[0].emotion == "joy"
    assert services.store.clip_path(of_corpus) is not None
    assert services.store.clip(others).whole() == {"ada": "joy"}


def test_nothing_goes_by_accident_or_for_somebody_else(services: Services) -> None:
    label(services, "ada", b"a voice")
    label(services, "visitor", b"another voice", "suggest")
    before = files(services.home)
    for who, typed, words in (
        (ADA, "", "Type your name"),
        (ADA, "guest", "Type your name"),
        (VISITOR, "visitor", "Sign in first"),
        (NOBODY, "", "Sign in first"),
    ):
        with pytest.raises(PageError, match=words):
            delete_mine(services, who, typed)
    with pytest.raises(StoreError, match="guest"):
        delete_mine(services, GUEST, "guest")
    assert files(services.home) == before


def test_recordings_are_kept_as_long_as_the_settings_say(services: Services) -> None:
    label(services, "ada", b"a voice")
    assert delete_old(services) == ""
    services.settings = replace(services.settings, keep_days=1.0)
    assert delete_old(services) == ""
    services.settings = replace(services.settings, keep_days=0.0)
    assert "1 recording" in delete_old(services)
    assert b"a voice" not in files(services.home)


def test_about_says_what_is_kept_where_and_for_how_long(services: Services) -> None:
    assert "sent nowhere else" in what_is_kept(services)
    assert "until somebody deletes them" in what_is_kept(services)
    sync = SyncSettings("hf://datasets/ada/labels")
    services.settings = replace(services.settings, sync=sync, keep_days=30.0)
    text = what_is_kept(services)
    assert "Labels, not the recordings, are also kept at `hf://datasets/ada/labels`" in text
    assert "for 30 days is deleted" in text

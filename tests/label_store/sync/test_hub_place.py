"""A data set on the Hub as a place, through the real client over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from label_store import LabelEvent, LabelStore, SyncError
from label_store.forget import forget_annotator
from label_store.sync import Replica
from label_store.sync.hub import HubPlace
from label_store.sync.open import open_place
from tests.fake_hub import FakeHub, Repository, fake_hub


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as running:
        yield running


def place(hub: FakeHub, token: str = "hf_test") -> HubPlace:
    return HubPlace("ada/labels", token=token, endpoint=hub.address)


def label(store: LabelStore, data: bytes, emotion: str, annotator: str = "ada") -> None:
    clip = store.keep_clip(data, ".wav")
    store.append(LabelEvent(action="label", annotator=annotator, clip=clip, emotion=emotion))


def test_a_space_and_a_laptop_meet_in_a_private_data_set(hub: FakeHub, tmp_path: Path) -> None:
    stores = [LabelStore(tmp_path / name) for name in "ab"]
    sides = [Replica(store, place(hub), clips=True) for store in stores]
    label(stores[0], b"one", "joy")
    label(stores[1], b"two", "fear")
    for side in sides * 2:
        side.round()
    assert stores[0].events() == stores[1].events()
    assert len(stores[0].events()) == 2
    assert set(stores[0].clips.paths()) == set(stores[1].clips.paths())
    repository = hub.repositories["datasets/ada/labels"]
    assert repository.private
    assert len([name for name in repository.files if name.startswith("labels/events-shard-")]) == 2


def test_what_is_new_goes_in_one_commit(hub: FakeHub, tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    for n in range(5):
        label(store, bytes([n]), "joy")
    Replica(store, place(hub), clips=True).round()
    assert hub.repositories["datasets/ada/labels"].commits == ["Add 5 files", "Add 1 files"]


def test_a_public_data_set_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    hub.repositories["datasets/ada/labels"] = Repository(private=False)
    store = LabelStore(tmp_path)
    label(store, b"one", "joy")
    with pytest.raises(SyncError, match="is public"):
        Replica(store, place(hub)).round()
    assert not hub.repositories["datasets/ada/labels"].files


def test_a_wrong_token_and_a_broken_hub_are_named(hub: FakeHub, tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    label(store, b"one", "joy")
    with pytest.raises(SyncError, match=r"hf://datasets/ada/labels can't be used: .*401"):
        Replica(store, place(hub, "hf_wrong")).round()
    hub.broken = True
    with pytest.raises(SyncError, match="503"):
        Replica(store, place(hub)).round()
    hub.broken = False
    assert Replica(store, place(hub)).round().sent == 1


@pytest.mark.slow
def test_an_address_that_nobody_answers_is_named(tmp_path: Path) -> None:
    nobody = HubPlace("ada/labels", token="x", endpoint="http://127.0.0.1:9")
    with pytest.raises(SyncError, match="can't be used"):
        nobody.names()


def test_what_is_forgotten_leaves_the_data_set(hub: FakeHub, tmp_path: Path) -> None:
    store = LabelStore(tmp_path / "a")
    side = Replica(store, place(hub), clips=True)
    label(store, b"her voice", "joy", "Ada Lovelace")
    label(store, b"another", "joy", "ben")
    side.round()
    forget_annotator(store, "Ada Lovelace")
    side.round()
    repository = hub.repositories["datasets/ada/labels"]
    assert len(repository.commits) == 1  # earlier ones would still hold it
    assert len(repository.stored) == 1
    files = repository.files
    assert len([name for name in files if name.startswith("clips/")]) == 1
    assert b"Lovelace" not in b"".join(files.values())
    other = LabelStore(tmp_path / "b")
    Replica(other, place(hub), clips=True).round()
    assert [one.emotion for one in other.events() if one.action == "label"] == ["joy", "joy"]


def test_the_address_names_the_data_set() -> None:
    assert open_place("hf://datasets/ada/labels").name == "hf://datasets/ada/labels"

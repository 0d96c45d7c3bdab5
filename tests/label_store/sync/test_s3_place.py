"""A bucket as a place, through boto3 over HTTP."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from label_store import LabelEvent, LabelStore, SyncError
from label_store.forget import forget_annotator
from label_store.sync import Replica
from label_store.sync.open import open_place
from label_store.sync.s3 import S3Place


@pytest.fixture
def client() -> Iterator[Any]:
    boto3 = pytest.importorskip("boto3")
    server_module = pytest.importorskip("moto.server")
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    client.create_bucket(Bucket="speech")
    try:
        yield client
    finally:
        server.stop()


def label(store: LabelStore, data: bytes, emotion: str, annotator: str = "ada") -> None:
    clip = store.keep_clip(data, ".wav")
    store.append(LabelEvent(action="label", annotator=annotator, clip=clip, emotion=emotion))


def test_two_stores_meet_in_a_bucket_and_forget_there(client: Any, tmp_path: Path) -> None:
    stores = [LabelStore(tmp_path / name) for name in "ab"]
    sides = [Replica(store, S3Place("speech", "labels", client), clips=True) for store in stores]
    label(stores[0], b"one", "joy", "Ada Lovelace")
    label(stores[1], b"two", "fear")
    for side in sides * 2:
        side.round()
    assert stores[0].events() == stores[1].events()
    assert len(stores[0].clips.paths()) == len(stores[1].clips.paths()) == 2
    forget_annotator(stores[0], "Ada Lovelace")
    for side in sides:
        side.round()
    place = S3Place("speech", "labels", client)
    assert b"Lovelace" not in b"".join(data for _, data in place.read(place.names()))
    assert len([name for name in place.names() if name.startswith("clips/")]) == 1
    assert stores[0].events() == stores[1].events()
    assert S3Place("speech", "elsewhere", client).names() == []


def test_a_bucket_that_is_not_there_is_named(client: Any, tmp_path: Path) -> None:
    store = LabelStore(tmp_path)
    label(store, b"one", "joy")
    with pytest.raises(SyncError, match=r"s3://nowhere can't be used: .*NoSuchBucket"):
        Replica(store, S3Place("nowhere", "", client)).round()


def test_without_boto3_the_address_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['boto3'] = sys.modules['botocore'] = None\n"
        "sys.modules['botocore.exceptions'] = None\n"
        "from label_store.sync.open import open_place\n"
        "try: open_place('s3://speech/labels')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    root = Path(__file__).resolve().parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root)
    assert done.stdout.startswith("SyncError s3://speech/labels needs boto3"), done.stderr
    assert "requirements-extra.txt" in done.stdout


def test_an_address_names_bucket_and_prefix() -> None:
    pytest.importorskip("boto3")
    assert open_place("s3://speech/labels/").name == "s3://speech/labels"

"""Checkpoints and corpora from elsewhere: S3, archives, licences."""

from __future__ import annotations

from ser_core.home import Home

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ser_core.audio import to_wav_bytes
from ser_core.corpora.download import CORPORA_INFO, Downloaded
from trainer.data import storage
from trainer.__main__ import main
from trainer.data.download import download
from trainer.errors import (
    StorageError,
)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    boto3 = pytest.importorskip("boto3")
    server_module = pytest.importorskip("moto.server")
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    client = boto3.client("s3")
    client.create_bucket(Bucket="speech")
    yield client
    server.stop()


def test_a_checkpoint_goes_to_s3_and_comes_back(s3: Any, three: Path, tmp_path: Path) -> None:
    folder = Home(three).models / "v1"
    assert storage.push(folder, "s3://speech/models/v1") == 5
    back = storage.fetch_checkpoint("s3://speech/models/v1", tmp_path / "back")
    for file in folder.iterdir():
        assert (back / file.name).read_bytes() == file.read_bytes()
    s3.delete_object(Bucket="speech", Key="models/v1/specification.json")
    with pytest.raises(StorageError, match="no whole checkpoint"):
        storage.fetch_checkpoint("s3://speech/models/v1", tmp_path / "half")
    assert not (tmp_path / "half").exists()


def test_s3_is_fetched_once_and_never_outside_the_folder(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket="speech", Key="emodb/wav/a.wav", Body=b"abc")
    assert storage.fetch("s3://speech/emodb", tmp_path / "emodb") == 1
    assert storage.fetch("s3://speech/emodb", tmp_path / "emodb") == 0
    s3.put_object(Bucket="speech", Key="bad/../../evil.wav", Body=b"abc")
    with pytest.raises(StorageError, match="unsafe name"):
        storage.fetch("s3://speech/bad", tmp_path / "bad")
    assert not (tmp_path / "evil.wav").exists()
    with pytest.raises(StorageError, match="nothing at"):
        storage.fetch("s3://speech/none", tmp_path / "none")
    with pytest.raises(StorageError, match="can't be used"):
        storage.fetch("s3://no-such-bucket/x", tmp_path / "x")


def test_an_archive_becomes_a_corpus_whole_or_not_at_all(tmp_path: Path) -> None:
    wav = to_wav_bytes(np.full((1, 800), 0.1, np.float32), 16_000)
    for name, inside in (
        ("good.zip", "AudioWAV/1001_DFA_ANG_XX.wav"),
        ("bad.zip", "../1001_DFA_ANG_XX.wav"),
        ("odd.zip", "readme.txt"),
    ):
        with zipfile.ZipFile(tmp_path / name, "w") as packed:
            packed.writestr(inside, wav)
    (tmp_path / "text.zip").write_text("no archive")
    root = tmp_path / "corpora"
    assert "1 clips" in download(str(tmp_path / "good.zip"), root / "good", reader="cremad")
    assert (root / "good" / "AudioWAV" / "1001_DFA_ANG_XX.wav").read_bytes() == wav
    with pytest.raises(StorageError, match="exists already"):
        download(str(tmp_path / "good.zip"), root / "good")
    for name in ("bad.zip", "odd.zip", "text.zip", "missing.zip"):
        with pytest.raises(StorageError, match=name):
            download(str(tmp_path / name), root / name)
    assert [path.name for path in root.iterdir() if path.name != ".downloads"] == ["good"]
    assert len(list(tmp_path.rglob("1001*.wav"))) == 1


def test_a_known_corpus_wants_its_licence_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path)]
    assert main(["download", "ravdess", *home]) == 1
    said = capsys.readouterr().err
    assert "CC BY-NC-SA 4.0" in said
    assert "was not accepted" in said
    assert main(["download", "savee", "--accept-licence", *home]) == 1
    assert "register at" in capsys.readouterr().err
    assert main(["download", *home]) == 0
    assert "ravdess_song" in capsys.readouterr().out


def test_a_known_corpus_tells_what_its_owners_lack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def fetched(name: str, root: Path, *, accept: Any, progress: Any) -> Downloaded:
        assert accept(CORPORA_INFO[name])
        progress(1, 2)
        seen.append((name, root))
        return Downloaded(root / name, 7441, 7442, ("1076_MTI_SAD_XX.wav",))

    monkeypatch.setattr("ser_core.corpora.download.download", fetched)
    assert main(["download", "cremad", "--accept-licence", "--home", str(tmp_path)]) == 0
    assert seen == [("cremad", tmp_path / "corpora")]
    assert "1076_MTI_SAD_XX.wav" in capsys.readouterr().out


def test_corpora_in_s3_are_fetched_before_the_training(
    s3: Any, tmp_path: Path, tiny_corpora: Path, flags: list[str]
) -> None:
    for path in tiny_corpora.rglob("*.wav"):
        s3.upload_file(str(path), "speech", f"all/{path.relative_to(tiny_corpora).as_posix()}")
    flags += ["--home", str(tmp_path), "--corpora", "s3://speech/all", "--epochs", "1"]
    assert main(["fit", *flags, "--version", "one", "--push", "s3://speech/models/one"]) == 0
    listed = s3.list_objects_v2(Bucket="speech", Prefix="models/one/")["Contents"]
    assert "models/one/weights.safetensors" in {item["Key"] for item in listed}
    assert main(["evaluate", "s3://speech/models/one", *flags]) == 0

"""Corpora and checkpoints in S3: ``s3://bucket/prefix`` to a folder and back.

Who may, and where the server is, boto3 finds as everywhere (``AWS_*``, ``AWS_ENDPOINT_URL``).
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from trainer.errors import StorageError

LAST = "specification.json"
"""Sent after everything else, so that a checkpoint that has it is whole."""


def is_remote(location: str) -> bool:
    """Return whether a location is in S3.

    >>> is_remote("s3://speech/emodb"), is_remote("data/corpora")
    (True, False)
    """
    return location.startswith("s3://")


def parse(location: str) -> tuple[str, str]:
    """Return bucket and prefix (without slashes at its ends).

    >>> parse("s3://speech/corpora/emodb/")
    ('speech', 'corpora/emodb')
    """
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    if not is_remote(location) or not bucket:
        raise StorageError(f"“{location}” is not a place in S3; write s3://bucket/prefix")
    return bucket, prefix.strip("/")


def fetch(
    location: str,
    folder: Path,
    *,
    client: Any = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Bring every object under a prefix into a folder; what is there with its size is kept.

    A file is there whole or not at all, so an interrupted fetch goes on where it stopped.

    Args:
        location: ``s3://bucket/prefix``.
        folder: where it goes; made if missing.
        client: boto3's S3 client; None makes one from the environment.
        progress: called with objects done and objects in all.

    Returns:
        How many objects were fetched.

    Raises:
        StorageError: nothing is there, it can't be reached, or a key points outside the folder.
    """
    bucket, prefix = parse(location)
    with _client(client, location) as s3:
        objects = list(_objects(s3, bucket, prefix))
        if not objects:
            raise StorageError(f"there is nothing at {location}")
        fetched = 0
        for done, (key, size) in enumerate(objects, 1):
            target = _inside(folder, key, prefix, location)
            if not (target.is_file() and target.stat().st_size == size):
                target.parent.mkdir(parents=True, exist_ok=True)
                # Two machines may fetch into one shared folder.
                partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
                try:
                    s3.download_file(bucket, key, str(partial))
                    partial.replace(target)
                finally:
                    partial.unlink(missing_ok=True)
                fetched += 1
            if progress is not None:
                progress(done, len(objects))
    return fetched


def fetch_checkpoint(location: str, folder: Path, *, client: Any = None) -> Path:
    """Bring a checkpoint into a folder that appears whole or not at all.

    Raises:
        StorageError: there is no whole checkpoint at the place, or the folder exists.
    """
    if folder.exists():
        raise StorageError(f"{folder} exists already; name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        fetch(location, partial, client=client)
        if not (partial / LAST).is_file():
            raise StorageError(f"{location} holds no whole checkpoint: it has no {LAST}")
        partial.chmod(0o755)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return folder


def push(folder: Path, location: str, *, client: Any = None) -> int:
    """Send every file of a folder, a checkpoint's specification last; return how many.

    Raises:
        StorageError: the folder has no files, or the place can't be written.
    """
    bucket, prefix = parse(location)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        raise StorageError(f"{folder} holds no files to send to {location}")
    files.sort(key=lambda path: path.name == LAST)
    with _client(client, location) as s3:
        for path in files:
            key = str(PurePosixPath(prefix) / path.relative_to(folder).as_posix())
            s3.upload_file(str(path), bucket, key)
    return len(files)


def _objects(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    start = f"{prefix}/" if prefix else ""
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=start):
        for item in page.get("Contents", ()):
            if not item["Key"].endswith("/"):
                yield item["Key"], int(item["Size"])


def _inside(folder: Path, key: str, prefix: str, location: str) -> Path:
    relative = PurePosixPath(key[len(prefix) :].lstrip("/"))
    if relative.is_absolute() or ".." in relative.parts or "\\" in key or "\0" in key:
        raise StorageError(f"{location} holds the unsafe name “{key}”; nothing of it was taken")
    return folder / relative


@contextmanager
def _client(client: Any, location: str) -> Iterator[Any]:
    try:
        import boto3
        from boto3.exceptions import S3UploadFailedError
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise StorageError(
            "boto3 is not installed; `pip install -r requirements-extra.txt` brings it"
        ) from error
    try:
        yield client or boto3.client("s3")
    except (BotoCoreError, ClientError, S3UploadFailedError) as error:
        raise StorageError(f"{location} can't be used: {error}") from error

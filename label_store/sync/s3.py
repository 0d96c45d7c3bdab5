"""An S3 bucket as a place; who may, and where the server is, boto3 finds as everywhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from label_store.errors import SyncError
from label_store.sync.place import Content, bytes_of

_MOST_AT_ONCE = 1000


class S3Place:
    """Objects under a prefix of a bucket.

    Args:
        bucket, prefix: where; the prefix may be empty.
        client: boto3's S3 client; None makes one from the environment.

    Raises:
        SyncError: boto3 is not installed.
    """

    def __init__(self, bucket: str, prefix: str = "", client: Any = None) -> None:
        self.name = f"s3://{bucket}/{prefix}".rstrip("/")
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        if client is None:
            with self._named_errors():
                client = _client(self.name)
        self._client = client

    def names(self) -> list[str]:
        """See `Place`."""
        found: list[str] = []
        with self._named_errors():
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                found += [one["Key"][len(self._prefix) :] for one in page.get("Contents", ())]
        return [name for name in found if name]

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """See `Place`."""
        for name in names:
            with self._named_errors():
                try:
                    found = self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)
                    data = bytes(found["Body"].read())
                except self._client.exceptions.NoSuchKey:
                    continue
            yield name, data

    def write(self, objects: Mapping[str, Content]) -> None:
        """See `Place`."""
        for name, content in objects.items():
            with self._named_errors():
                self._client.put_object(
                    Bucket=self._bucket, Key=self._prefix + name, Body=bytes_of(content)
                )

    def remove(self, names: Collection[str]) -> None:
        """See `Place`."""
        keys = [{"Key": self._prefix + name} for name in names]
        for first in range(0, len(keys), _MOST_AT_ONCE):
            part = keys[first : first + _MOST_AT_ONCE]
            with self._named_errors():
                done = self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": part, "Quiet": True}
                )
            if done.get("Errors"):
                raise SyncError(f"{self.name} did not remove {done['Errors'][0]['Key']}.")

    def erase_history(self) -> None:
        """See `Place`; versions that a bucket keeps are for its own lifecycle rules to remove."""

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            from botocore.exceptions import BotoCoreError, ClientError
        except ImportError as error:
            raise _missing(self.name) from error
        try:
            yield
        except (BotoCoreError, ClientError, OSError) as error:
            raise SyncError(f"{self.name} can't be used: {error}") from error


def _client(name: str) -> Any:
    try:
        import boto3
        from botocore.config import Config
    except ImportError as error:
        raise _missing(name) from error
    # Retrying with growing pauses is the syncer's work: a long try here would hold up its end.
    config = Config(connect_timeout=5, read_timeout=30, retries={"max_attempts": 2})
    return boto3.client("s3", config=config)


def _missing(name: str) -> SyncError:
    return SyncError(
        f"{name} needs boto3, which is not installed; "
        "`pip install -r requirements-extra.txt` brings it."
    )

"""From what a person writes in SER_SYNC to a place."""

from __future__ import annotations

import re
from pathlib import Path

from label_store.errors import SyncError
from label_store.sync.folder import FolderPlace
from label_store.sync.place import Place

_HUB = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+)/?")
_S3 = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?")


def open_place(address: str) -> Place:
    """Return the place that an address names; nothing is asked of it yet.

    Args:
        address: ``hf://datasets/owner/name``, ``s3://bucket/prefix``, or a folder (also one where
            a bucket is mounted).

    Raises:
        SyncError: the address is none of these, or what it needs is not installed.

    >>> open_place("data/copy").name
    'data/copy'
    """
    address = address.strip()
    if hub := _HUB.fullmatch(address):
        from label_store.sync.hub import HubPlace

        return HubPlace(hub[1])
    if s3 := _S3.fullmatch(address):
        from label_store.sync.s3 import S3Place

        return S3Place(s3[1], (s3[2] or "").strip("/"))
    if not address or "://" in address:
        raise SyncError(
            f"“{address[:100]}” names no place to keep labels; hf://datasets/OWNER/NAME, "
            "s3://BUCKET/PREFIX or a folder is expected."
        )
    return FolderPlace(Path(address))

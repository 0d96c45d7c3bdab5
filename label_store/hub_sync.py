"""Label events to and from a data set on the Hugging Face Hub; off unless asked for.

A Space's disk is ephemeral, so the store lives on local disk, what is new goes out as shards that
are never changed and never share a name, and on start all shards are folded in.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from label_store.clips import write_whole
from label_store.errors import SaveError, SyncError
from label_store.event import encode
from label_store.journal import HEADER
from label_store.store import LabelStore

Upload = Callable[[bytes, str], None]
Download = Callable[[str], bytes]
Names = Callable[[], Iterable[str]]
_SHARD = re.compile(r"events-shard-([A-Za-z0-9_-]+)-(\d+)-(\d+)-[0-9a-f]{12}\.csv")
_CLIP = re.compile(r"clips/([0-9a-f]{2})/(([0-9a-f]{64})\.[a-z0-9]{1,8})")


@dataclass(frozen=True, slots=True)
class Remote:
    """A data set on the Hub, or what a test puts in its place.

    Attributes:
        upload: puts bytes under a name.
        names: every name that is there.
        download: the bytes under a name.
    """

    upload: Upload
    names: Names
    download: Download


def push(store: LabelStore, remote: Remote, *, clips: bool = False) -> int:
    """Send this writer's new events as one shard; return how many events it holds.

    Sending again after a crash sends the same bytes under the same name.

    Args:
        store: what to send from.
        remote: where to.
        clips: send the clips' bytes too; voices are personal data, so only when asked.

    Raises:
        SyncError: the other side did not take it; nothing is taken for sent.
    """
    sent = _sent(store)
    state = store.state()
    mine = store.whole([entry for entry in state.entries if entry.number > sent])
    mine = [event for event in mine if event.writer == store.writer]
    if not mine:
        return 0
    data = HEADER + b"".join(encode(event) for event in mine)
    digest = hashlib.sha256(data).hexdigest()[:12]
    name = f"events-shard-{store.writer}-{mine[0].number}-{mine[-1].number}-{digest}.csv"
    try:
        if clips:
            _push_clips(store, remote, {event.clip for event in mine if event.clip})
        remote.upload(data, f"labels/{name}")
    except (OSError, ValueError) as error:  # the Hub's client raises OSErrors over HTTP
        raise SyncError(
            f"{name} could not be sent: {error}. The events are safe on this machine and are "
            "sent with the next try."
        ) from error
    try:
        write_whole(_note(store), json.dumps({"sent": mine[-1].number}).encode())
    except OSError as error:
        raise SaveError(f"{_note(store)} can't be written: {error.strerror or error}.") from error
    return len(mine)


def pull(store: LabelStore, remote: Remote, *, clips: bool = False) -> int:
    """Fold in every shard that is there and not here; return how many events are new.

    Args:
        store: where to.
        remote: where from.
        clips: fetch clips' bytes that are missing here, too.

    Raises:
        SyncError: the other side can't be read, or a shard's bytes are not what its name says.
    """
    before = len(store.state())
    try:
        for name in sorted(remote.names()):
            shard = _SHARD.fullmatch(PurePosixPath(name).name)
            if shard and shard[1] != store.writer:
                target = store.folder / shard[0]
                if not target.is_file():
                    write_whole(target, _checked(remote.download(name), shard[0]))
            clip = _CLIP.fullmatch(name)
            if clips and clip and store.clip_path(clip[3]) is None:
                _pull_clip(store, remote.download(name), clip[3], clip[2])
    except (OSError, ValueError) as error:
        raise SyncError(f"The shards could not be fetched: {error}. Try again later.") from error
    store.refresh()
    return len(store.state()) - before


def hub(repository: str, *, token: str | None = None) -> Remote:
    """Return a data set on the Hugging Face Hub, made private where it is missing.

    Args:
        repository: ``owner/name`` of a data set.
        token: one that may write; None = the client's own sign-in.
    """
    from huggingface_hub import HfApi, hf_hub_download

    api = HfApi(token=token)
    api.create_repo(repository, repo_type="dataset", private=True, exist_ok=True)

    def upload(data: bytes, name: str) -> None:
        api.upload_file(
            path_or_fileobj=data, path_in_repo=name, repo_id=repository, repo_type="dataset"
        )

    def download(name: str) -> bytes:
        path = hf_hub_download(repository, name, repo_type="dataset", token=token)
        return Path(path).read_bytes()

    return Remote(upload, lambda: api.list_repo_files(repository, repo_type="dataset"), download)


def _note(store: LabelStore) -> Path:
    return store.folder / f"sync-{store.writer}.json"


def _sent(store: LabelStore) -> int:
    # Lost or damaged, it only means that a shard is sent twice; events fold by id.
    try:
        return int(json.loads(_note(store).read_text(encoding="utf-8"))["sent"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return 0


def _checked(data: bytes, name: str) -> bytes:
    if hashlib.sha256(data).hexdigest()[:12] != name[-16:-4]:
        raise SyncError(f"{name} came with other bytes than its name says; it was left out.")
    return data


def _push_clips(store: LabelStore, remote: Remote, wanted: set[str]) -> None:
    there = set(remote.names())
    for clip in sorted(wanted):
        path = store.clip_path(clip)
        name = f"clips/{clip[:2]}/{path.name}" if path else ""
        if path is not None and name not in there:
            remote.upload(path.read_bytes(), name)


def _pull_clip(store: LabelStore, data: bytes, clip: str, name: str) -> None:
    if hashlib.sha256(data).hexdigest() != clip:
        raise SyncError(f"{name} came with other bytes than its name says; it was left out.")
    store.keep_clip(data, Path(name).suffix)

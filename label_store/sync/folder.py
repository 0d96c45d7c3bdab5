"""A folder as a place, also one where a bucket is mounted.

A mounted bucket takes files written from front to back, and may refuse to rename them or to sync
them. Where a rename is refused the object is written under its own name; whoever reads it while
it is half there sees that its bytes are not what its name says, and comes back.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from label_store.errors import SyncError
from label_store.sync.place import Content, bytes_of

_REFUSED = {
    errno.EPERM,
    errno.EACCES,
    errno.ENOSYS,
    errno.EINVAL,
    errno.EXDEV,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
}
"""What a file system answers that can't rename or sync, where it could write before."""


class FolderPlace:
    """A folder; it is made at the first write, its parent must be there.

    Args:
        folder: where.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = str(folder)

    def names(self) -> list[str]:
        """See `Place`."""
        if not self.folder.parent.is_dir():
            raise SyncError(f"{self.folder.parent} is not there; is it mounted?")
        found: list[str] = []
        try:
            for folder, folders, files in os.walk(self.folder, onerror=_raise):
                folders[:] = [name for name in folders if not name.startswith(".")]
                inside = Path(folder).relative_to(self.folder).as_posix()
                prefix = "" if inside == "." else f"{inside}/"
                found += [prefix + name for name in files if not name.startswith(".")]
        except FileNotFoundError:
            if self.folder.is_dir():
                return self.names()  # a folder went while it was listed
        except OSError as error:
            raise self._unreachable(error) from error
        return sorted(found)

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """See `Place`."""
        for name in names:
            try:
                yield name, (self.folder / name).read_bytes()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise self._unreachable(error) from error

    def write(self, objects: Mapping[str, Content]) -> None:
        """See `Place`."""
        try:
            if not self.folder.is_dir():
                self.folder.mkdir()
            for name, content in objects.items():
                self._put(self.folder / name, bytes_of(content))
        except OSError as error:
            raise self._unreachable(error) from error

    def remove(self, names: Collection[str]) -> None:
        """See `Place`."""
        try:
            for name in names:
                (self.folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._unreachable(error) from error

    def erase_history(self) -> None:
        """See `Place`; a folder keeps none."""

    def _put(self, target: Path, data: bytes) -> None:
        if target.is_file() and target.stat().st_size == len(data) and target.read_bytes() == data:
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{uuid.uuid4().hex}.part")
        try:
            _write(draft, data)
            try:
                self._rename(draft, target)
            except OSError as error:
                if error.errno not in _REFUSED:
                    raise
                try:
                    _write(target, data)
                except OSError:
                    target.unlink(missing_ok=True)
                    raise
        finally:
            draft.unlink(missing_ok=True)
        if target.stat().st_size != len(data):
            raise OSError(errno.EIO, f"{target.name} is not as long as it was written")

    def _rename(self, draft: Path, target: Path) -> None:
        draft.replace(target)

    def _unreachable(self, error: OSError) -> SyncError:
        return SyncError(f"{self.folder} can't be used: {error.strerror or error}.")


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in _REFUSED:
                raise


def _raise(error: OSError) -> None:
    raise error

"""A private data set on the Hugging Face Hub as a place; a batch of objects is one commit."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from label_store.errors import SyncError
from label_store.sync.place import Content

_FILES_A_COMMIT = 200


class HubPlace:
    """A data set; it is made, private, at the first write where it is missing.

    Args:
        repository: ``owner/name``.
        token: one that may write; None = the client's own sign-in (``HF_TOKEN``).
        endpoint: the Hub's address; None = the client's own (``HF_ENDPOINT``).
    """

    def __init__(
        self, repository: str, *, token: str | None = None, endpoint: str | None = None
    ) -> None:
        from huggingface_hub import HfApi

        self.name = f"hf://datasets/{repository}"
        self._repository = repository
        self._api = HfApi(token=token, endpoint=endpoint)
        self._private = False

    def names(self) -> list[str]:
        """See `Place`."""
        from huggingface_hub.errors import RepositoryNotFoundError

        with self._named_errors():
            try:
                return list(self._api.list_repo_files(self._repository, repo_type="dataset"))
            except RepositoryNotFoundError:
                return []  # the first write makes it, or says that it may not

    def read(self, names: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """See `Place`."""
        listed = sorted(names)
        for first in range(0, len(listed), _FILES_A_COMMIT):
            part = listed[first : first + _FILES_A_COMMIT]
            # Not through the client's cache: what is forgotten must not live on there.
            with tempfile.TemporaryDirectory() as folder:
                with self._named_errors():
                    self._api.snapshot_download(
                        self._repository,
                        repo_type="dataset",
                        local_dir=folder,
                        allow_patterns=[_literal(name) for name in part],
                    )
                for name in part:
                    path = Path(folder) / name
                    if path.is_file():
                        yield name, path.read_bytes()

    def write(self, objects: Mapping[str, Content]) -> None:
        """See `Place`."""
        from huggingface_hub import CommitOperationAdd

        operations = [
            CommitOperationAdd(path_in_repo=name, path_or_fileobj=content)
            for name, content in objects.items()
        ]
        self._commit(operations, f"Add {len(operations)} files")

    def remove(self, names: Collection[str]) -> None:
        """See `Place`."""
        from huggingface_hub import CommitOperationDelete

        there = set(names).intersection(self.names())
        operations = [CommitOperationDelete(path_in_repo=name) for name in sorted(there)]
        self._commit(operations, f"Remove {len(operations)} files")

    def erase_history(self) -> None:
        """See `Place`: earlier commits go, and files kept beside git that no commit names now."""
        self._make_private()
        there = set(self.names())
        with self._named_errors():
            stored = self._api.list_lfs_files(self._repository, repo_type="dataset")
            left = [one for one in stored if one.filename not in there]
            self._api.super_squash_history(self._repository, repo_type="dataset")
            if left:
                self._api.permanently_delete_lfs_files(self._repository, left, repo_type="dataset")

    def _commit(self, operations: list[Any], message: str) -> None:
        self._make_private()
        for first in range(0, len(operations), _FILES_A_COMMIT):
            with self._named_errors():
                self._api.create_commit(
                    self._repository,
                    operations[first : first + _FILES_A_COMMIT],
                    commit_message=message,
                    repo_type="dataset",
                )

    def _make_private(self) -> None:
        if self._private:
            return
        with self._named_errors():
            self._api.create_repo(
                self._repository, repo_type="dataset", private=True, exist_ok=True
            )
            found = self._api.repo_info(self._repository, repo_type="dataset")
        if not found.private:
            raise SyncError(
                f"{self.name} is public, and labels and voices are personal data: make it private "
                "in its settings, or name another data set."
            )
        self._private = True

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        from huggingface_hub import errors

        # The client's own name for what its transport raises, whichever transport that is.
        transport = errors.HTTPError  # type: ignore[attr-defined]
        known = (errors.HfHubHTTPError, transport, errors.LocalEntryNotFoundError)
        try:
            yield
        except (*known, OSError, ValueError) as error:
            text = str(error).strip().splitlines() or [type(error).__name__]
            raise SyncError(f"{self.name} can't be used: {text[0]}") from error


def _literal(name: str) -> str:
    # Names of ours hold none of these; another's file in the data set might.
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)

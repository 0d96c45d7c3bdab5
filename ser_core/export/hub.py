"""An exported checkpoint on the Hugging Face Hub: a model repository, or a static Space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ser_core.checkpoints import checkpoint
from ser_core.export.onnx_folder import Exported, ExportError

CHECKPOINT = (
    checkpoint.SPECIFICATION,
    checkpoint.WEIGHTS,
    checkpoint.CALIBRATION,
    checkpoint.METRICS,
    checkpoint.CARD,
)


def push(made: Exported, repository: str, *, web: bool, client: Any = None) -> str:
    """Upload an export in one commit; return its address.

    A model repository gets the checkpoint with its card, and the exported files in ``onnx/``. The
    page becomes a static Space. The repository is made where it is missing.

    Args:
        made: what was exported.
        repository: ``owner/name``.
        web: whether it is the page.
        client: a ``huggingface_hub.HfApi``; None signs in as the machine does (HF_TOKEN).

    Raises:
        ExportError: the Hub refused, or can't be reached.
    """
    from httpx import HTTPError
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    api = HfApi() if client is None else client
    kind = "space" if web else "model"
    files = {path.relative_to(made.folder).as_posix(): path for path in _files(made.folder)}
    if not web:
        files = {f"onnx/{name}": path for name, path in files.items()}
        files |= {name: made.held.folder / name for name in CHECKPOINT}
    operations = [CommitOperationAdd(name, str(path)) for name, path in sorted(files.items())]
    specification = made.held.specification
    message = f"{specification.name} {specification.version}"
    try:
        api.create_repo(
            repository, repo_type=kind, exist_ok=True, space_sdk="static" if web else None
        )
        found = api.create_commit(
            repository, operations=operations, commit_message=message, repo_type=kind
        )
    except (HfHubHTTPError, HFValidationError, HTTPError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ExportError(
            f"{repository} on the Hub did not take the {kind}: {reason}. Check the name, the "
            "network, and that HF_TOKEN may write there. The files lie in "
            f"{made.folder}."
        ) from error
    return str(found.commit_url)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())

"""A checkpoint is a folder of plain files; nothing in it is ever unpickled."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.shipped import locate, shipped_models
from ser_core.checkpoints.specification import Specification
from ser_core.errors import CheckpointError, SpecificationError

if TYPE_CHECKING:
    import torch

    from ser_core.checkpoints.model import Model

SPECIFICATION = "specification.json"
WEIGHTS = "weights.safetensors"
CALIBRATION = "calibration.json"
METRICS = "metrics.json"
CARD = "README.md"


@dataclass(frozen=True)
class CheckpointDescription:
    """What a checkpoint's folder says of its model."""

    folder: Path
    specification: Specification
    calibration: Calibration
    metrics: dict[str, Any]
    card: str


@dataclass(frozen=True)
class Checkpoint:
    """A model as it was read from its folder."""

    folder: Path
    model: Model
    specification: Specification
    calibration: Calibration
    metrics: dict[str, Any]
    card: str


def save(
    folder: str | Path,
    model: Model,
    specification: Specification,
    calibration: Calibration,
    metrics: dict[str, Any],
    card: str,
    *,
    half: bool = False,
) -> Path:
    """Write a checkpoint so that a reader sees all of it or nothing.

    Args:
        folder: where it goes; an existing checkpoint there is replaced.
        model: its weights are saved, on the CPU.
        specification, calibration, metrics, card: what goes beside them.
        half: store the weights in half precision (half the size); statistics, which batch norms
            hold and divide by, stay as they are.

    Raises:
        CheckpointError: it can't be written, as on a full disk; what was there before still is.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    target = Path(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    learned = {name for name, _ in model.named_parameters()}
    state = {
        name: (value.half() if half and name in learned and value.is_floating_point() else value)
        .detach()
        .cpu()
        .contiguous()
        .clone()
        for name, value in model.state_dict().items()
    }
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        partial.chmod(0o755)
        save_file(state, partial / WEIGHTS)
        (partial / SPECIFICATION).write_text(specification.to_json(), encoding="utf-8")
        (partial / CALIBRATION).write_text(calibration.to_json(), encoding="utf-8")
        text = json.dumps(metrics, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False)
        (partial / METRICS).write_text(text + "\n", encoding="utf-8")
        (partial / CARD).write_text(card, encoding="utf-8")
        for file in partial.iterdir():
            file.chmod(0o644)  # the weights come private; a served checkpoint is read by others
            with file.open("rb+") as handle:
                os.fsync(handle.fileno())
        if target.exists():
            aside = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
            target.rename(aside / "checkpoint")
            partial.rename(target)
            shutil.rmtree(aside)
        else:
            partial.rename(target)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"The checkpoint {target} can't be written: {error}. Make room, or check who may write "
            "there; what was there before is untouched."
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def describe(folder: str | Path) -> CheckpointDescription:
    """Read all of a checkpoint but its weights, without torch.

    Args:
        folder: where it is, or the name of a model that comes with the studio.

    Raises:
        CheckpointError: a file is missing or damaged.
    """
    source = locate(folder)
    texts: dict[str, str] = {}
    for name in (SPECIFICATION, CALIBRATION, METRICS, CARD):
        try:
            texts[name] = (source / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CheckpointError(
                f"The checkpoint {source} has no readable {name} ({error}). Restore it, or choose "
                f"another checkpoint folder, or one of {', '.join(shipped_models())}."
            ) from error
    try:
        specification = Specification.from_json(texts[SPECIFICATION])
        metrics = json.loads(texts[METRICS])
        if not isinstance(metrics, dict):
            raise SpecificationError(f"{METRICS} is not a JSON object.")
    except (SpecificationError, json.JSONDecodeError, RecursionError) as error:
        raise CheckpointError(f"The checkpoint {source} can't be read: {error}") from error
    calibration = Calibration.from_json(texts[CALIBRATION])
    return CheckpointDescription(source, specification, calibration, metrics, texts[CARD])


def load(folder: str | Path, device: str | torch.device = "cpu") -> Checkpoint:
    """Read a checkpoint.

    Args:
        folder: where it is, or the name of a model that comes with the studio.
        device: where the weights go.

    Raises:
        CheckpointError: a file is missing or damaged, or weights and specification don't fit.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from ser_core.checkpoints.model import build

    held = describe(folder)
    source = held.folder
    try:
        model = build(held.specification)
    except SpecificationError as error:
        raise CheckpointError(f"The checkpoint {source} can't be read: {error}") from error
    except (
        MemoryError,
        RuntimeError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
    ) as error:
        # What a foreign specification makes torch or transformers say is not for a person.
        raise CheckpointError(
            f"The model that {source / SPECIFICATION} describes can't be built "
            f"({type(error).__name__}: {' '.join(str(error).split())[:200]})."
        ) from error
    try:
        state = load_file(source / WEIGHTS, device="cpu")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(
            f"The checkpoint {source} has no readable {WEIGHTS}: {error}. "
            "Restore it, or choose another checkpoint folder."
        ) from error
    _check(source, model, state)
    model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in state.items()})
    model.eval().to(device)
    return Checkpoint(source, model, held.specification, held.calibration, held.metrics, held.card)


def _check(source: Path, model: Model, state: dict[str, torch.Tensor]) -> None:
    import torch

    expected = model.state_dict()
    missing = sorted(set(expected) - set(state))
    extra = sorted(set(state) - set(expected))
    if missing or extra:
        parts = [f"{len(missing)} missing ({missing[0]} ...)" if missing else ""]
        parts.append(f"{len(extra)} unexpected ({extra[0]} ...)" if extra else "")
        raise CheckpointError(
            f"The weights of {source} don't fit its specification: "
            f"{', '.join(p for p in parts if p)}."
        )
    for name, value in expected.items():
        if value.shape != state[name].shape:
            raise CheckpointError(
                f"The weight {name} of {source} has shape {tuple(state[name].shape)}; "
                f"its specification asks for {tuple(value.shape)}."
            )
        if state[name].is_floating_point() and not bool(torch.isfinite(state[name]).all()):
            raise CheckpointError(
                f"The weight {name} of {source} holds values that are not numbers."
            )

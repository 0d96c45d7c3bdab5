"""A network in ONNX Runtime: on a processor three to four times as fast as torch, and without it.

A checkpoint is written as an ONNX graph once, compared with torch, and kept in a cache under the
hash of its weights and of what else decides its answers. A checkpoint that is found there is run
without importing torch at all.
"""

from __future__ import annotations

import hashlib
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ser_core import files
from ser_core.checkpoints.calibration import softmax
from ser_core.checkpoints.specification import Specification
from ser_core.device import asks_for_lent, choose_device
from ser_core.errors import CheckpointError
from ser_core.inference.runtime import Lengths, Logits, Runtime, Samples

if TYPE_CHECKING:
    from ser_core.checkpoints.model import Model

FORM = 1
"""Counted up when the same checkpoint shall give another graph."""

LARGEST_DIFFERENCE = 1e-4
"""Largest difference of a probability between torch and the graph that is let through."""

KEPT = 8
"""Graphs that a cache holds; the one that was not used for longest goes first."""


class OnnxRuntime:
    """Run an ONNX graph with the inputs ``waveform`` and ``lengths`` and the output ``logits``.

    Args:
        source: the file, or its bytes.
        threads: processor threads of one call; None means one a core.

    Raises:
        CheckpointError: the file can't be read as a graph.
    """

    def __init__(self, source: str | Path | bytes, threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = cores() if threads is None else threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Threads that wait do not spin: the cores are shared with torch, with the detection of
        # speech and with other visitors.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        given: Any = source if isinstance(source, bytes) else str(source)
        try:
            self._session = onnxruntime.InferenceSession(
                given, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            where = "The ONNX graph" if isinstance(source, bytes) else str(source)
            reason = " ".join(str(error).split())[:200]
            raise CheckpointError(f"{where} can't be run: {reason}") from error

    def __call__(self, waveform: Samples, lengths: Lengths) -> Logits:
        """Return logits; see ``Runtime``."""
        longest = int(lengths.max())  # what is padding in every row need not be computed
        feeds = {"waveform": np.ascontiguousarray(waveform[:, :, :longest]), "lengths": lengths}
        logits: Logits = self._session.run(["logits"], feeds)[0].astype(np.float64)
        return logits


@dataclass(frozen=True)
class Opened:
    """A runtime, and why it is not the fastest one.

    Attributes:
        runtime: ready to run.
        note: one sentence where a network runs in torch that might run faster, else "".
    """

    runtime: Runtime
    note: str = ""


def open_runtime(
    folder: str | Path,
    specification: Specification,
    load_model: Callable[[], Model],
    *,
    cache: str | Path | None,
    device: str = "auto",
) -> Opened:
    """Return what runs a checkpoint: ONNX Runtime on a processor, torch elsewhere.

    Args:
        folder: the checkpoint.
        specification: read from it.
        load_model: reads the model in torch, on the device; called only where torch is needed.
        cache: folder of the graphs; made where it is missing. Where nothing can be written, or
            with None, a graph is made anew at each start.
        device: see ``choose_device``.

    Raises:
        CheckpointError: the checkpoint can't be read.
        SerError: the device is not there.
    """
    if asks_for_lent(device):
        from ser_core.inference.zero_gpu import LentRuntime

        return Opened(LentRuntime(folder))
    if not on_processor(device):
        return _in_torch(load_model())
    stored = None if cache is None else Path(cache) / graph_name(folder, specification)
    found = None if stored is None else _kept(stored)
    if found is not None:
        return Opened(found) if isinstance(found, OnnxRuntime) else _in_torch(load_model(), found)
    model = load_model()
    data, note = _checked_graph(model, specification)
    if stored is not None:
        _keep(stored if data else _refusal(stored), data or note.encode())
    return _in_torch(model, note) if data is None else Opened(OnnxRuntime(data))


def user_cache() -> Path | None:
    """Return the folder of the graphs for who has no SER_HOME; None where there is no home."""
    try:
        return Path.home() / ".cache" / "speech-emotion-studio" / "graphs"
    except RuntimeError:
        return None


def on_processor(device: str) -> bool:
    """Return whether ``device`` comes to a processor; torch is asked only where it might not.

    Raises:
        SerError: the device is not there.
    """
    if device not in ("", "auto"):
        return device == "cpu"
    if not may_have_accelerator():
        return True
    return choose_device(device).type == "cpu"


def graph_name(folder: str | Path, specification: Specification) -> str:
    """Return the name of a checkpoint's graph: a hash of all that decides its logits.

    Raises:
        CheckpointError: the weights can't be read.
    """
    weights = Path(folder) / "weights.safetensors"
    decides = (
        FORM,
        specification.frontend,
        sorted(specification.frontend_parameters.items()),
        specification.backbone,
        sorted(specification.backbone_parameters.items()),
        sorted(specification.normalisation.items()),
        (specification.sample_rate, specification.input_channels, len(specification.emotions)),
        (version("torch"), version("onnxruntime")),
    )
    try:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise CheckpointError(
            f"The checkpoint {folder} has no readable {weights.name} ({error.strerror}). "
            "Restore it, or choose another checkpoint folder."
        ) from error
    digest.update(repr(decides).encode())
    return f"{digest.hexdigest()[:32]}.onnx"


def largest_difference(
    one: Runtime, other: Runtime, specification: Specification, seed: int = 0
) -> float:
    """Return the largest difference of a probability between two runtimes of one model.

    They hear made-up sounds of several lengths: voice-like, noise, nearly silent, very short; in a
    batch and alone.
    """
    rng = np.random.default_rng(seed)
    rate, window = specification.sample_rate, specification.samples
    shares = (1.0, 0.71, 0.4, 0.13)
    lengths = np.array([max(1, round(window * share)) for share in shares], np.int64)
    waveform = np.zeros((len(shares), specification.input_channels, window), np.float32)
    for row, length in zip(waveform, lengths, strict=True):
        time = np.arange(length) / rate
        pitch = rng.uniform(90, 250) * (1 + 0.1 * np.sin(2 * np.pi * 1.5 * time))
        phase = 2 * np.pi * np.cumsum(pitch) / rate
        voice = sum(np.sin(k * phase) / k for k in range(1, 20))
        loudness = 0.1 * np.abs(np.sin(2 * np.pi * 2.3 * time)) * 10 ** rng.uniform(-2, 0)
        row[:, :length] = loudness * voice + 1e-3 * rng.standard_normal((len(row), length))
    found = []
    for rows in (slice(None), *(slice(i, i + 1) for i in range(len(shares)))):
        pair = [softmax(runtime(waveform[rows], lengths[rows])) for runtime in (one, other)]
        found.append(float(np.abs(pair[0] - pair[1]).max()))
    return max(found) if np.isfinite(found).all() else math.inf


def cores() -> int:
    """Return how many processor cores this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def may_have_accelerator() -> bool:
    """Return whether this machine shows signs of a GPU, without importing torch to ask it.

    True does not say that torch can use it; False says that there is none.
    """
    if sys.platform in ("darwin", "win32"):
        return True
    return any(
        Path(sign).exists() for sign in ("/dev/nvidiactl", "/proc/driver/nvidia", "/dev/kfd")
    )


def _in_torch(model: Model, note: str = "") -> Opened:
    from ser_core.inference.torch_runtime import TorchRuntime

    return Opened(TorchRuntime(model), note)


def _checked_graph(model: Model, specification: Specification) -> tuple[bytes | None, str]:
    """Return a graph that answers as torch does, or None and why there is none."""
    from ser_core.inference.onnx_graph import NotExportableError, export
    from ser_core.inference.torch_runtime import TorchRuntime

    try:
        data = export(
            model,
            sample_rate=specification.sample_rate,
            channels=specification.input_channels,
        )
        differ = largest_difference(OnnxRuntime(data), TorchRuntime(model), specification)
    except NotExportableError as error:
        return None, str(error)
    except CheckpointError as error:
        return None, f"{error} The model runs in torch."
    if not differ <= LARGEST_DIFFERENCE:
        return None, (
            f"In ONNX Runtime a probability differs by {differ:.2g} from torch, more than "
            f"{LARGEST_DIFFERENCE:g}: the model runs in torch."
        )
    return data, ""


def _refusal(stored: Path) -> Path:
    """Return the file that says why there is no graph."""
    return stored.with_suffix(".txt")


def _kept(stored: Path) -> OnnxRuntime | str | None:
    """Return the kept graph, or why there can be none, or None."""
    try:
        if stored.is_file():
            runtime = OnnxRuntime(stored)
            os.utime(stored)
            return runtime
        if _refusal(stored).is_file():
            return _refusal(stored).read_text(encoding="utf-8")
    except (CheckpointError, OSError):
        pass  # a damaged graph is replaced by a new one
    return None


def _keep(path: Path, data: bytes) -> None:
    """Write a file into the cache where that can be done; the least recently used one goes."""
    try:
        files.write_bytes(path, data, durable=False)
        others = sorted(path.parent.glob("*.onnx"), key=lambda p: p.stat().st_mtime)
        for old in others[:-KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        pass  # a full disk or a read-only home costs the next start its time, and nothing else

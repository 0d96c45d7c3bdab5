"""A checkpoint as a folder with one ONNX file and what must be known to use it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ser_core.audio import Samples
from ser_core.checkpoints import checkpoint
from ser_core.checkpoints.checkpoint import Checkpoint
from ser_core.errors import SerError
from ser_core.export.weights import int8, smaller
from ser_core.inference.onnx_graph import export
from ser_core.inference.onnx_runtime import (
    LARGEST_DIFFERENCE,
    OnnxRuntime,
    largest_difference,
)
from ser_core.inference.torch_runtime import TorchRuntime

GRAPH = "model.onnx"


class ExportError(SerError):
    """A checkpoint that can't be exported as it was asked for."""


@dataclass(frozen=True)
class Exported:
    """What an export made.

    Attributes:
        folder: where it lies.
        held: the checkpoint, in torch.
        graph: the ONNX file.
        difference: largest difference of a probability from torch on made-up sounds.
    """

    folder: Path
    held: Checkpoint
    graph: Path
    difference: float


def export_onnx(
    model: str | Path, out: str | Path, *, calibration_clips: Sequence[Samples] | None = None
) -> Exported:
    """Write ``out/model.onnx``, the specification, calibration, labels, licence and a README.

    Args:
        model: the checkpoint's folder.
        out: folder that is written; other files in it are left alone.
        calibration_clips: clips ``[channel, time]`` at the model's rate, of training speakers: the
            weights and activations are then stored in 8 bits. None keeps float32.

    Raises:
        CheckpointError: the checkpoint can't be read.
        NotExportableError: it can't be written as ONNX.
        ExportError: the graph answers otherwise than torch, or the folder can't be written.
    """
    held = checkpoint.load(model)
    specification = held.specification
    data = export(
        held.model,
        sample_rate=specification.sample_rate,
        channels=specification.input_channels,
        calibration=held.calibration,
        fused=calibration_clips is not None,
        folded=False,
    )
    differ = largest_difference(OnnxRuntime(data), TorchRuntime(held.model), specification)
    if not differ <= LARGEST_DIFFERENCE:
        raise ExportError(
            f"{model}: a probability of the ONNX graph differs by {differ:.2g} from torch; at most "
            f"{LARGEST_DIFFERENCE:g} is let through. Nothing was written."
        )
    if calibration_clips is None:
        data = smaller(data)
    else:
        data = int8(data, calibration_clips, specification)
        differ = largest_difference(OnnxRuntime(data), TorchRuntime(held.model), specification)
    folder = Path(out)
    texts = {
        "specification.json": specification.to_json(),
        "calibration.json": held.calibration.to_json(),
        "labels.txt": "".join(f"{emotion}\n" for emotion in specification.emotions),
        "LICENSE.md": licence_text(held.card),
        "README.md": _readme(held, quantised=calibration_clips is not None),
        "MODEL_CARD.md": held.card,
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / GRAPH).write_bytes(data)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ExportError(
            f"{folder} can't be written: {error.strerror}. Make room, or choose another folder."
        ) from error
    return Exported(folder, held, folder / GRAPH, differ)


def licence(card: str) -> str:
    """Return the licence that a model card names in its front matter.

    >>> licence("---\\nlicense: cc-by-4.0\\n---\\n# A model"), licence("# A model")
    ('cc-by-4.0', 'unknown')
    """
    front = re.match(r"---\n(.*?)\n---", card, re.DOTALL)
    found = re.search(r"^license:\s*(\S+)", front.group(1), re.MULTILINE) if front else None
    return found.group(1) if found else "unknown"


def licence_text(card: str) -> str:
    """Return what a folder with a model and this project's files says of rights."""
    return (
        "# Licences\n\n"
        f"- The model (model.onnx): {licence(card)}, as its card (MODEL_CARD.md) says; it follows "
        "from the corpora that it was trained on.\n"
        "- The code beside it: Apache-2.0.\n"
        "- ONNX Runtime Web (vendor/ort*), where it is there: MIT, Microsoft Corporation.\n"
        "- Silero VAD (speech.onnx), where it is there: MIT, Silero Team.\n"
    )


def _readme(held: Checkpoint, quantised: bool) -> str:
    specification = held.specification
    channels = specification.input_channels
    kind = "8-bit integers where it is large" if quantised else "float32 arithmetic"
    return f"""---
license: {licence(held.card)}
pipeline_tag: audio-classification
library_name: onnx
tags:
  - speech-emotion-recognition
---

# {specification.name} {specification.version} as ONNX

`model.onnx` hears speech and returns probabilities of {len(specification.emotions)} emotions
({kind}). The front-end is inside: it takes sound, not features.

| | name | type and shape | what |
| --- | --- | --- | --- |
| in | waveform | float32 `[n, {channels}, time]` | {
        specification.sample_rate
    } Hz, full scale 1.0, \
at most {specification.seconds:g} s; zero behind each clip's end |
| in | lengths | int64 `[n]` | samples of each clip before the padding |
| out | probabilities | float32 `[n, {len(specification.emotions)}]` | calibrated, in the order of \
labels.txt |
| out | logits | float32 `[n, {
        len(specification.emotions)
    }]` | average these over the windows of a \
longer clip, then divide by the temperature in calibration.json and take the softmax |

```python
import numpy as np, onnxruntime, soundfile

sound, rate = soundfile.read("clip.wav", dtype="float32")
assert rate == {specification.sample_rate}
session = onnxruntime.InferenceSession("model.onnx")
waveform = np.stack([sound] * {channels})[None]
probabilities, = session.run(
    ["probabilities"], {{"waveform": waveform, "lengths": np.array([len(sound)])}}
)
for label, share in zip(open("labels.txt").read().split(), probabilities[0]):
    print(f"{{label:10}} {{share:.3f}}")
```

The model was trained {
        "on speech without the silence around it: cut that off first"
        if specification.trim_silence
        else "on whole clips"
    }. What it was trained on, how well it does and
what it must not be used for: MODEL_CARD.md. Rights: LICENSE.md.
"""

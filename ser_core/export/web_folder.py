"""A checkpoint as a static page: everything runs in the visitor's browser."""

from __future__ import annotations

import importlib.util
import json
import lzma
import shutil
from collections.abc import Sequence
from pathlib import Path

from ser_core.audio import Samples
from ser_core.errors import SerError
from ser_core.export.onnx_folder import Exported, ExportError, export_onnx, licence

SOURCES = Path(__file__).resolve().parent / "web"
RUNTIME = "ort-wasm-simd-threaded.wasm"
LARGEST_INT8 = 25_000_000
"""Bytes of an 8-bit model that a phone may be asked to fetch."""

LETTERS: dict[str, str] = {
    "anger": "A",
    "boredom": "B",
    "calm": "C",
    "disgust": "D",
    "fear": "F",
    "joy": "J",
    "neutral": "N",
    "sadness": "S",
    "surprise": "!",
}
"""One sign an emotion, where a name does not fit."""


def export_web(
    model: str | Path, out: str | Path, *, calibration_clips: Sequence[Samples] | None = None
) -> Exported:
    """Write a folder that any web server can serve, or a static Space.

    Args:
        model: the checkpoint's folder.
        out: folder that is written.
        calibration_clips: see ``export_onnx``; None keeps float32.

    Raises:
        CheckpointError: the checkpoint can't be read.
        NotExportableError: it can't be written as ONNX.
        ExportError: the graph answers otherwise than torch, is too large, or can't be written.
    """
    made = export_onnx(model, out, calibration_clips=calibration_clips)
    held, folder = made.held, made.folder
    specification = held.specification
    size = made.graph.stat().st_size
    if calibration_clips is not None and size > LARGEST_INT8:
        raise ExportError(
            f"The 8-bit model has {size / 1e6:.1f} MB; a page may have {LARGEST_INT8 / 1e6:.0f}. "
            "Export a smaller model."
        )
    if specification.sample_rate != 16_000:
        raise ExportError(
            f"The page works at 16000 Hz; this model wants {specification.sample_rate} Hz."
        )
    try:
        for source in SOURCES.iterdir():
            if source.is_file():
                shutil.copyfile(source, folder / source.name)
        vendor = folder / "vendor"
        vendor.mkdir(exist_ok=True)
        for source in (SOURCES / "vendor").iterdir():
            if source.suffix == ".xz":
                (vendor / source.stem).write_bytes(lzma.decompress(source.read_bytes()))
            else:
                shutil.copyfile(source, vendor / source.name)
        shutil.copyfile(_detector(), folder / "speech.onnx")
        values = {
            "name": specification.name,
            "version": specification.version,
            "licence": licence(held.card),
            "emotions": specification.emotions,
            "letters": {emotion: LETTERS[emotion] for emotion in specification.emotions},
            "window": specification.samples,
            "input_channels": specification.input_channels,
            "trim_silence": specification.trim_silence,
            "calibration": json.loads(held.calibration.to_json()),
            "files": {
                "network": {"name": made.graph.name, "bytes": size},
                "detector": {
                    "name": "speech.onnx",
                    "bytes": (folder / "speech.onnx").stat().st_size,
                },
            },
        }
        text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
        (folder / "model.json").write_text(text, encoding="utf-8")
        (folder / "README.md").write_text(_readme(made), encoding="utf-8")
        (folder / ".gitattributes").write_text(
            "*.onnx filter=lfs diff=lfs merge=lfs -text\n"
            "*.wasm filter=lfs diff=lfs merge=lfs -text\n",
            encoding="utf-8",
        )
    except OSError as error:
        raise ExportError(
            f"{folder} can't be written: {error.strerror}. Make room, or choose another folder."
        ) from error
    return made


def _detector() -> Path:
    package = importlib.util.find_spec("silero_vad")
    if package is None or not package.submodule_search_locations:
        raise SerError("The package silero-vad is missing: pip install -r requirements.txt")
    return Path(package.submodule_search_locations[0]) / "data" / "silero_vad_16k_sequence.onnx"


def _readme(made: Exported) -> str:
    specification = made.held.specification
    return f"""---
title: Emotion in speech
emoji: 🎙️
colorFrom: green
colorTo: gray
sdk: static
app_file: index.html
license: {licence(made.held.card)}
pinned: false
short_description: Recognise emotion in speech in your own browser
custom_headers:
  cross-origin-embedder-policy: require-corp
  cross-origin-opener-policy: same-origin
  cross-origin-resource-policy: cross-origin
---

# Emotion in speech, in the browser

A page that recognises emotion in speech with {specification.name} {specification.version}. The
model runs in the visitor's browser: no recording leaves the device, and nothing is fetched from
anywhere but this folder.

Serve the folder with any web server, `python -m http.server` for instance, and open it there
(opened as a file it does not work), or push it to a static Space. The headers above let the
browser use several threads; without them it uses one.

- What the model was trained on and how well it does: MODEL_CARD.md.
- Rights: LICENSE.md.
- `model.onnx` works without the page too: inputs `waveform` (float32 `[n, \
{specification.input_channels}, time]`, 16000 Hz) and `lengths` (int64 `[n]`), outputs
  `probabilities` and `logits`, in the order of labels.txt.
"""

"""``python -m ser_core export``: its arguments, and what it prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ser_core.errors import SerError

if TYPE_CHECKING:
    from ser_core.audio import Samples
    from ser_core.corpora import Clip
    from ser_core.export.onnx_folder import Exported
    from ser_core.inference.runtime import Runtime

CALIBRATION_CLIPS = 128
VALIDATION_CLIPS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``export`` takes."""
    parser.add_argument("model", metavar="MODEL", help="checkpoint folder")
    parser.add_argument("out", metavar="OUT", help="folder that is written")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--onnx", action="store_true", help="one ONNX file with its description")
    kind.add_argument("--web", action="store_true", help="a static page that runs in the browser")
    parser.add_argument("--int8", action="store_true", help="8-bit weights and activations")
    parser.add_argument(
        "--corpora", metavar="DIR", help="corpora: training speakers for --int8, UAR on validation"
    )
    parser.add_argument("--clips", metavar="DIR", help="clips of training speakers for --int8")
    parser.add_argument("--push", metavar="REPO", help="upload to owner/name on the Hub")


def run(arguments: argparse.Namespace) -> int:
    """Export, measure where corpora are given, push where it was asked for."""
    from ser_core.checkpoints import checkpoint
    from ser_core.export.hub import push
    from ser_core.export.onnx_folder import export_onnx
    from ser_core.export.web_folder import export_web

    held = checkpoint.load(arguments.model).specification
    validation: tuple[Clip, ...] = ()
    sounds: list[Samples] | None = None
    if arguments.corpora:
        training, validation = _sides(Path(arguments.corpora), held.emotions)
        if arguments.int8:
            sounds = _decoded([clip.path for clip in training], held.sample_rate)
    if arguments.int8 and arguments.clips:
        from ser_core.audio import AUDIO_ENDINGS

        found = sorted(Path(arguments.clips).rglob("*"))
        files = [path for path in found if path.suffix.lower() in AUDIO_ENDINGS]
        sounds = _decoded(files[:CALIBRATION_CLIPS], held.sample_rate)
    if arguments.int8 and not sounds:
        raise SerError(
            "--int8 takes the ranges of activations from speech: give --corpora DIR, or --clips "
            "DIR with clips of speakers that the model was trained on."
        )
    exporting = export_web if arguments.web else export_onnx
    made = exporting(arguments.model, arguments.out, calibration_clips=sounds)
    size = made.graph.stat().st_size / 1e6
    print(f"{made.graph}: {size:.1f} MB, probabilities within {made.difference:.1g} of torch")
    if validation:
        _print_uar(made, validation)
    if arguments.push:
        print(push(made, arguments.push, web=arguments.web))
    return 0


def _sides(root: Path, emotions: Sequence[str]) -> tuple[tuple[Clip, ...], tuple[Clip, ...]]:
    """Return clips of training and of validation speakers, spread evenly over each side."""
    from ser_core.corpora import read_all
    from ser_core.corpora.splits import split

    clips = [clip for one in read_all(root) for clip in one.clips if clip.emotion in emotions]
    sides = split(clips)
    if not sides.train or not sides.validation:
        raise SerError(f"{root} holds no clips of both training and validation speakers.")
    return _spread(sides.train, CALIBRATION_CLIPS), _spread(sides.validation, VALIDATION_CLIPS)


def _spread(clips: tuple[Clip, ...], most: int) -> tuple[Clip, ...]:
    step = max(1, len(clips) // most)
    return clips[step // 2 :: step][:most]


def _decoded(files: Sequence[Path], rate: int) -> list[Samples]:
    from ser_core import audio
    from ser_core.audio import speech_detection

    held = (audio.load(file, sample_rate=rate).samples for file in files)
    return [speech_detection.trimmed(samples, rate) for samples in held]


def _print_uar(made: Exported, clips: Sequence[Clip]) -> None:
    """Print the UAR of the exported graph beside that of the checkpoint in torch."""
    from ser_core.export.measure import recall
    from ser_core.inference.onnx_runtime import OnnxRuntime
    from ser_core.inference.torch_runtime import TorchRuntime

    specification = made.held.specification
    runtimes: dict[str, Runtime] = {
        "checkpoint": TorchRuntime(made.held.model),
        "export": OnnxRuntime(made.graph),
    }
    print(f"UAR of {len(clips)} clips of validation speakers", file=sys.stderr)
    for name, runtime in runtimes.items():
        print(f"{name}: {recall(runtime, specification, clips):.4f}")

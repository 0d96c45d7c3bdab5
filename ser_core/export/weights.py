"""Weights of an ONNX graph in fewer bytes: exact halves, or 8-bit integers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ser_core.audio import Samples, mono, stereo
from ser_core.checkpoints.specification import Specification

CALIBRATION_BATCH = 8


def smaller(data: bytes) -> bytes:
    """Return a graph with each large weight in half precision whose values that does not change.

    Checkpoints are shipped in half precision. The graph casts such weights back when it is loaded,
    so that it computes the same in float32 and is half the size.
    """
    import onnx
    from onnx import helper, numpy_helper

    graph = onnx.load_from_string(data)
    casts = []
    for tensor in graph.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < 1024:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if not np.array_equal(half.astype(np.float32), values):
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
        casts.append(
            helper.make_node(
                "Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=onnx.TensorProto.FLOAT
            )
        )
    for place, cast in enumerate(casts):
        graph.graph.node.insert(place, cast)
    small: bytes = graph.SerializeToString()
    return small


def int8(data: bytes, clips: Sequence[Samples], specification: Specification) -> bytes:
    """Return a graph whose convolutions and products of matrices run in 8-bit integers.

    The ranges of activations are taken from the clips (static quantization); weights have a scale
    a channel. The spectrogram and the last layer stay in float32: their cost is small and what
    they would lose is not (Nagel et al. 2021, https://arxiv.org/abs/2106.08295).

    Args:
        data: a graph as ``export`` makes it, fused and not folded.
        clips: ``[channel, time]`` at the model's rate, of speakers that the model was trained on.
        specification: of the model.
    """
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        plain, prepared, small = (Path(folder) / f"{name}.onnx" for name in ("a", "b", "c"))
        plain.write_bytes(data)
        # Optimised, the spectrogram's kernels would be spelled out: 2.5 MB.
        quant_pre_process(
            str(plain), str(prepared), skip_symbolic_shape=True, skip_optimization=True
        )
        kinds = ["Conv", "Gemm", "MatMul"]
        graph = onnx.load(prepared)
        _transpose_weights(graph)
        onnx.save(graph, prepared)
        kept = [
            node.name
            for node in graph.graph.node
            if node.op_type in kinds
            and any(part in node.name for part in ("/transform/", "/log_mel/", "/classifier/"))
        ]
        quantize_static(
            str(prepared),
            str(small),
            _Clips(clips, specification),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=kinds,
            per_channel=True,
            # Weights of seven bits: a processor without VNNI adds two products in 16 bits, which
            # eight bits overflow (onnxruntime.ai, "Quantize ONNX models"): 1 answer in 4 changed.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=kept,
            calibrate_method=CalibrationMethod.MinMax,
            extra_options={"MatMulConstBOnly": True, "CalibMovingAverage": True},
        )
        return small.read_bytes()


def _transpose_weights(model: Any) -> None:
    """Transpose weights here and not at each call: only what is constant is quantised."""
    from onnx import numpy_helper

    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    for node in [one for one in graph.node if one.op_type == "Transpose"]:
        tensor = weights.get(node.input[0])
        if tensor is None:
            continue
        axes = next(list(one.ints) for one in node.attribute if one.name == "perm")
        values = numpy_helper.to_array(tensor).transpose(axes)
        held = numpy_helper.from_array(np.ascontiguousarray(values), node.output[0])
        graph.initializer.append(held)
        graph.node.remove(node)
    used = {name for node in graph.node for name in node.input}
    unused = [tensor for tensor in graph.initializer if tensor.name not in used]
    for tensor in unused:
        graph.initializer.remove(tensor)


class _Clips:
    """Hand clips to the calibration a batch at a time, as its ``CalibrationDataReader`` does."""

    def __init__(self, clips: Sequence[Samples], specification: Specification) -> None:
        self._batches = self._made(clips, specification)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch, or None behind the last."""
        return next(self._batches, None)

    @staticmethod
    def _made(clips: Sequence[Samples], held: Specification) -> Iterator[dict[str, Any]]:
        fitting = mono if held.input_channels == 1 else stereo
        for first in range(0, len(clips), CALIBRATION_BATCH):
            cut = [fitting(clip)[:, : held.samples] for clip in clips[first:][:CALIBRATION_BATCH]]
            lengths = np.array([clip.shape[1] for clip in cut], np.int64)
            waveform = np.zeros((len(cut), held.input_channels, int(lengths.max())), np.float32)
            for row, clip in zip(waveform, cut, strict=True):
                row[:, : clip.shape[1]] = clip
            yield {"waveform": waveform, "lengths": lengths}

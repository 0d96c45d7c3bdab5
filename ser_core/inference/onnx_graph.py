"""A model as an ONNX graph: waveform in, logits out, the front-end inside.

torch traces the model on a batch in which every clip is padded, so that the masks which keep
padding out of an answer are in the graph at every layer. The spectrogram's Fourier transform
becomes a convolution with cosines and sines, since the exporter knows no other.
"""

from __future__ import annotations

import copy
import io
import math
import threading
import warnings
from typing import Any

import torch
from torch import Tensor, nn

from ser_core.checkpoints.calibration import Calibration
from ser_core.checkpoints.model import Model
from ser_core.errors import SerError
from ser_core.frontends.base import FeatureMap, FrontEnd, hide
from ser_core.frontends.convolved_spectrum import ConvolvedSpectrum
from ser_core.frontends.mel import Mel

OPSET = 17

_EXPORTING = threading.Lock()
"""The exporter keeps its state in globals: two models at once, as of two visitors, end it."""


class NotExportableError(SerError):
    """A model that can't be written as an ONNX graph; the message says why."""


class ConvolvedMel(nn.Module):
    """A mel spectrogram as ``torchaudio.transforms.MelSpectrogram``, by convolution.

    Args:
        mel: the front-end whose transform is replaced.

    Shape:
        ``[batch, channel, time]`` to ``[batch, channel, n_mels, 1 + time // hop_length]``.
    """

    def __init__(self, mel: Mel) -> None:
        super().__init__()
        spectrogram, bank = mel.transform.spectrogram, mel.transform.mel_scale.fb
        n_fft, width = int(spectrogram.n_fft), int(spectrogram.win_length)
        used = bank.abs().sum(dim=1).nonzero()[:, 0]
        low, high = int(used.min()), int(used.max()) + 1
        self.spectrum = ConvolvedSpectrum(n_fft, spectrogram.window, mel.hop_length, low, high)
        self.power = mel.power
        # torch pads half a transform on both sides and centres a shorter window in it.
        self.before = n_fft // 2 - (n_fft - width) // 2
        self.behind = 2 * (n_fft // 2) - n_fft + width - self.before
        self.register_buffer("bank", bank[low:high].T.contiguous())

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the spectrogram; see the class for shapes."""
        batch, channels, _ = waveform.shape
        padded = nn.functional.pad(waveform, (self.before, self.behind)).flatten(0, 1)
        power = self.spectrum(padded)
        if self.power == 1:
            power = power.sqrt()
        found = torch.matmul(self.get_buffer("bank"), power)
        return found.reshape(batch, channels, len(self.get_buffer("bank")), -1)


class ConvolvedMelFrontEnd(FrontEnd):
    """``Mel`` with the same values and a transform that can be exported."""

    def __init__(self, mel: Mel) -> None:
        super().__init__()
        self.mel, self.transform = mel, ConvolvedMel(mel)
        self.channels, self.bins, self.layout = mel.channels, mel.bins, mel.layout

    def forward(self, waveform: Tensor, lengths: Tensor) -> FeatureMap:
        """Return the map; see ``Mel``."""
        frames = 1 + lengths // self.mel.hop_length
        values = self.mel.scale(self.transform(hide(waveform, lengths)), frames)
        return FeatureMap(values, frames)


class PlainAttention(nn.Module):
    """``nn.MultiheadAttention`` in operations whose shapes stay free; torch's own are traced fixed.

    Args:
        attention: self-attention with ``batch_first`` and one bias for all three projections.
    """

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        if not attention.batch_first or attention.in_proj_weight is None:
            raise NotExportableError("An attention of this form can't be written as ONNX.")
        self.batch_first, self.heads = True, attention.num_heads
        self.inward = nn.Linear(attention.embed_dim, 3 * attention.embed_dim)
        self.inward.weight, self.inward.bias = attention.in_proj_weight, attention.in_proj_bias
        self.out = attention.out_proj

    def forward(
        self, query: Tensor, key: Tensor, value: Tensor, key_padding_mask: Tensor, **_: Any
    ) -> tuple[Tensor, None]:
        """Return the attended rows ``[batch, frame, size]``.

        Args:
            query, key, value: the same rows, ``[batch, frame, size]``.
            key_padding_mask: minus infinity where a frame is padding, ``[batch, frame]``.
        """
        batch, frames, size = query.shape
        split = self.inward(query).reshape(batch, frames, 3, self.heads, size // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4).unbind(0)  # each (batch, head, frame, size)
        scores = q @ k.transpose(2, 3) / math.sqrt(size // self.heads)
        weights = (scores + key_padding_mask[:, None, None, :]).softmax(dim=-1)
        return self.out((weights @ v).transpose(1, 2).reshape(batch, frames, size)), None


class Graph(nn.Module):
    """What is exported: a model that pads what is too short for its network.

    Args:
        model: in evaluation mode, on the CPU.
        calibration: adds calibrated probabilities behind the logits; None leaves them out.
    """

    def __init__(self, model: Model, calibration: Calibration | None = None) -> None:
        super().__init__()
        self.normaliser, self.backbone = model.normaliser, model.backbone
        self.frontend = exportable(model.frontend)
        self.least = least_samples(model)
        self.temperature = None if calibration is None else calibration.temperature

    def forward(self, waveform: Tensor, lengths: Tensor) -> Any:
        """Return logits ``[n, emotion]``, and probabilities where a calibration was given."""
        silence = waveform.new_zeros(1, 1, self.least).expand(*waveform.shape[:2], self.least)
        longest = torch.clamp(torch._shape_as_tensor(waveform)[2], min=self.least)
        padded = torch.cat([waveform, silence], dim=2)[:, :, :longest]
        logits = self.backbone(self.normaliser(self.frontend(padded, lengths)))
        if self.temperature is None:
            return logits
        return logits, torch.softmax(logits / self.temperature, dim=1)


def exportable(frontend: FrontEnd) -> FrontEnd:
    """Return a front-end that gives the same feature map and can be traced for ONNX.

    Raises:
        NotExportableError: there is none for this one.
    """
    if isinstance(frontend, Mel):
        return ConvolvedMelFrontEnd(frontend)
    other: FrontEnd | None = frontend.exportable()
    if other is None:
        raise NotExportableError(
            f"The front-end {frontend.name} has no form that ONNX can hold; it runs in torch."
        )
    return other


def least_samples(model: Model) -> int:
    """Return the fewest samples that neither the front-end nor the backbone has to pad."""
    least, samples = model.backbone.least, model.frontend.least
    while model.frontend.layout != "vector" and model.frontend.frames(samples) < least:
        samples *= 2
    return samples


def export(
    model: Model,
    *,
    sample_rate: int,
    channels: int,
    calibration: Calibration | None = None,
    fused: bool = True,
    folded: bool = True,
) -> bytes:
    """Return the model as an ONNX file.

    Args:
        model: in evaluation mode; it is left as it is.
        sample_rate: Hz.
        channels: channels of the waveform, 1 or 2.
        calibration: adds the output ``probabilities``; None leaves it out.
        fused: fold batch norm into the weights now; else whoever loads the graph does it, and the
            weights in the file are those of the checkpoint.
        folded: compute now what follows from the weights alone; else the file is smaller.

    Returns:
        A graph with the inputs ``waveform`` (float32 ``[n, channel, time]``) and ``lengths`` (int64
        ``[n]``) and the output ``logits`` (float32 ``[n, emotion]``).

    Raises:
        NotExportableError: the exporter does not know something in it.
    """
    graph = Graph(copy.deepcopy(model).cpu(), calibration).eval()
    for module in list(graph.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.MultiheadAttention):
                setattr(module, name, PlainAttention(child))
    # So long that the shorter clips are padded at every layer, also behind strides of 32.
    long = min(8 * sample_rate, model.frontend.longest or 8 * sample_rate)
    waveform = torch.randn(3, channels, long, generator=torch.Generator().manual_seed(0)) * 0.1
    lengths = torch.tensor([long // 8, long // 5, long // 4])
    outputs = ["logits"] if calibration is None else ["logits", "probabilities"]
    axes = {"waveform": {0: "n", 2: "time"}, "lengths": {0: "n"}}
    file: Any = io.BytesIO()  # the stubs know of paths alone
    mode = torch.onnx.TrainingMode
    _EXPORTING.acquire()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # fused kernels are not ONNX operators
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # on Python values in a trace: they are meant
            torch.onnx.export(
                graph,
                (waveform, lengths),
                file,
                dynamo=False,
                opset_version=OPSET,
                training=mode.EVAL if fused else mode.PRESERVE,
                do_constant_folding=folded,
                input_names=["waveform", "lengths"],
                output_names=outputs,
                dynamic_axes=axes | {name: {0: "n"} for name in outputs},
            )
    except (RuntimeError, TypeError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:200]
        raise NotExportableError(
            f"{model.frontend.name} with {model.backbone.name} can't be written as ONNX: {reason}"
        ) from error
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        _EXPORTING.release()
    data: bytes = file.getvalue()
    return data

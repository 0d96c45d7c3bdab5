"""From audio to a calibrated prediction, with an honest "unsure"."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from ser_core import audio as audio_module
from ser_core import calibration as calibrate
from ser_core import checkpoint, quality, vad
from ser_core.audio import Audio
from ser_core.device import choose_device
from ser_core.errors import SerError
from ser_core.frontends import FeatureMap
from ser_core.model import Model
from ser_core.prediction import Prediction, Window

Samples = NDArray[np.float32]
Source = Audio | str | Path | bytes | BinaryIO
Progress = Callable[[int, int], None]

BATCH = 16
MIN_SPEECH = 0.15
"""Share of a window that must be speech for the window to be judged."""


def forward(model: Model, waveform: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return logits in float32 on the CPU; half precision on CUDA."""
    device = next(model.parameters()).device
    with (
        torch.inference_mode(),
        torch.autocast(device.type, dtype=torch.float16, enabled=device.type == "cuda"),
    ):
        logits: torch.Tensor = model(waveform.to(device), lengths.to(device))
        return logits.float().cpu()


if importlib.util.find_spec("spaces") is not None:
    # On a ZeroGPU Space only functions marked so get the device; elsewhere the mark does nothing.
    import spaces

    forward = spaces.GPU(forward)


def window_starts(samples: int, window: int, hop: int) -> list[int]:
    """Return the first sample of each window; the last window ends with the clip.

    >>> window_starts(100, 40, 20), window_starts(30, 40, 20), window_starts(90, 40, 20)
    ([0, 20, 40, 60], [0], [0, 20, 40, 50])
    """
    if samples <= window:
        return [0]
    starts = list(range(0, samples - window + 1, hop))
    return starts if starts[-1] == samples - window else [*starts, samples - window]


class Recognizer:
    """A checkpoint ready to answer. Safe to share between threads.

    Args:
        folder: the checkpoint.
        device: see ``choose_device``.

    Raises:
        CheckpointError: the folder can't be used; the message says why.
    """

    def __init__(self, folder: str | Path, device: str = "auto") -> None:
        held = checkpoint.load(folder, choose_device(device))
        self.folder = held.folder
        self.model = held.model
        self.specification = held.specification
        self.calibration = held.calibration
        self.metrics = held.metrics
        self.card = held.card
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The model's name."""
        return self.specification.name

    @property
    def version(self) -> str:
        """The checkpoint's version."""
        return self.specification.version

    @property
    def emotions(self) -> tuple[str, ...]:
        """The emotions in the order of the logits."""
        return self.specification.emotions

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.model.parameters()).device

    def _channels(self, samples: Samples) -> Samples:
        wanted = self.specification.input_channels
        if samples.shape[0] == wanted:
            return samples
        return audio_module.mono(samples) if wanted == 1 else audio_module.stereo(samples)

    def batch(self, pieces: Sequence[Samples]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return padded waveforms ``[n, channel, window]`` and their valid lengths ``[n]``.

        Args:
            pieces: waveforms ``[channel, time]`` at the model's rate, each at most one window.
        """
        window = self.specification.samples
        out = np.zeros((len(pieces), self.specification.input_channels, window), np.float32)
        for row, piece in zip(out, pieces, strict=True):
            row[:, : piece.shape[1]] = self._channels(piece)[:, :window]
        lengths = [min(p.shape[1], window) for p in pieces]
        return torch.from_numpy(out), torch.tensor(lengths, dtype=torch.int64)

    def logits(
        self, pieces: Sequence[Samples], progress: Progress | None = None
    ) -> NDArray[np.float64]:
        """Return logits ``[n, emotion]`` of waveforms no longer than one window each."""
        rows = []
        for first in range(0, len(pieces), BATCH):
            waveform, lengths = self.batch(pieces[first : first + BATCH])
            with self._lock:
                rows.append(forward(self.model, waveform, lengths).double().numpy())
            if progress is not None:
                progress(min(first + BATCH, len(pieces)), len(pieces))
        if not rows:
            return np.zeros((0, len(self.emotions)))
        return np.concatenate(rows)

    def clip_logits(self, waveforms: Sequence[Samples]) -> NDArray[np.float64]:
        """Return logits ``[n, emotion]`` of waveforms of any length, averaged over windows."""
        window, rate = self.specification.samples, self.specification.sample_rate
        pieces: list[Samples] = []
        owner: list[int] = []
        for index, waveform in enumerate(waveforms):
            samples = vad.trimmed(waveform, rate) if self.specification.trim_silence else waveform
            for start in window_starts(samples.shape[1], window, window // 2):
                pieces.append(samples[:, start : start + window])
                owner.append(index)
        logits = self.logits(pieces)
        summed = np.zeros((len(waveforms), len(self.emotions)))
        np.add.at(summed, owner, logits)
        return summed / np.bincount(owner, minlength=len(waveforms))[:, None]

    def probabilities(self, waveforms: Sequence[Samples]) -> NDArray[np.float64]:
        """Return calibrated probabilities ``[n, emotion]`` of waveforms ``[channel, time]``."""
        return self.calibration.probabilities(self.clip_logits(waveforms))

    def features(self, samples: Samples) -> FeatureMap:
        """Return the normalised feature map of one window, on the CPU."""
        waveform, lengths = self.batch([samples])
        with torch.inference_mode():
            found = self.model.features(waveform.to(self.device), lengths.to(self.device))
        return FeatureMap(found.values.cpu(), found.lengths.cpu())

    def predict(
        self, source: Source, *, name: str | None = None, progress: Progress | None = None
    ) -> Prediction:
        """Return the prediction for one clip.

        Args:
            source: audio, a file, its bytes, or an open file.
            name: the name to report; None means the source's own.
            progress: called with windows done and windows in all.

        Raises:
            AudioError: the clip can't be decoded or holds no sound.
        """
        clip = source if isinstance(source, Audio) else self.load(source, name)
        found = quality.inspect(clip)
        window = self.specification.samples
        rate = clip.sample_rate
        segments = (
            [] if found.reject else vad.speech_segments(audio_module.mono(clip.samples)[0], rate)
        )
        first, end = 0, clip.samples.shape[1]
        if self.specification.trim_silence:
            first, end = vad.spoken_span(segments, end, rate)
        starts = [first + s for s in window_starts(end - first, window, window // 2)]
        bounds = [(s / rate, min(s + window, end) / rate) for s in starts]
        shares = [_overlap(segments, start, end) for start, end in bounds]
        if found.reject is not None or not segments:
            reason = found.reject or (
                "No speech was found in the clip. Record closer to the microphone, "
                "or choose a part in which somebody speaks."
            )
            return self._nothing(clip, name, reason, bounds, shares, found.warnings)
        pieces = [clip.samples[:, s : min(s + window, end)] for s in starts]
        logits = self.logits(pieces, progress)
        judged = np.array([share >= MIN_SPEECH for share in shares])
        if not judged.any():
            judged[int(np.argmax(shares))] = True
        mean = logits[judged].mean(axis=0)
        probabilities = self.calibration.probabilities(mean)
        by_window = self.calibration.probabilities(logits)
        doubt = float(calibrate.entropy(probabilities))
        top = int(np.argmax(probabilities))
        return Prediction(
            file=name if name is not None else clip.name,
            emotion=self.emotions[top],
            confidence=float(probabilities[top]),
            probabilities=self._named(probabilities),
            entropy=doubt,
            unsure=self._doubt(mean, doubt),
            conformal_set=tuple(
                self.emotions[i] for i in self.calibration.conformal_set(probabilities)
            ),
            windows=tuple(
                Window(
                    start,
                    end,
                    self.emotions[int(np.argmax(row))] if ok else None,
                    self._named(row if ok else np.full(len(row), 1 / len(row))),
                    share,
                )
                for (start, end), row, ok, share in zip(
                    bounds, by_window, judged, shares, strict=True
                )
            ),
            warnings=found.warnings,
            model={"name": self.name, "version": self.version},
            seconds=clip.seconds,
            sha256=clip.sha256,
            speech=tuple(segments),
            entropy_limit=self.calibration.entropy_limit,
        )

    def predict_many(
        self, sources: Iterable[str | Path], progress: Callable[[], None] | None = None
    ) -> Iterator[Prediction | tuple[str, SerError]]:
        """Yield a prediction, or the name and the error, for each file."""
        for source in sources:
            try:
                yield self.predict(source)
            except SerError as error:
                yield str(source), error
            if progress is not None:
                progress()

    def load(self, source: str | Path | bytes | BinaryIO, name: str | None = None) -> Audio:
        """Decode a clip at the model's rate."""
        return audio_module.load(source, name=name, sample_rate=self.specification.sample_rate)

    def _named(self, row: NDArray[np.float64]) -> dict[str, float]:
        return {e: float(p) for e, p in zip(self.emotions, row, strict=True)}

    def _doubt(self, logits: NDArray[np.float64], doubt: float) -> str | None:
        limit = self.calibration.energy_limit
        if limit is not None and float(calibrate.energy(logits)) < limit:
            return "This does not sound like the speech that the model was trained on."
        if doubt > self.calibration.entropy_limit:
            return "Several emotions are about equally likely."
        return None

    def _nothing(
        self,
        clip: Audio,
        name: str | None,
        reason: str,
        bounds: Sequence[tuple[float, float]],
        shares: Sequence[float],
        warnings: tuple[str, ...],
    ) -> Prediction:
        count = len(self.emotions)
        even = self._named(np.full(count, 1 / count))
        return Prediction(
            file=name if name is not None else clip.name,
            emotion=None,
            confidence=1 / count,
            probabilities=even,
            entropy=1.0,
            unsure=reason,
            conformal_set=self.emotions,
            windows=tuple(
                Window(start, end, None, even, share)
                for (start, end), share in zip(bounds, shares, strict=True)
            ),
            warnings=warnings,
            model={"name": self.name, "version": self.version},
            seconds=clip.seconds,
            sha256=clip.sha256,
        )


def _overlap(segments: Sequence[tuple[float, float]], start: float, end: float) -> float:
    held = sum(max(0.0, min(end, b) - max(start, a)) for a, b in segments)
    return held / (end - start) if end > start else 0.0

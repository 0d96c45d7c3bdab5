"""Hear clips the way the page does, fast: what `Recognizer.predict` would say, by the thousand.

The same steps as at the page, in the same order: the clip's quality, where somebody speaks, silent
ends left out where the model wants it, windows in which hardly anybody speaks left out, the mean of
the others. Different is only the arithmetic: batches over clips, and half precision where the
processor gains from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from ser_core import audio, quality, vad
from ser_core.audio import Audio
from ser_core.frontends.base import FeatureMap
from ser_core.recognizer import MIN_SPEECH, Recognizer, window_starts
from trainer.learner import autocast_dtype
from trainer.observe import Samples

BATCH = 32
AHEAD = 64
"""Clips that are decoded, changed and searched for speech while the model is at work."""

SILENT, WORDLESS = "silent or too short", "nobody speaks"
"""Why a clip gets no answer before the model is asked."""


@dataclass(frozen=True)
class Speech:
    """What is known of a clip before any model hears it.

    Attributes:
        refusal: why the page gives no answer, or "".
        segments: where somebody speaks, (start, end) in seconds.
    """

    refusal: str
    segments: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Heard:
    """Logits ``[clip, emotion]``, and for each clip why the page gives no answer ("" if it does).

    A clip without an answer has logits all the same, of its whole length, so that it can be
    scored: a model isn't better for keeping silent.
    """

    logits: npt.NDArray[np.float64]
    refusals: tuple[str, ...]


def find_speech(samples: Samples, rate: int) -> Speech:
    """Judge a clip's quality and find its speech.

    Args:
        samples: ``[channel, time]``, full scale is 1.0.
        rate: hertz.
    """
    if quality.inspect(Audio(samples, rate, rate, "", "")).reject is not None:
        return Speech(SILENT, ())
    found = tuple(vad.speech_segments(audio.mono(samples)[0], rate))
    return Speech("" if found else WORDLESS, found)


def windows(
    samples: int, speech: Speech, *, window: int, rate: int, trim: bool
) -> list[tuple[int, int]]:
    """Return the (first, end) samples of the windows that are judged.

    Args:
        samples: length of the clip.
        speech: of `find_speech`.
        window: length of one, in samples.
        rate: hertz.
        trim: silent ends are left out.
    """
    first, end = 0, samples
    if trim:
        first, end = vad.spoken_span(speech.segments, samples, rate)
    starts = [first + start for start in window_starts(end - first, window, window // 2)]
    bounds = [(start, min(start + window, end)) for start in starts]
    if speech.refusal:
        return bounds
    shares = [_spoken(speech.segments, a / rate, b / rate) for a, b in bounds]
    judged = [pair for pair, share in zip(bounds, shares, strict=True) if share >= MIN_SPEECH]
    return judged or [bounds[int(np.argmax(shares))]]


def _spoken(segments: Sequence[tuple[float, float]], start: float, end: float) -> float:
    held = sum(max(0.0, min(end, b) - max(start, a)) for a, b in segments)
    return held / (end - start) if end > start else 0.0


def hear(
    model: Recognizer,
    count: int,
    load: Callable[[int], Samples],
    *,
    speech: Callable[[int, Samples], Speech] | None = None,
    precision: str = "auto",
    workers: int = 2,
    progress: Callable[[int], None] | None = None,
) -> Heard:
    """Let a model hear clips.

    Args:
        model: what hears them.
        count: how many clips there are.
        load: number of a clip -> its waveform ``[channel, time]`` at the model's rate; called from
            several threads.
        speech: number and waveform -> `Speech`, for those who remember it; None finds it.
        precision: "auto", "fp32", "bf16" or "fp16", as in the settings of a training run.
        workers: threads that load while the model is at work.
        progress: called with the number of clips done since the last call.
    """
    specification = model.specification
    rate, window = specification.sample_rate, specification.samples
    trim = specification.trim_silence
    forward = _Forward(model, precision)
    pieces: list[Samples] = []
    owners: list[int] = []
    refusals = [""] * count
    summed = np.zeros((count, len(model.emotions)))
    number = np.zeros(count)

    def fetch(index: int) -> tuple[Samples, Speech]:
        samples = load(index)
        return samples, speech(index, samples) if speech else find_speech(samples, rate)

    def run(size: int) -> None:
        logits = forward(pieces[:size])
        np.add.at(summed, owners[:size], logits)
        np.add.at(number, owners[:size], 1)
        del pieces[:size], owners[:size]

    for index, (samples, found) in enumerate(_ahead(fetch, count, workers)):
        refusals[index] = found.refusal
        for start, end in windows(samples.shape[1], found, window=window, rate=rate, trim=trim):
            pieces.append(samples[:, start:end])
            owners.append(index)
        while len(pieces) >= BATCH:
            run(BATCH)
        if progress is not None:
            progress(1)
    if pieces:
        run(len(pieces))
    return Heard(summed / number[:, None], tuple(refusals))


class _Forward:
    """The model on batches of windows, in the precision that pays."""

    def __init__(self, model: Recognizer, precision: str) -> None:
        self.model, self.device = model, model.device
        self.dtype = autocast_dtype(precision, self.device)
        if self.device.type in ("cpu", "cuda"):
            # The stubs of Module.to leave memory_format out.
            model.model.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, pieces: Sequence[Samples]) -> npt.NDArray[np.float64]:
        waveform, lengths = self.model.batch(pieces)
        with torch.inference_mode():
            found = self.model.model.features(waveform.to(self.device), lengths.to(self.device))
            values = found.values.contiguous(memory_format=torch.channels_last)
            with torch.autocast(self.device.type, self.dtype, enabled=self.dtype is not None):
                logits = self.model.model.backbone(FeatureMap(values, found.lengths))
        found_logits: npt.NDArray[np.float64] = logits.double().cpu().numpy()
        return found_logits


def _ahead(
    fetch: Callable[[int], tuple[Samples, Speech]], count: int, workers: int
) -> Iterator[tuple[Samples, Speech]]:
    """Yield what ``fetch`` makes of 0 to ``count - 1``, in order, made a little ahead of time."""
    if workers < 1:
        yield from map(fetch, range(count))
        return
    with ThreadPoolExecutor(workers) as pool:
        waiting = [pool.submit(fetch, index) for index in range(min(AHEAD, count))]
        for index in range(count):
            yield waiting.pop(0).result()
            if index + AHEAD < count:
                waiting.append(pool.submit(fetch, index + AHEAD))

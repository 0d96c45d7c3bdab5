"""A checkpoint that answers: the pipeline, and what its calibration makes of the logits."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from ser_core import audio
from ser_core.audio import Audio
from ser_core.checkpoints import calibration as calibrate
from ser_core.checkpoints import checkpoint
from ser_core.device import asks_for_lent, autocast_dtype, choose_device
from ser_core.errors import SerError
from ser_core.inference import abstention
from ser_core.inference.dynamic_batching import DynamicBatching
from ser_core.inference.fair_lock import FairLock
from ser_core.inference.onnx_runtime import OnnxRuntime, on_processor, open_runtime, user_cache
from ser_core.inference.pipeline import BATCH, Pipeline, Progress, WindowLogits
from ser_core.inference.prediction import Prediction
from ser_core.inference.runtime import Runtime
from ser_core.inference.timeline import Window
from ser_core.inference.windows import SpeechActivity, detect_speech

if TYPE_CHECKING:
    import torch

    from ser_core.checkpoints.model import Model
    from ser_core.frontends.base import ChangeFeatures
    from ser_core.inference.torch_runtime import TorchRuntime
    from ser_core.inference.voice import Voice

AudioSource = Audio | str | Path | bytes | BinaryIO
if TYPE_CHECKING:
    Neutral = Voice | AudioSource | Sequence[AudioSource]


SECONDS_AT_ONCE = 12.0
"""Sound in one batch on a processor: that long at most a short clip waits for the one before it."""

ROWS_ON_GPU = 32


class Recognizer:
    """A checkpoint ready to answer. Safe to share between threads.

    Args:
        folder: the checkpoint.
        device: see ``choose_device``. On a processor the network runs in ONNX Runtime; torch is
            imported only to write its graph, once, and for what needs gradients or dropout.
        graphs: folder in which the graphs are kept; None is one in the user's cache.

    Raises:
        CheckpointError: the folder can't be used; the message says why.
    """

    def __init__(
        self, folder: str | Path, device: str = "auto", *, graphs: str | Path | None = None
    ) -> None:
        held = checkpoint.describe(folder)
        self.folder = held.folder
        self.specification = held.specification
        self.calibration = held.calibration
        self.metrics = held.metrics
        self.card = held.card
        self.lock = FairLock()
        """Held while the network runs in torch."""
        self._loading = threading.Lock()
        self._model: Model | None = None
        self._wish = device
        self.speaker: Voice | None = None
        """The voice that predictions are relative to (see ``relative_to``)."""
        opened = open_runtime(
            self.folder,
            self.specification,
            lambda: self.model,
            cache=user_cache() if graphs is None else graphs,
            device=device,
        )
        in_onnx = isinstance(opened.runtime, OnnxRuntime)
        on_gpu = not in_onnx and not on_processor(device)
        self.runtime: Runtime = (
            opened.runtime  # each visitor's seconds of the device are counted apart
            if asks_for_lent(device)
            else DynamicBatching(
                opened.runtime if in_onnx else self.torch_runtime(),
                rows=ROWS_ON_GPU
                if on_gpu
                else max(1, round(SECONDS_AT_ONCE / held.specification.seconds)),
            )
        )
        self.note = opened.note
        """Why a network runs in torch that might run faster, or ""."""

    @property
    def model(self) -> Model:
        """The model in torch, read when it is first asked for."""
        with self._loading:
            if self._model is None:
                self._model = checkpoint.load(self.folder, choose_device(self._wish)).model
            return self._model

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

    def torch_runtime(
        self, *, precision: str | None = None, change: ChangeFeatures | None = None
    ) -> TorchRuntime:
        """Return a runtime of this model that may be handed to ``predict`` or a pipeline.

        Args:
            precision: see ``autocast_dtype``; None is half precision on CUDA, float32 elsewhere.
            change: made to each clip's picture; see `Model.features`.
        """
        from ser_core.inference.torch_runtime import TorchRuntime

        offset = None if self.speaker is None else self.speaker.offset
        return TorchRuntime(
            self.model, precision=precision, change=change, offset=offset, lock=self.lock
        )

    def runtime_in(self, precision: str) -> Runtime:
        """Return a runtime of a given precision: the usual one where that has it.

        Args:
            precision: see ``autocast_dtype``.
        """
        plain = autocast_dtype(precision, self.device) is None and self.device.type == "cpu"
        return self.runtime if plain else self.torch_runtime(precision=precision)

    def pipeline(self, runtime: Runtime | None = None, *, batch_size: int = BATCH) -> Pipeline:
        """Return the way from sound to this model's logits.

        Args:
            runtime: runs the network; None is the usual one.
            batch_size: windows that go through the network together.
        """
        return Pipeline(self.specification, runtime or self.runtime, batch_size=batch_size)

    def predict(
        self,
        source: AudioSource,
        *,
        name: str | None = None,
        speech: SpeechActivity | None = None,
        runtime: Runtime | None = None,
        neutral: Neutral | None = None,
        progress: Progress | None = None,
    ) -> Prediction:
        """Return the prediction for one clip.

        Args:
            source: audio, a file, its bytes, or an open file.
            name: the name to report; None means the source's own.
            speech: where somebody speaks, if that is known already.
            runtime: another way to run the network (see ``torch_runtime``).
            neutral: clips of the speaker's ordinary speech, to predict relative to that voice, or
                the voice itself (see ``voice``); it goes over ``runtime``.
            progress: called with windows done and windows in all.

        Raises:
            AudioError: the clip can't be decoded or holds no sound.
            SerError: the model takes no account of voices, or nobody speaks in ``neutral``.
        """
        if neutral is not None:
            own = self.relative_to(self._voice_of(neutral))
            return own.predict(source, name=name, speech=speech, progress=progress)
        clip = source if isinstance(source, Audio) else self.load(source, name)
        found = self.pipeline(runtime).run(
            [clip],
            lambda clip: clip,
            detect=None if speech is None else lambda _, clip: speech,
            progress=progress,
        )
        return self._prediction(_raised(next(found)[1]), name)

    def predict_many(
        self,
        sources: Iterable[AudioSource],
        *,
        workers: int = 2,
        batch_size: int = BATCH,
        runtime: Runtime | None = None,
        neutral: Neutral | None = None,
        progress: Progress | None = None,
    ) -> Iterator[Prediction | SerError]:
        """Yield the prediction for each clip, or the error that it failed with, in order.

        Clips share batches, and are decoded while the network is at work; the predictions are
        those of ``predict``. Sources are taken only a little ahead of time.

        Args:
            sources: as for ``predict``.
            workers: threads that decode and detect speech; 0 does it in between.
            batch_size: windows that go through the network together.
            runtime: another way to run the network.
            neutral: as for ``predict``, for all clips.
            progress: called with the windows done and the windows known so far.
        """
        if neutral is not None:
            own = self.relative_to(self._voice_of(neutral))
            yield from own.predict_many(
                sources, workers=workers, batch_size=batch_size, progress=progress
            )
            return
        found = self.pipeline(runtime, batch_size=batch_size).run(
            sources,
            lambda source: source if isinstance(source, Audio) else self.load(source),
            workers=workers,
            tolerant=True,
            progress=progress,
        )
        for _, one in found:
            yield one if isinstance(one, SerError) else self._prediction(one)

    def voice(self, sources: Sequence[AudioSource]) -> Voice:
        """Return a speaker's voice from 10 to 20 s of ordinary speech, for ``predict``.

        Raises:
            SerError: the model takes no account of voices, or nobody speaks in the clips.
        """
        from ser_core.inference.voice import learn_voice

        return learn_voice(self, sources)

    def relative_to(self, voice: Voice) -> Recognizer:
        """Return this model as it hears one speaker; everything but the voice is shared.

        Args:
            voice: from ``voice`` of the same checkpoint; it goes through torch.
        """
        model = self.model  # loaded before it is shared
        own = copy.copy(self)
        own.speaker, own._model = voice, model
        own.runtime = own.torch_runtime()
        return own

    def _voice_of(self, neutral: Neutral) -> Voice:
        from ser_core.inference.voice import Voice

        if isinstance(neutral, Voice):
            return neutral
        listed = isinstance(neutral, Sequence) and not isinstance(neutral, str | bytes)
        return self.voice(neutral if listed else [neutral])  # type: ignore[arg-type, list-item]

    def load(self, source: str | Path | bytes | BinaryIO, name: str | None = None) -> Audio:
        """Decode a clip at the model's rate."""
        return audio.load(source, name=name, sample_rate=self.specification.sample_rate)

    def windows(self, clip: Audio) -> WindowLogits:
        """Return the windows that a prediction of the clip is made from, without running it."""
        activity = detect_speech(clip)
        return self.pipeline().planned(clip, activity)

    def _prediction(self, found: WindowLogits, name: str | None = None) -> Prediction:
        """Return what the calibration makes of a clip's logits."""
        clip, activity, plan = found.clip, found.activity, found.plan
        asked = activity.abstention is None
        even = np.full(len(self.emotions), 1 / len(self.emotions))
        shares = self.calibration.probabilities(found.logits) if asked else even
        reason = abstention.of_model(self.calibration, found.logits) if asked else None
        abstained = activity.abstention or reason
        top = int(np.argmax(shares))
        rows = self.calibration.probabilities(found.by_window)
        held = self.calibration.conformal_set(shares) if asked else range(len(self.emotions))
        windows = []
        for bounds, row, judged, speech in zip(
            plan.bounds, rows, plan.judged, plan.speech, strict=True
        ):
            start, end = (place / clip.sample_rate for place in bounds)
            emotion = self.emotions[int(np.argmax(row))] if asked and judged else None
            named = self._named(even if emotion is None else row)
            windows.append(Window(start, end, emotion, named, speech))
        return Prediction(
            file=name if name is not None else clip.name,
            emotion=self.emotions[top] if asked else None,
            confidence=float(shares[top]),
            probabilities=self._named(shares),
            entropy=float(calibrate.entropy(shares)),
            abstained=None if abstained is None else abstained.message,
            conformal_set=tuple(self.emotions[place] for place in held),
            windows=tuple(windows),
            warnings=activity.warnings,
            model=self._named_model(),
            seconds=clip.seconds,
            sha256=clip.sha256,
            speech=activity.segments,
            entropy_limit=self.calibration.entropy_limit,
        )

    def _named_model(self) -> dict[str, str]:
        named = {"name": self.name, "version": self.version}
        if self.speaker is not None:
            named["relative_to"] = f"{self.speaker.seconds:.0f} s of neutral speech"
        return named

    def _named(self, row: NDArray[np.float64]) -> dict[str, float]:
        return {e: float(p) for e, p in zip(self.emotions, row, strict=True)}


def _raised(found: WindowLogits | SerError) -> WindowLogits:
    if isinstance(found, SerError):
        raise found
    return found

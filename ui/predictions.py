"""Predictions of clips, kept by model version so that no clip is predicted twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core.errors import SerError
from ser_core.home import Home
from ui.catalogue import Source
from ui.services import Services

if TYPE_CHECKING:
    from ser_core.inference.prediction import Prediction
    from ser_core.inference.recognizer import AudioSource, Recognizer

_LOCK = threading.Lock()
_KNOWN: dict[Path, tuple[int, dict[str, ClipPrediction]]] = {}


@dataclass(frozen=True, slots=True)
class ClipPrediction:
    """The prediction of one clip.

    Attributes:
        probabilities: emotion -> probability; {} where it found no speech to judge.
        information: what draws of the model differ in, in nats; None where none were made.
    """

    probabilities: Mapping[str, float]
    information: float | None = None


class PredictionCache:
    """The predictions of one version of the model, by clip.

    Args:
        services: model and home.
        version: of the model; the one that serves by default.
    """

    def __init__(self, services: Services, version: str = "") -> None:
        self._services = services
        version = version or services.champion()["version"] or "none"
        safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in version)
        self.path = Home(services.home).predictions(safe)

    def all(self) -> dict[str, ClipPrediction]:
        """Return clip -> prediction; what others added meanwhile is read again."""
        with _LOCK:
            return dict(self._read())

    def count(self, *, draws: bool = False) -> int:
        """Return of how many clips something is known, with ``draws`` of how many that too."""
        with _LOCK:
            return known_to(self._read().values(), draws=draws)

    def _read(self) -> dict[str, ClipPrediction]:
        done, known = _KNOWN.get(self.path, (0, {}))
        try:
            with self.path.open("rb") as file:
                file.seek(done)
                lines = file.read()
        except FileNotFoundError:
            return {}
        whole = lines[: lines.rfind(b"\n") + 1]
        for line in whole.splitlines():
            try:
                row = json.loads(line)
                known[row["clip"]] = ClipPrediction(row["probabilities"], row.get("information"))
            except (ValueError, KeyError, TypeError):  # a torn line: asked again next time
                continue
        _KNOWN[self.path] = (done + len(whole), known)
        return known

    def get(self, sha: str) -> ClipPrediction | None:
        """Return the prediction of a clip, None where there is none."""
        with _LOCK:
            return self._read().get(sha)

    def add(self, found: Mapping[str, ClipPrediction]) -> None:
        """Keep more; where the disk doesn't take it, the model is asked again another time."""
        lines = "".join(json.dumps(_row(sha, entry)) + "\n" for sha, entry in found.items())
        with _LOCK:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a", encoding="utf-8") as file:
                    file.write(lines)
            except OSError:  # a cache on a full disk or in a read-only folder
                return

    def ask(
        self,
        sources: Iterable[tuple[str, Source]],
        progress: Callable[[int], None] | None = None,
    ) -> tuple[int, list[str]]:
        """Predict clips that have no prediction yet.

        Args:
            sources: (hash, source) of each.
            progress: called with how many are done.

        Returns:
            How many were predicted, and a sentence for each that could not be.
        """
        known = self.all()
        wrong: list[str] = []
        done = 0
        for place, (sha, source) in enumerate(sources):
            if sha not in known and source.path is not None:
                try:
                    predict_clip(self._services, sha, source.path, name=source.name)
                    done += 1
                except SerError as error:
                    wrong.append(str(error))
            if progress is not None:
                progress(place + 1)
        return done, wrong


def predict_clip(
    services: Services,
    sha: str,
    sound: AudioSource,
    *,
    name: str | None = None,
    recognizer: Recognizer | None = None,
    draws: bool = False,
) -> Prediction:
    """Predict a clip, and keep the prediction for the queue's order.

    Args:
        services: model and home.
        sha: the clip's hash, which also seeds the draws.
        sound: the clip.
        name: what it is called in messages.
        recognizer: the model; the one that serves by default.
        draws: draw from the model as well, for the order that goes by what the draws differ in.
            They need torch, and twice the time.

    Raises:
        SerError: the clip or the model can't be used.
    """
    recognizer = recognizer or services.serving.recognizer
    if draws:
        prediction, spread = _with_draws(recognizer, sha, sound, name)
    else:
        prediction, spread = recognizer.predict(sound, name=name), None
    entry = ClipPrediction(
        prediction.probabilities if prediction.emotion is not None else {}, spread
    )
    kept = PredictionCache(services, recognizer.version)
    before = kept.get(sha)
    if before is None or (before.information is None and spread is not None):
        kept.add({sha: entry})
    return prediction


def _with_draws(
    recognizer: Recognizer, sha: str, sound: AudioSource, name: str | None
) -> tuple[Prediction, float | None]:
    import numpy as np

    from ser_core.inference.monte_carlo_dropout import information, predict_with_dropout

    rng = np.random.default_rng(int(sha[:16], 16))
    found = predict_with_dropout(recognizer, sound, rng, name=name)
    return found.prediction, None if found.samples is None else information(found.samples)


def known_to(found: Iterable[ClipPrediction], *, draws: bool) -> int:
    """Return how many predictions an order can use, one that goes by draws or another."""
    return sum(one.information is not None or not draws for one in found)


def out_of_sample(services: Services, source: Source) -> bool:
    """Return whether the model that serves never had the clip's speaker in training.

    Speakers of the committed tables have a side for good. Of any other corpus only the shipped
    model is known not to have had it; a model trained here may have.
    """
    if source.side:
        return source.side != "train"
    from ui.champion_line import champion

    shipped = champion(services.home, type(services.settings).model, True)
    return services.champion()["version"] == shipped["version"]


def _row(sha: str, entry: ClipPrediction) -> dict[str, Any]:
    shares = {name: round(share, 6) for name, share in entry.probabilities.items()}
    spread = entry.information
    return {"clip": sha, "probabilities": shares} | (
        {} if spread is None else {"information": round(spread, 6)}
    )


def worthwhile(known: int, total: int) -> int:
    """Return how many new predictions make it worth ordering everything anew.

    >>> worthwhile(0, 40), worthwhile(0, 50_000), worthwhile(20_000, 50_000)
    (1, 250, 1000)
    """
    return max(1, total // 200, known // 20)

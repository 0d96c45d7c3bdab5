"""What the model said of clips, kept by model version so that nobody waits for it twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from ser_core.errors import SerError
from ui.corpus_catalogue import Source
from ui.services import Services

_LOCK = threading.Lock()
_KNOWN: dict[Path, tuple[int, dict[str, dict[str, float]]]] = {}


class Opinions:
    """Probabilities by clip of the model that serves.

    Args:
        services: model and home.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        version = services.champion()["version"] or "none"
        safe = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in version)
        self.path = services.home / "cache" / f"opinions-{safe}.jsonl"

    def all(self) -> Mapping[str, Mapping[str, float]]:
        """Return clip -> emotion -> probability; what others added meanwhile is read again."""
        with _LOCK:
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
                    known[row["clip"]] = row["probabilities"]
                except (ValueError, KeyError, TypeError):  # a torn line: asked again next time
                    continue
            _KNOWN[self.path] = (done + len(whole), known)
            return dict(known)

    def add(self, found: Mapping[str, Mapping[str, float]]) -> None:
        """Keep more."""
        lines = "".join(
            json.dumps({"clip": sha, "probabilities": dict(values)}) + "\n"
            for sha, values in found.items()
        )
        with _LOCK:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(lines)

    def ask(
        self,
        sources: Iterable[tuple[str, Source]],
        progress: Callable[[int], None] | None = None,
    ) -> tuple[int, list[str]]:
        """Let the model judge clips that it has not judged yet.

        Args:
            sources: (hash, source) of each.
            progress: called with how many are done.

        Returns:
            How many were judged, and a sentence for each that could not be.
        """
        known = self.all()
        recognizer = self._services.serving.recognizer
        wrong: list[str] = []
        judged = 0
        for place, (sha, source) in enumerate(sources):
            if sha not in known and source.path is not None:
                try:
                    said = recognizer.predict(source.path, name=source.name)
                    if said.emotion is not None:
                        self.add({sha: said.probabilities})
                    judged += 1
                except SerError as error:
                    wrong.append(str(error))
            if progress is not None:
                progress(place + 1)
        return judged, wrong

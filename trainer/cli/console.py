"""What a person in front of the terminal sees of a verb at work."""

from __future__ import annotations

import sys
from typing import Any

from trainer.training.callbacks import Callbacks


class Console:
    """A bar with rate and remaining time in a terminal, plain lines elsewhere.

    Args:
        terminal: whether stderr is one.
    """

    def __init__(self, terminal: bool) -> None:
        from tqdm import tqdm

        self._make = tqdm
        self.terminal = terminal
        self.bar: Any = None

    def log(self, line: str) -> None:
        """Print a line beside the bar."""
        if self.terminal:
            self._make.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def step(self, done: int, total: int, loss: float) -> None:
        """Show a training step."""
        self._advance(done, total, "training", f"loss {loss:.3f}")

    def decoding(self, done: int, total: int) -> None:
        """Show a decoded clip."""
        self._advance(done, total, "decoding", "")

    def fetching(self, done: int, total: int) -> None:
        """Show bytes or files that came."""
        self._advance(done, total, "fetching", "")

    def predicting(self, done: int, total: int) -> None:
        """Show a clip that was evaluated."""
        self._advance(done, total, "predicting", "")

    def _advance(self, done: int, total: int, what: str, beside: str) -> None:
        if not self.terminal:
            return
        if self.bar is None or self.bar.desc != f"{what}: ":
            if self.bar is not None:
                self.bar.close()
            self.bar = self._make(
                total=total or None,
                initial=done - 1,
                desc=what,
                file=sys.stderr,
                leave=False,
                unit_scale=what == "fetching",
            )
        self.bar.set_postfix_str(beside, refresh=False)
        self.bar.update(done - self.bar.n)
        if 0 < total <= done:
            self.bar.close()
            self.bar = None

    def callbacks(self) -> Callbacks:
        """Return whom the training loop tells."""
        return Callbacks(self.log, self.step)

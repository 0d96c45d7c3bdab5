"""SER_HOME: every path in it, named in one place."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

HomeLike = str | os.PathLike[str]
"""SER_HOME as a path, or a `Home`."""


@dataclass(frozen=True)
class Home:
    """The folder of everything that is kept.

    The names below are part of what old homes hold: change none of them.

    Args:
        root: SER_HOME.

    >>> Home("data").champion.as_posix()
    'data/models/champion.json'
    """

    root: Path

    def __init__(self, root: HomeLike) -> None:
        object.__setattr__(self, "root", Path(root))

    def __fspath__(self) -> str:
        """Stand for the folder itself wherever a path is taken."""
        return str(self.root)

    # What people gave; never deleted by the program.

    @property
    def clips(self) -> Path:
        """Labelled clips, by the SHA-256 of their bytes."""
        return self.root / "clips"

    @property
    def labels(self) -> Path:
        """Label events."""
        return self.root / "labels"

    @property
    def corpora(self) -> Path:
        """One folder a corpus."""
        return self.root / "corpora"

    @property
    def voices(self) -> Path:
        """Neutral speech of named speakers."""
        return self.root / "voices"

    @property
    def noises(self) -> Path:
        """Background recordings for augmentation."""
        return self.root / "noises"

    @property
    def guidelines(self) -> Path:
        """How clips are to be labelled, in Markdown; written on the page or by hand."""
        return self.root / "guidelines.md"

    # What was trained.

    @property
    def models(self) -> Path:
        """One folder a trained version."""
        return self.root / "models"

    def version(self, name: str) -> Path:
        """The checkpoint of a version."""
        return self.models / name

    @property
    def champion(self) -> Path:
        """The pointer to the version that serves."""
        return self.models / "champion.json"

    @property
    def history(self) -> Path:
        """What was trained, promoted and rolled back, one JSON object a line."""
        return self.models / "history.jsonl"

    @property
    def training_lock(self) -> Path:
        """Held by the one trainer that may be at work."""
        return self.models / "training.lock"

    @property
    def training_holder(self) -> Path:
        """Who holds the lock."""
        return self.models / "training.json"

    @property
    def runs(self) -> Path:
        """Resumable states of runs that were stopped."""
        return self.models / "runs"

    def run(self, name: str) -> Path:
        """The resumable state of one run."""
        return self.runs / name

    @property
    def widened(self) -> Path:
        """The champion with outputs for new emotions, which the run at work starts from."""
        return self.runs / "widened"

    @property
    def progress(self) -> Path:
        """How far the run at work, or the last one, has come."""
        return self.runs / "progress.json"

    @property
    def run_log(self) -> Path:
        """What the run printed that the page started last."""
        return self.runs / "page-run.log"

    @property
    def page_run(self) -> Path:
        """Which run the page started last, and who asked for it."""
        return self.runs / "page-run.json"

    @property
    def page_run_lock(self) -> Path:
        """Held by the run that the page started, for as long as it lives."""
        return self.runs / "page-run.lock"

    @property
    def tuning(self) -> Path:
        """Studies of ``tune`` (SQLite)."""
        return self.root / "studies.sqlite"

    @property
    def tracking(self) -> Path:
        """What experiment trackers write."""
        return self.root / "tracking"

    # Caches: any of them may be deleted at any time.

    @property
    def cache(self) -> Path:
        """Everything that can be computed or fetched again."""
        return self.root / "cache"

    @property
    def decoded(self) -> Path:
        """Decoded clips."""
        return self.cache / "decoded"

    @property
    def graphs(self) -> Path:
        """Checkpoints as ONNX graphs."""
        return self.cache / "graphs"

    @property
    def report_cache(self) -> Path:
        """Predictions that evaluations remember."""
        return self.cache / "report"

    def study(self, name: str) -> Path:
        """Models of a study that serve nobody."""
        return self.cache / "studies" / name

    @property
    def out_of_fold_cache(self) -> Path:
        """Folds of an interrupted out-of-fold run."""
        return self.cache / "opinions"

    def predictions(self, model: str) -> Path:
        """A model's predictions for unlabelled clips, made in the background."""
        return self.cache / f"opinions-{model}.jsonl"

    @property
    def clip_hashes(self) -> Path:
        """SHA-256 of corpus files by path, size and date."""
        return self.cache / "clip-hashes.csv"

    def fetched_checkpoint(self, key: str) -> Path:
        """A copy of a checkpoint in S3."""
        return self.cache / "remote" / key

    def fetched_corpora(self, key: str) -> Path:
        """A copy of corpora in S3."""
        return self.cache / "corpora" / key

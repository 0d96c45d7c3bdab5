"""What each verb of ``python -m trainer`` does, with everything it needs as arguments."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from label_store.store import LabelStore
from ser_core.champion import champion_folder, models_folder
from ser_core.recognizer import Recognizer
from ser_core.sources import CORPORA_INFO
from trainer import corrections, download, evaluation, parallel, report, storage, tune, versions
from trainer.card import model_card
from trainer.errors import SettingsError, VersionError
from trainer.evaluation import CorpusScores, Report
from trainer.fit import fit, require_trainable, run_name
from trainer.lock import only_one
from trainer.loop import Progress
from trainer.prepare import Prepared, prepare
from trainer.promotion import Rule
from trainer.run import Labels, cache_folder, judge, last_revision, run_once, test_clips, thin
from trainer.schedule import parse_duration, periodic
from trainer.settings import Settings
from trainer.tracking import build_tracker


@dataclass(frozen=True)
class Place:
    """Where things are: SER_HOME and the shipped checkpoint (or SER_MODEL)."""

    home: Path
    default: Path


def folder_of(place: Place, wish: str) -> Path:
    """Return the checkpoint that a word names: "", a version, "default", a folder or s3://.

    Raises:
        VersionError: there is none.
    """
    if not wish:
        return champion_folder(place.home, place.default)
    if wish == "default":
        return place.default
    if storage.is_remote(wish):
        cached = place.home / "cache" / "remote" / wish.removeprefix("s3://")
        return cached if cached.is_dir() else storage.fetch_checkpoint(wish, cached)
    for folder in (models_folder(place.home) / wish, Path(wish)):
        if (folder / "specification.json").is_file():
            return folder
    known = ", ".join(v.name for v in versions.versions(place.home)) or "none"
    raise VersionError(f"“{wish}” is neither a version ({known}) nor a checkpoint's folder")


def _rule(args: argparse.Namespace) -> Rule:
    return Rule(args.confidence, args.margin, args.floor, args.calibration)


def _labels(args: argparse.Namespace) -> Labels:
    names = None if args.trusted is None else frozenset(args.trusted)
    return Labels(names, args.min_votes)


def run(place: Place, settings: Settings, args: argparse.Namespace, words: Sequence[str]) -> int:
    """Fine-tune, evaluate, promote or not; with --every again and again."""
    require_trainable(settings)
    if args.every:
        return _periodic(place, args, words)
    outcome = run_once(
        place.home,
        place.default,
        settings,
        rule=_rule(args),
        labels=_labels(args),
        min_new=args.min_new,
        keep=args.keep,
        force=args.force,
        progress=_progress(args),
        tick=args.tick,
    )
    print(outcome.message)
    return 0


def _periodic(place: Place, args: argparse.Namespace, words: Sequence[str]) -> int:
    labels = _labels(args)
    stop = threading.Event()
    child: list[subprocess.Popen[bytes]] = []

    def end(number: int, frame: FrameType | None) -> None:
        # The run saves what it has and ends; then the wait ends too.
        stop.set()
        for process in child:
            process.terminate()

    def count() -> int:
        store = LabelStore(place.home)
        since = last_revision(place.home, "")
        return corrections.new_labels(store, since, labels.trusted, labels.min_votes)

    def once() -> int:
        # A process of its own: whatever kills it, memory included, doesn't kill the wait.
        child[:] = [subprocess.Popen([sys.executable, "-m", "trainer", *words])]
        return child[0].wait()

    def wait(seconds: float) -> None:
        stop.wait(seconds)

    before = [(number, signal.signal(number, end)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        periodic(
            once,
            count,
            every=parse_duration(args.every),
            min_new=args.min_new,
            sleep=wait,
            log=partial(print, flush=True),
            stop=stop.is_set,
        )
    finally:
        for number, handler in before:
            signal.signal(number, handler)
    return 0


def fit_verb(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Train a model from the corpora and write its checkpoint, in one process or in several."""
    require_trainable(settings)
    with parallel.group(), ExitStack() as held:
        if not parallel.first():
            args.progress, args.tick, args.transfer = Progress(lambda line: None), None, None
        # The first process alone takes the lock, names the version, tracks and writes.
        parallel.from_first(lambda: held.enter_context(only_one(place.home, "fit")))
        name = parallel.share(args.version or versions.free_name(place.home))
        folder = Path(args.out) if args.out else models_folder(place.home) / name
        settings = parallel.local_first(lambda: local(place, settings, args))
        progress = _progress(args)

        def track() -> None:
            tracker = build_tracker(
                args.track,
                project=settings.name,
                run=name,
                settings=settings.to_json(),
                folder=place.home / "tracking",
            )
            held.callback(tracker.finish)
            progress.epoch = lambda figures: tracker.log(figures, int(figures["epoch"]))

        parallel.from_first(track)
        prepared = parallel.local_first(lambda: _prepared(place, settings, args))
        trained = fit(
            settings,
            folder,
            models_folder(place.home) / "runs" / run_name(settings),
            cache_folder(place.home),
            prepared=prepared,
            progress=progress,
            tick=args.tick,
        )
        if not parallel.first():
            return 0
        found = _report(place, trained.folder, settings, prepared, args)
        _finish(trained.folder, found, settings)
        print(report.terminal(found))
    if args.push:
        print(f"sent {storage.push(trained.folder, args.push)} files to {args.push}")
    return 0


def _prepared(place: Place, settings: Settings, args: argparse.Namespace) -> Prepared:
    emotions: tuple[str, ...] = ()
    if settings.start:
        from ser_core import checkpoint

        emotions = checkpoint.load(settings.start).specification.emotions
    return prepare(settings, cache_folder(place.home), emotions=emotions, tick=args.tick)


def _finish(folder: Path, found: Report, settings: Settings) -> None:
    from ser_core import checkpoint

    held = checkpoint.load(folder)
    checkpoint.save(
        folder,
        held.model,
        held.specification,
        held.calibration,
        held.metrics | evaluation.headline(found),
        model_card(found, held.specification),
        half=settings.half_weights,
    )


def _report(
    place: Place, folder: Path, settings: Settings, prepared: Prepared, args: argparse.Namespace
) -> Report:
    model = Recognizer(folder, settings.device)
    prepared = thin(prepared, 2 * settings.max_clips, settings.seed)
    clips, load = test_clips(prepared)
    found = evaluation.evaluate_model(model, clips, load=load, seed=settings.seed)
    robust: dict[str, tuple[float, ...]] = {}
    cross: dict[str, dict[str, float]] = {}
    left: dict[str, CorpusScores] = {}
    everything = [item.clip for side in prepared.sides.values() for item in side]
    if getattr(args, "robustness", False):
        robust = evaluation.robustness(model, clips, load=load)
    trainer = _fitter(place, settings, args)
    if getattr(args, "cross_corpus", False):
        cross = evaluation.cross_corpus(everything, trainer)
    if getattr(args, "leave_one_out", False):
        left = evaluation.leave_one_corpus_out(everything, trainer, seed=settings.seed)
    held = model.specification
    return Report(
        model.name,
        model.version,
        datetime.now(UTC).isoformat(timespec="seconds"),
        found,
        robust,
        cross,
        left,
        prepared.notes,
        {
            "parent": held.parent,
            "seed": str(held.seed),
            "data_hash": held.data_hash,
            "label_revision": held.label_revision,
            **held.versions,
        },
    )


def _fitter(place: Place, settings: Settings, args: argparse.Namespace) -> evaluation.Fit:
    """Return a function that trains on given splits; its models are kept under cache/."""
    from trainer import data

    def train(sides: Any, name: str) -> Recognizer:
        plain = dataclasses.replace(settings, scheme="fixed", held_out="", start="", max_clips=0)
        everything = [*sides.train, *sides.validation]
        prepared = prepare(plain, cache_folder(place.home), clips=everything, tick=args.tick)
        digests, _ = prepared.decoded.prepare(everything)
        parts = {
            "train": data.examples(sides.train, digests, prepared.emotions),
            "validation": data.examples(sides.validation, digests, prepared.emotions),
            "test": [],
        }
        work = place.home / "cache" / "studies" / name
        prepared = dataclasses.replace(prepared, sides=parts)
        trained = fit(
            plain,
            work / "model",
            work,
            cache_folder(place.home),
            prepared=prepared,
            progress=_progress(args),
        )
        return Recognizer(trained.folder, settings.device)

    return train


def evaluate_verb(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Print the figures of a checkpoint on the test speakers; write them where asked."""
    folder = folder_of(place, args.model)
    emotions = Recognizer(folder, "cpu").emotions
    prepared = prepare(settings, cache_folder(place.home), emotions=emotions, tick=args.tick)
    found = _report(place, folder, settings, prepared, args)
    print(report.terminal(found))
    writers: Mapping[str, Callable[[Report], str]] = {
        "json": report.to_json,
        "csv": report.to_csv,
        "html": report.to_html,
    }
    for ending, write in writers.items():
        wish = getattr(args, ending)
        if wish:
            report.write_text(Path(wish), write(found))
            print(f"wrote {wish}")
    return 0


def compare(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Print several checkpoints, or backbones trained alike, in one table."""
    if not args.models and not args.backbones:
        raise SettingsError("name two or more checkpoints, or --backbones cnn,attention,lstm,gru")
    rows = []
    folders = [(wish, folder_of(place, wish)) for wish in args.models]
    for backbone in args.backbones:
        kind = settings.with_values({"backbone": backbone, "backbone_parameters": {}})
        work = place.home / "cache" / "studies" / f"backbone-{backbone}"
        trained = fit(
            kind,
            work / "model",
            work,
            cache_folder(place.home),
            progress=_progress(args),
            tick=args.tick,
        )
        folders.append((backbone, trained.folder))
    for name, folder in folders:
        emotions = Recognizer(folder, "cpu").emotions
        prepared = prepare(settings, cache_folder(place.home), emotions=emotions, tick=args.tick)
        found = _report(place, folder, settings, prepared, args).evaluation
        rows.append((name, found.overall, found.full))
    print(report.table(sorted(rows, key=lambda row: -row[1].uar)))
    return 0


def tune_verb(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Search for better settings on the validation speakers."""
    space = tune.DEFAULT_SPACE if not args.space else tune.read_space(Path(args.space))
    tune.check_space(space, args.sampler)
    prepared = _prepared(place, settings, args)
    work = place.home / "cache" / "studies" / args.study

    def once(chosen: Mapping[str, Any], tell: tune.Report) -> float:
        kind = settings.with_values(dict(chosen), "the search space")

        def epoch(figures: dict[str, float]) -> None:
            tell(int(figures["epoch"]), figures["uar"])

        progress = _progress(args)
        progress.epoch = epoch
        trained = fit(
            kind,
            work / "model",
            work,
            cache_folder(place.home),
            prepared=prepared,
            progress=progress,
        )
        return max((figures["uar"] for figures in trained.history), default=0.0)

    with only_one(place.home, "tune"):
        found = tune.tune(
            once,
            space,
            place.home / "studies.sqlite",
            trials=args.trials,
            sampler=args.sampler,
            prune=not args.no_pruning,
            seed=settings.seed,
            name=args.study,
        )
    print(f"best validation UAR {found.value:.4f} with {json.dumps(found.best)} ({found.trials})")
    return 0


def promote(place: Place, settings: Settings, args: argparse.Namespace) -> int:
    """Promote a version if it holds up against the champion; with --anyway without asking."""
    with only_one(place.home, "promote"):
        folder = folder_of(place, args.version)
        if args.anyway:
            versions.promote(place.home, args.version, "promoted by hand")
            print(f"{args.version} serves")
            return 0
        start = champion_folder(place.home, place.default)
        emotions = tuple(
            dict.fromkeys(e for f in (start, folder) for e in Recognizer(f, "cpu").emotions)
        )
        prepared = prepare(settings, cache_folder(place.home), emotions=emotions, tick=args.tick)
        clips, load = test_clips(thin(prepared, 2 * settings.max_clips, settings.seed))
        decision = judge(start, folder, clips, load, settings=settings, rule=_rule(args))
        if decision.promote:
            versions.promote(place.home, args.version, "; ".join(decision.reasons))
    print(f"{args.version} {decision}")
    return 0 if decision.promote else 3


def rollback(place: Place) -> int:
    """Let the version that served before serve again."""
    with only_one(place.home, "rollback"):
        before = versions.rollback(place.home)
    print(f"{before or 'the shipped model'} serves again")
    return 0


def history(place: Place) -> int:
    """Print every version and everything that was done."""
    for version in versions.versions(place.home):
        mark = "*" if version.champion else " "
        uar = f"{version.uar:.3f}" if version.uar is not None else "  -  "
        parent = f"from {version.parent}" if version.parent else ""
        print(f"{mark} {version.name}  UAR {uar}  {parent}{version.problem}")
    for row in versions.history(place.home):
        what = "; ".join(row.get("reasons", [])) or row.get("reason", "")
        print(f"{row['time']}  {row['action']:<8} {row.get('version') or 'shipped model'}  {what}")
    return 0


def download_verb(place: Place, args: argparse.Namespace) -> int:
    """Bring a corpus into SER_HOME/corpora, or list what is known."""
    if not args.location:
        print(download.catalogue())
        return 0
    root = place.home / "corpora"
    if args.location in CORPORA_INFO:
        if args.name or args.reader:
            raise SettingsError(f"{args.location} is a known corpus: leave --name and --reader out")
        print(download.known(args.location, root, accept=args.accept, tick=args.transfer))
        return 0
    name = args.name or args.reader or Path(args.location.rstrip("/")).name.split(".")[0]
    folder = root / name
    reader = args.reader or None
    print(download.download(args.location, folder, reader=reader, progress=args.transfer))
    return 0


def local(place: Place, settings: Settings, args: argparse.Namespace) -> Settings:
    """Return the settings with corpora in S3 replaced by a copy under cache/, fetched if needed."""
    if not storage.is_remote(settings.corpora):
        return settings
    folder = place.home / "cache" / "corpora" / settings.corpora.removeprefix("s3://").strip("/")
    storage.fetch(settings.corpora, folder, progress=args.transfer)
    return dataclasses.replace(settings, corpora=str(folder))


def _progress(args: argparse.Namespace) -> Progress:
    found: Progress = args.progress
    return Progress(found.log, found.step)

"""Asking for help is instant: nothing heavy is imported for it."""

from __future__ import annotations

import gc
import gzip
import json
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from scripts.ports import free_port
from trainer.cli.parser import VERBS

HEAVY = ("torch", "transformers", "librosa", "gradio", "pandas", "sklearn", "scipy", "numpy")

_CODE = """
import json, runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as end:
    assert not end.code, end.code
print("\\n" + json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def imported(*words: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", _CODE, *words], capture_output=True, text=True, check=True
    )
    assert "usage:" in done.stdout
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "words",
    [
        ("ser_core", "--help"),
        ("ser_core", "predict", "--help"),
        ("ser_core", "list", "--help"),
        ("trainer", "--help"),
        *(("trainer", verb, "--help") for verb in VERBS),
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    assert imported(*words) & set(HEAVY) == set()


_ANSWER = """
import sys
from pathlib import Path
from app import read_settings
from ui.page import build_page, launch_options
from ui.services import Services
settings, identity = read_settings({"SER_HOME": sys.argv[1]})
services = Services(settings, identity)
build_page(services)
launch_options(services)
assert "torch" not in sys.modules, "the page imports torch"
if len(sys.argv) > 2:
    from ui.analysis import analyse
    services.warm()
    assert analyse(services, Path(sys.argv[2])).prediction.emotion is not None
    assert "torch" not in sys.modules, "the first answer imports torch"
    from ui.catalogue import Source
    from ui.clip_cache import make_ready
    source = Source("", Path(sys.argv[2]).name, Path(sys.argv[2]))
    assert make_ready(services, services.catalogue.hash_of(source), source).prediction
    assert "torch" not in sys.modules, "a clip to label imports torch"
"""


@pytest.mark.slow
def test_the_page_and_its_first_answer_import_no_torch(tmp_path: Path, repository: Path) -> None:
    from ser_core.home import Home
    from ser_core.inference.recognizer import Recognizer

    # The graph is written once, in torch; every later start finds it.
    Recognizer(repository / "models" / "default", "cpu", graphs=Home(tmp_path).graphs)
    clip = repository / "examples" / "2_lively.flac"
    words = [sys.executable, "-c", _ANSWER, str(tmp_path), str(clip)]
    done = subprocess.run(words, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def test_what_the_corpus_tab_shows_is_laid_out_before_it_is_opened(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gradio as gr

    import app
    from label_store.corpus_table import CorpusTable
    from ui.corpus import tab
    from ui.services import AppSettings, Services

    folder = tmp_path / "corpora" / "mine"
    folder.mkdir(parents=True)
    shutil.copy(repository / "examples" / "2_lively.flac", folder / "a.flac")
    (folder / "labels.csv").write_text("file,emotion\na.flac,joy\n")
    services = Services(AppSettings(home=tmp_path))
    with gr.Blocks(), gr.Tabs(), gr.Tab("Corpus"):
        tab.build(services)
    made: list[int] = []
    page = CorpusTable.page

    def counted(table: CorpusTable, *query: Any) -> Any:
        found = page(table, *query)
        made.append(len(found.rows))
        return found

    monkeypatch.setattr(CorpusTable, "page", counted)
    monkeypatch.setattr(services, "warm", lambda: None)
    try:
        app.warm(services)
    finally:
        gc.unfreeze()
    assert made == [1]


def test_a_page_that_is_slow_to_answer_opens_and_is_sent_compressed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gradio import networking

    from ui.identity import Identity
    from ui.page import build_page, launch_options
    from ui.services import AppSettings, Services

    # What Gradio makes of a page that takes over three seconds, on a machine with much to do.
    monkeypatch.setattr(networking, "url_ok", lambda url: False)
    services = Services(AppSettings(home=tmp_path, port=free_port()), Identity())
    page = build_page(services)
    try:
        _, url, _ = page.launch(**launch_options(services), prevent_thread_lock=True, quiet=True)
        with urllib.request.urlopen(f"{url}config", timeout=60) as answer:
            assert answer.status == 200
            assert answer.headers["content-encoding"] is None
            plain = json.load(answer)
        small = urllib.request.Request(f"{url}config", headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(small, timeout=60) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            packed = answer.read()
        whole = gzip.decompress(packed)
        assert json.loads(whole)["components"] == plain["components"]
        assert len(packed) < len(whole) / 4
    finally:
        page.close(verbose=False)

"""The whole round on real speech: predict, correct, train, and the page serves the new model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.patience import PATIENCE

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.corpora]

LENIENT = ["--margin", "1", "--fall", "1", "--floor", "1", "--calibration", "1"]
"""A rule that any challenger meets: what is shown here is the way, not the merit."""


def few_real_clips(corpora: Path, home: Path) -> Path:
    """Put some clips of speakers of every side into the home; return one to correct."""
    target = home / "corpora" / "emodb" / "wav"
    target.mkdir(parents=True)
    taken: list[Path] = []
    for speaker in ("03", "08", "09", "10", "12", "13", "14", "15"):
        every = sorted((corpora / "emodb" / "wav").glob(f"{speaker}*"))
        for emotion in "WLEAFTN":
            taken += [p for p in every if p.stem[5] == emotion][:2]
    for path in taken:
        shutil.copyfile(path, target / path.name)
    return taken[0]


def test_a_correction_reaches_the_next_model_and_the_page_serves_it(
    browser: Any,
    app_server: Any,
    corpora_root: Path,
    repository: Path,
    screenshot: Callable[[Any, str], Path],
) -> None:
    home: Path = app_server.home
    clip = few_real_clips(corpora_root, home)
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.goto(app_server.url)
    page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
    before = page.inner_text("#model-line")
    page.set_input_files("#clip input[type=file]", str(clip))
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    page.click("#choose-fear")
    page.wait_for_selector("#saved .done", timeout=PATIENCE)
    assert "Saved #1" in page.inner_text("#saved")

    flags = ["--epochs", "1", "--max-clips", "24", "--workers", "0", "--batch-size", "8"]
    command = [sys.executable, "-m", "trainer", "--home", str(home), *flags, *LENIENT]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SER_")}
    ran = subprocess.run(command, cwd=repository, env=kept, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "not promoted" not in ran.stdout + ran.stderr, ran.stdout + ran.stderr
    pointer = json.loads((home / "models" / "champion.json").read_text(encoding="utf-8"))
    card = json.loads(
        (home / "models" / pointer["folder"] / "specification.json").read_text(encoding="utf-8")
    )
    assert card["parent"]
    assert card["label_revision"] == "1"

    page.wait_for_function(
        "version => document.querySelector('#model-line').innerText.includes(version)",
        arg=pointer["version"],
        timeout=PATIENCE,
    )
    assert page.inner_text("#model-line") != before
    page.reload()
    page.wait_for_selector("#clip input[type=file]", state="attached", timeout=PATIENCE)
    page.set_input_files("#clip input[type=file]", str(clip))
    page.wait_for_selector("#answer .verdict", timeout=PATIENCE)
    answer = subprocess.run(
        [sys.executable, "-m", "ser_core", "predict", "--json", str(clip)],
        cwd=repository,
        env=kept | {"SER_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(answer.stdout)["model"]["version"] == pointer["version"]
    screenshot(page, "round-new-model")

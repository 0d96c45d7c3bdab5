"""What a thousand visitors leave behind: memory and files of the page, a prediction each.

    python -m benchmarks.speed.session_memory [--sessions 1000] [--model DIR]

Each visitor is a browser of their own: opens the page, sends another 2 s clip to the tab Recognise,
takes the answer with its picture and goes. Printed: the page's resident memory after so many
visitors, its growth since the first hundred, and the files and bytes that lie in its temporary
folders.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.speed.fair_turns_speed import flac
from benchmarks.speed.page_speed import ROOT, start
from ser_core.audio import load

RATE = 16_000
PATIENCE = 600.0


def listener(url: str, name: str = "judge") -> int:
    """Return the number of the listener that answers a clip on the tab Recognise."""
    config = httpx.get(f"{url}config", timeout=PATIENCE).json()
    return int(next(one["id"] for one in config["dependencies"] if one["api_name"] == name))


def visit(url: str, number: int, clip: bytes) -> None:
    """Be one visitor: open the page, send a clip, take the answer.

    Raises:
        RuntimeError: the page did not answer with an emotion.
    """
    with httpx.Client(base_url=url, timeout=PATIENCE) as browser:
        browser.get("/").raise_for_status()
        sent = browser.post("gradio_api/upload", files={"files": ("clip.flac", clip)})
        sent.raise_for_status()
        session = uuid.uuid4().hex
        given = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
        joined = browser.post(
            "gradio_api/queue/join",
            json={"fn_index": number, "data": [given, ""], "session_hash": session},
        )
        joined.raise_for_status()
        at = f"gradio_api/queue/data?session_hash={session}"
        with browser.stream("GET", at) as lines:
            for line in lines.iter_lines():
                told: dict[str, Any] = json.loads(line.removeprefix("data:") or "{}")
                if told.get("msg") == "process_completed":
                    if not told["success"]:
                        raise RuntimeError(f"the page answered: {told['output']}")
                    return
    raise RuntimeError("the page ended the answer early")


def resident(process: int) -> float:
    """Return a process's resident memory in MB (Linux)."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"/proc/{process}/status tells no resident memory")


def left(folder: Path) -> tuple[int, float]:
    """Return how many files lie in a folder, and how many MB they have."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return len(found), sum(path.stat().st_size for path in found) / 1e6


def clips(count: int) -> list[bytes]:
    """Return so many different 2 s clips of speech as FLAC."""
    spoken = np.resize(load(ROOT / "examples" / "2_lively.flac").samples[0], 20 * RATE)
    return [flac(np.roll(spoken, 97 * one)[: 2 * RATE], RATE) for one in range(count)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--first", type=int, default=100, help="visitors before growth is counted")
    parser.add_argument("--model", type=Path, help="checkpoint folder")
    wished = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "temporary"
        files.mkdir()
        os.environ["TMPDIR"] = str(files)  # of the page
        process, url, _ = start(Path(folder) / "home", wished.model)
        try:
            number, first = listener(url), 0.0
            for done, clip in enumerate(clips(wished.sessions), 1):
                visit(url, number, clip)
                if done == wished.first:
                    first = resident(process.pid)
                if done in (10, wished.first, wished.sessions) or done % 100 == 0:
                    now = resident(process.pid)
                    kept, size = left(files)
                    more, uploaded = left(Path(folder) / "uploads")
                    growth = f"{100 * (now / first - 1):+5.1f} %" if first else "       "
                    print(
                        f"{done:5} visitors: {now:7.0f} MB {growth}   {kept + more} temporary "
                        f"files, {size + uploaded:.1f} MB",
                        flush=True,
                    )
        finally:
            process.kill()
            process.wait(20)


if __name__ == "__main__":
    main()

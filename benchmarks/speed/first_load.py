"""What a browser has to fetch before the page stands, beside two pages of Gradio's own.

    python -m benchmarks.speed.first_load

- hello: the smallest Gradio page there is.
- parts: a Gradio page with one of each component that the studio's page is built of, and nothing
  else: what Gradio itself costs.

Bytes are those on the wire, in a browser with nothing in its cache, until nothing more came for
four seconds.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.speed.gradio_speed import HELLO, ended, start_small
from benchmarks.speed.page_speed import start
from scripts.take_pictures import FLAGS, find_chromium

PARTS = """
import sys
import gradio as gr
with gr.Blocks() as page:
    with gr.Tabs():
        with gr.Tab("one"):
            gr.Audio(sources=["upload", "microphone"]); gr.HTML("one"); gr.Plot(); gr.Button()
        with gr.Tab("two"):
            gr.Markdown("two"); gr.Dropdown(["a"]); gr.Slider(); gr.Radio(["a"]); gr.Checkbox()
        with gr.Tab("three"):
            gr.File(); gr.DownloadButton(); gr.Textbox(); gr.Number(); gr.JSON()
            with gr.Accordion(): gr.Code()
page.launch(server_port=int(sys.argv[1]), quiet=True)
"""


def fetched(url: str) -> tuple[float, int, dict[str, float]]:
    """Return megabytes, requests, and megabytes by kind, of a first visit."""
    from playwright.sync_api import sync_playwright

    kinds: dict[str, float] = {}
    sizes: dict[str, float] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=[*FLAGS])
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        wire = page.context.new_cdp_session(page)
        wire.send("Network.enable")
        wire.on("Network.responseReceived", lambda e: kinds.update({e["requestId"]: e["type"]}))
        wire.on(
            "Network.loadingFinished",
            lambda e: sizes.update({e["requestId"]: e["encodedDataLength"] / 1e6}),
        )
        page.goto(url, timeout=120_000)
        before = -1
        while len(sizes) > before:  # the page's own line to the server never ends
            before = len(sizes)
            page.wait_for_timeout(4000)
        browser.close()
    of_kind: dict[str, float] = {}
    for request, size in sizes.items():
        kind = kinds.get(request, "other")
        of_kind[kind] = of_kind.get(kind, 0.0) + size
    return sum(sizes.values()), len(sizes), of_kind


def main() -> None:
    """Print the table."""
    found = {}
    for name, code in (("hello", HELLO), ("parts", PARTS)):
        process, url, _ = start_small(code)
        try:
            found[name] = fetched(url)
        finally:
            ended(process)
    with tempfile.TemporaryDirectory() as home:
        process, url, _ = start(Path(home) / "home", None)
        try:
            found["studio"] = fetched(url)
        finally:
            ended(process)
    for name, (size, count, kinds) in found.items():
        parts = ", ".join(f"{kind} {part:.2f}" for kind, part in sorted(kinds.items()))
        print(f"{name}: {size:.2f} MB in {count} requests ({parts})")
    for name in ("hello", "parts"):
        print(f"studio / {name}: {found['studio'][0] / found[name][0]:.2f}")


if __name__ == "__main__":
    main()

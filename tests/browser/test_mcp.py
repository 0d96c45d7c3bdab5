"""The studio as a Model Context Protocol server, asked by the protocol's own client."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


async def ask(url: str, *calls: tuple[str, dict[str, Any]]) -> tuple[set[str], list[Any]]:
    """Return the tools' names and what each call answers."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async with (
        streamablehttp_client(f"{url}/gradio_api/mcp/") as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        names = {tool.name for tool in (await session.list_tools()).tools}
        return names, [await session.call_tool(name, values) for name, values in calls]


def command_line(home: Path, *words: str | Path) -> Any:
    """Return what ``python -m ser_core`` prints, asked for the same home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SER_")}
    done = subprocess.run(
        [sys.executable, "-m", "ser_core", *map(str, words)],
        cwd=ROOT,
        env=kept | {"SER_HOME": str(home), "SER_DEVICE": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def approximately(value: Any) -> Any:
    """Return what a JSON value is compared with: numbers may differ by the batch they were in."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-4)
    if isinstance(value, dict):
        return {key: approximately(one) for key, one in value.items()}
    return [approximately(one) for one in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_both_tools_answer_with_the_command_lines_json(start_app: Callable[..., Any]) -> None:
    clip = ROOT / "examples" / "2_lively.flac"
    sent = "data:audio/flac;base64," + base64.b64encode(clip.read_bytes()).decode()
    server = start_app(SER_MCP="1")
    recipe = json.dumps([{"name": "gain", "gain": 6.0}])
    calls = (
        ("predict", {"audio": sent}),
        ("augment", {"audio": sent, "recipe": recipe, "seed": 1}),
        ("augment", {"audio": sent, "recipe": "not JSON", "seed": 1}),
        ("predict", {"audio": sent, "model": "nobody"}),
    )
    with ThreadPoolExecutor(1) as pool:  # the browser's driver has a loop in this thread already
        names, (found, changed, refused, unknown) = pool.submit(
            asyncio.run, ask(server.url, *calls)
        ).result()
    assert names == {"predict", "augment"}
    answer = json.loads(found.content[0].text)
    expected = command_line(server.home, "predict", clip, "--json")
    assert list(answer) == list(expected)
    for key, value in expected.items():
        # A sent clip comes under a name of the page's own.
        assert key == "file" or answer[key] == approximately(value), key
    made = json.loads(changed.content[0].text)
    assert made["drawn"] == [{"name": "gain", "gain": 6.0}]
    assert base64.b64decode(made["wav"].partition(",")[2])[:4] == b"RIFF"
    assert refused.isError
    assert "not JSON" in refused.content[0].text
    assert unknown.isError
    assert "no model “nobody” here. Choose default, encoder" in unknown.content[0].text

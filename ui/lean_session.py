"""Gradio's memory of an open page, without what it keeps for its deep links.

For each session Gradio writes down the whole configuration of every component, so that the state of
a page could be opened again by a link (`gr.DeepLinkButton`): 0.8 MB and some 50 ms for this page,
for each visitor, each call of the API and each MCP tool. The page has no such link: Share puts the
result into the address. Nothing else reads what is written down there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class _Forgotten(dict[int, dict[str, Any]]):
    """Takes a component's configuration and keeps none."""

    def __contains__(self, key: object) -> bool:
        return True  # else it would be made in order to be put in here

    def __getitem__(self, key: int) -> dict[str, Any]:
        return {}

    def __setitem__(self, key: int, value: dict[str, Any]) -> None:
        pass


class _WithoutComponents:
    """A page as a new session sees it: everything but the components to write down."""

    blocks: Mapping[int, Any] = {}

    def __init__(self, page: Any) -> None:
        self._page = page

    def __getattr__(self, name: str) -> Any:
        return getattr(self._page, name)


def keep_sessions_lean() -> None:
    """Let Gradio's sessions write down no configurations, in this process; twice is once."""
    from gradio.state_holder import SessionState

    plain = SessionState.__init__
    if getattr(plain, "lean", False):
        return

    def begin(self: SessionState, blocks: Any) -> None:
        plain(self, _WithoutComponents(blocks))  # type: ignore[arg-type]
        self.config_values = _Forgotten()

    begin.lean = True  # type: ignore[attr-defined]
    SessionState.__init__ = begin  # type: ignore[method-assign]

"""What reaches the page: its own requests, and not too many of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from ui.identity import Identity
from ui.page import build_page
from ui.request_guard import RequestGuard, RequestLimits
from ui.services import AppSettings, Services
from ui.session_owner import COOKIE

HOST = "studio.example"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def page(host: str = HOST, **options: Any) -> TestClient:
    """A small Gradio page behind the guard, with a sign-in, asked under a host name."""
    with gr.Blocks() as blocks:
        box = gr.Textbox()
        box.submit(lambda text: text, box, box, api_name="echo")
    options.setdefault("limits", RequestLimits(sign_ins=3, files=2, upload_bytes=5000))
    blocks.auth, blocks.auth_message = (lambda name, word: word == "right"), None
    blocks.max_file_size = None
    app = gr.routes.App.create_app(
        blocks, app_kwargs={"middleware": [Middleware(RequestGuard, **options)]}
    )
    return TestClient(app, base_url=f"http://{host}")


def sign_in(client: TestClient, word: str = "right", **headers: str) -> Any:
    return client.post("/login", data={"username": "ada", "password": word}, headers=headers)


def files(count: int, size: int = 10) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (f"{number}.wav", bytes(size))) for number in range(count)]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "https://other.studio.example"},
        {"Origin": "null"},
        {"Origin": f"http://{HOST}:81"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_a_page_of_another_origin_neither_writes_nor_signs_in(headers: dict[str, str]) -> None:
    client = page()
    answer = sign_in(client, **headers)
    assert answer.status_code == 403
    assert "another site" in answer.json()["detail"]
    assert "set-cookie" not in answer.headers


def test_the_page_itself_and_programs_pass() -> None:
    client = page()
    own = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert sign_in(client, **own).status_code == 200
    assert sign_in(client).status_code == 200
    assert client.get("/config").status_code == 200


def test_another_page_can_not_read_and_a_link_opens_the_page() -> None:
    client = page()
    cross = {"Sec-Fetch-Site": "cross-site"}
    assert client.get("/config", headers=cross | {"Sec-Fetch-Mode": "no-cors"}).status_code == 403
    assert client.get("/", headers=cross | {"Sec-Fetch-Mode": "navigate"}).status_code == 200


@pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "127.0.0.1"])
def test_alone_this_machine_is_answered(host: str) -> None:
    assert page(host, local=True).get("/login_check").status_code != 403


@pytest.mark.parametrize("host", ["evil.example:7860", "127.0.0.1.evil.example", "10.0.0.1:7860"])
def test_alone_a_foreign_name_is_refused_whatever_it_points_at(host: str) -> None:
    answer = page(host, local=True).get("/")
    assert answer.status_code == 403
    assert "SER_HOST" in answer.json()["detail"]


def test_cookies_stay_on_this_site_outside_a_frame() -> None:
    cookies = sign_in(page()).headers.get_list("set-cookie")
    assert cookies
    assert all("samesite=lax" in cookie.lower() for cookie in cookies)
    framed = sign_in(page(same_site_cookies=False)).headers.get_list("set-cookie")
    assert any("samesite=none" in cookie.lower() for cookie in framed)


def test_passwords_are_not_guessed_by_the_hundred() -> None:
    clock = Clock()
    client = page(clock=clock)
    assert [sign_in(client, "wrong").status_code for _ in range(3)] == [400, 400, 400]
    refused = sign_in(client)
    assert refused.status_code == 429
    assert "Wait a minute" in refused.json()["detail"]
    clock.now = 61
    assert sign_in(client).status_code == 200


def test_an_upload_is_bounded_in_files_and_bytes() -> None:
    client = page()
    sign_in(client)
    assert client.post("/gradio_api/upload", files=files(2)).status_code == 200
    refused = client.post("/gradio_api/upload", files=files(3))
    assert refused.status_code == 413
    assert "At most 2 files" in refused.json()["detail"]
    assert client.post("/gradio_api/upload", files=files(1, 6000)).status_code == 413


def test_a_session_is_of_the_browser_that_used_it_first() -> None:
    client = page()
    sign_in(client)
    token = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    client.cookies.clear()
    hers = {"Cookie": f"{token}; {COOKIE}=hers"}
    body = {"fn_index": 0, "data": ["mine"], "session_hash": "page-1"}
    assert client.post("/gradio_api/queue/join", json=body, headers=hers).status_code == 200
    for cookie in ("", f"{COOKIE}=mine", f"{COOKIE}=hers; access-token-x=y"):
        theirs = {"Cookie": cookie}
        for answer in (
            client.post("/gradio_api/queue/join", json=body, headers=theirs),
            client.post("/gradio_api/run/echo", json=body, headers=theirs),
            client.post("/gradio_api/cancel", json=body | {"event_id": "e"}, headers=theirs),
            client.post("/gradio_api/component_server", json=body, headers=theirs),
            client.get("/gradio_api/queue/data?session_hash=page-1", headers=theirs),
            client.get("/gradio_api/heartbeat/page-1", headers=theirs),
            client.get("/gradio_api/deep_link?session_hash=page-1", headers=theirs),
        ):
            assert answer.status_code == 403, answer.url
            assert "Load it again" in answer.json()["detail"]


def test_a_browser_gets_its_name_with_the_page_and_keeps_it() -> None:
    client = page()
    first = client.get("/").headers["set-cookie"]
    assert first.startswith(f"{COOKIE}=")
    assert "HttpOnly" in first
    assert "SameSite=Lax" in first
    assert COOKIE not in client.get("/").headers.get("set-cookie", "")
    framed = page(same_site_cookies=False).get("/").headers["set-cookie"]
    assert "SameSite=None; Secure; Partitioned" in framed


def test_a_call_that_is_too_long_or_no_json_gets_a_sentence() -> None:
    client = page(limits=RequestLimits(body_bytes=1000))
    for body, status in ((b"x" * 1001, 413), (b"{", 400), (b"[" * 999, 400)):
        answer = client.post("/gradio_api/queue/join", content=body)
        assert answer.status_code == status
        assert answer.json()["detail"]


def test_the_page_publishes_its_api_and_nothing_else(tmp_path: Path) -> None:
    made = build_page(Services(AppSettings(home=tmp_path), Identity()))
    config = made.get_config_file()
    public = {
        one["api_name"] for one in config["dependencies"] if one["api_visibility"] == "public"
    }
    assert public == {"predict", "augment"}
    assert set(made.get_api_info()["named_endpoints"]) == {"/predict", "/augment"}

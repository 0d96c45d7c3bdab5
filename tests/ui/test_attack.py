"""Every listener of the page, private ones too, asked by those who may not: nothing comes of it."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from starlette.middleware import Middleware
from starlette.testclient import TestClient

from label_store import LabelEvent
from label_store.annotators import write_annotator_settings
from label_store.gold import GoldClip, mark
from ser_core.audio import to_wav_bytes
from ser_core.home import Home
from tests.ui.conftest import voice
from ui.identity import Identity, hash_password
from ui.page import build_page, launch_options
from ui.services import AppSettings, Services
from ui.session_owner import COOKIE

HOST = "studio.example"
SPACE = Identity(host="0.0.0.0", space=True, owner="ada")
OPEN = Identity(host="0.0.0.0")
USERS = Identity(users={"ada": hash_password("right")}, host="0.0.0.0")
SECRETS = ("03a01Fa", "by-another", "note-of-ada", "log-of-the-run", "session-of-ada")
AT_ONCE = 40
COSTLY = ("judge", "run", "clip_prediction", "clip_augmentation", "predict_files", "<lambda>")


class SignedIn:
    """Puts the Hub's profile of whoever a header names into the session, as OAuth would."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        name = dict(scope.get("headers", [])).get(b"x-test-user", b"").decode()
        info = {"userinfo": {"preferred_username": name}} if name else None
        scope["session"] = {"oauth_info": info} if info else {}
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, small_model: Path) -> Studio:
    return Studio(tmp_path_factory.mktemp("attacked"), small_model)


class Studio:
    """A home with something to take in every room, and the page over it."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.home = folder, folder / "home"
        clip = self.home / "corpora" / "emodb" / "wav" / "03a01Fa.wav"
        clip.parent.mkdir(parents=True)
        clip.write_bytes(to_wav_bytes(voice(1.0), 16_000))
        self.services = Services(AppSettings(home=self.home, model=model), SPACE)
        store = self.services.store
        self.clip = store.keep_clip(clip.read_bytes(), ".wav")
        saved = store.append(
            LabelEvent(action="label", annotator="ada", clip=self.clip, corpus="emodb",
                       session="session-of-ada", file_name="wav/03a01Fa.wav", emotion="joy",
                       note="note-of-ada")
        )  # fmt: skip
        self.head = saved.event.event_id
        self.suggested = store.keep_clip(to_wav_bytes(voice(1.2), 16_000), ".wav")
        store.append(
            LabelEvent(action="suggest", annotator="visitor", clip=self.suggested,
                       session="another", file_name="by-another.wav", emotion="fear")
        )  # fmt: skip
        mark(store, [GoldClip(self.clip, "joy", "wav/03a01Fa.wav", "emodb", "ada")])
        write_annotator_settings(store.folder, {"ada"}, 0.1, by="ada")
        for name in ("one", "two"):
            version = self.home / "models" / name
            shutil.copytree(model, version)
            held = json.loads((version / "specification.json").read_text()) | {"version": name}
            (version / "specification.json").write_text(json.dumps(held))
        paths = Home(self.home)
        paths.run_log.parent.mkdir(parents=True, exist_ok=True)
        paths.run_log.write_text("log-of-the-run\n")
        paths.page_run.write_text(json.dumps({"process": 1, "who": "ada", "started": 0.0}))
        self.sounds = [
            base64.b64encode(path.read_bytes()[200:260]).decode().rstrip("=")[:60]
            for path in (clip, store.clip_path(self.suggested))
            if path is not None
        ]
        self.mine = ""
        self.page = build_page(self.services)

    def open_to(self, identity: Identity) -> TestClient:
        """Return the page as it answers in one of its modes."""
        self.services.identity = identity
        options = launch_options(self.services)
        self.page.auth, self.page.auth_message = options["auth"], options["auth_message"]
        self.page.allowed_paths, self.page.blocked_paths = [], options["blocked_paths"]
        self.page.max_file_size, self.page.show_error = options["max_file_size"], True
        made = options["app_kwargs"]
        made["middleware"].append(Middleware(SignedIn))
        app = gr.routes.App.create_app(self.page, app_kwargs=made)
        return TestClient(app, base_url=f"http://{HOST}")

    def files(self) -> dict[str, bytes]:
        """Return what is kept; the caches hold only what can be computed again."""
        return {
            path.relative_to(self.home).as_posix(): path.read_bytes()
            for path in sorted(self.home.rglob("*"))
            if path.is_file()
            and path.relative_to(self.home).parts[0] != "cache"
            and not path.name.endswith(".lock")
        }

    def requests(self, sound: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return a request for each listener, with what would do harm if it were let."""
        key = f"{self.clip}"
        listeners = self.page.fns.values()
        found, heard = [], set()
        for one in listeners:
            # To hear the clip costs time, and who may hear it is not asked: each kind does it once.
            hears = one.name not in heard and one.name in ("judge", "clip_prediction")
            heard.add(one.name)
            given = sound if hears or one.name not in COSTLY else None
            data = [self._value(one, block, given) for block in one.inputs]
            for value in self._events(one, key):
                event = {"event_data": {"value": value}} if value is not None else {}
                found.append({"fn_index": one._id, "data": data} | event)
        return found

    def _events(self, listener: Any, key: str) -> list[Any]:
        name = getattr(listener.fn, "__qualname__", "")
        if name.startswith("_actor"):
            head = {"key": key, "head": self.head}
            changes = ({"do": "emotion", "to": "anger"}, {"do": "name", "to": "x.wav"})
            return [json.dumps(head | change) for change in (*changes, {"do": "play"})]
        if name.startswith("_reopener"):
            return [self.clip, self.suggested]
        if name.startswith("_referee"):
            return ["joy"]
        if name.startswith("_hearer"):
            pcm = base64.b64encode(np.zeros(1600, np.int16).tobytes()).decode()
            return [json.dumps({"number": 0, "first": True, "rate": 16000, "pcm": pcm})]
        return [None]

    def _value(self, listener: Any, block: Any, sound: Mapping[str, Any] | None) -> Any:
        name = getattr(listener.fn, "__qualname__", "")
        if isinstance(block, gr.State):
            return None
        if sound is None and isinstance(block, gr.Audio | gr.File):
            return None
        if isinstance(block, gr.Audio | gr.File):
            return [sound] if getattr(block, "file_count", "single") != "single" else sound
        if isinstance(block, gr.Textbox):
            if name.startswith("_corrector"):
                return self.mine
            if block.elem_id == "model-choice" or block.label == "model":
                return ""
            if name.startswith("_decider"):
                return f"{self.clip}:{self.head}|10"
            if name.startswith(("_marker", "_batcher")):
                return json.dumps([self.clip, self.suggested])
            return "" if name.startswith(("_starter", "_filterer", "_loader")) else "taken"
        if isinstance(block, gr.Dropdown) and block.elem_id == "model-version":
            return "two"
        if isinstance(block, gr.Dropdown | gr.Radio):
            return block.choices[0][1] if block.choices else None
        if isinstance(block, gr.CheckboxGroup):
            return []
        if isinstance(block, gr.Checkbox):
            return True
        if isinstance(block, gr.Slider | gr.Number):
            return block.value
        return [] if isinstance(block, gr.JSON) else None


class Caller:
    """Somebody who sends requests, in a session of their own."""

    def __init__(self, client: TestClient, session: str, headers: Mapping[str, str] = {}) -> None:
        self.client, self.session, self.headers = client, session, dict(headers)
        self.heard: list[str] = []
        self.refused = 0

    def upload(self, data: bytes) -> dict[str, Any]:
        answer = self.client.post(
            "/gradio_api/upload", files={"files": ("mine.wav", data)}, headers=self.headers
        )
        path = answer.json()[0] if answer.status_code == 200 else "mine.wav"
        return {"path": path, "meta": {"_type": "gradio.FileData"}}

    def ask(self, path: str, body: Mapping[str, Any]) -> int:
        answer = self.client.post(path, json=body, headers=self.headers)
        self.heard.append(answer.text)
        self.refused += answer.status_code in (401, 403)
        return int(answer.status_code)

    def through_queue(self, requests: list[dict[str, Any]]) -> None:
        for first in range(0, len(requests), AT_ONCE):
            joined = [
                self.ask("/gradio_api/queue/join", one | {"session_hash": self.session}) == 200
                for one in requests[first : first + AT_ONCE]
            ]
            if any(joined):
                self.heard.append(
                    self.client.get(
                        f"/gradio_api/queue/data?session_hash={self.session}", headers=self.headers
                    ).text
                )

    def by_name(self, page: gr.Blocks, requests: list[dict[str, Any]]) -> None:
        """Call each kind of listener that asks who it is by its name, which needs no session."""
        kinds = {getattr(page.fns[one["fn_index"]].fn, "__qualname__", ""): one for one in requests}
        for one in (one for kind, one in kinds.items() if kind.startswith("_")):
            name = page.fns[one["fn_index"]].api_name
            self.ask(f"/gradio_api/run/{name}", one | {"session_hash": self.session})
            answer = self.client.post(
                f"/gradio_api/call/{name}", json={"data": one["data"]}, headers=self.headers
            )
            if answer.status_code == 200:
                at = f"/gradio_api/call/{name}/{answer.json()['event_id']}"
                self.heard.append(self.client.get(at, headers=self.headers).text)


def secrets_in(studio: Studio, heard: list[str]) -> list[str]:
    text = "\n".join(heard)
    wanted = (*SECRETS, *studio.sounds, str(studio.home))
    return [word for word in wanted if word in text]


def changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> set[str]:
    """Return the files that came, went or have other bytes."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


WALKS = {"nobody": (OPEN, ""), "visitor": (SPACE, ""), "guest": (SPACE, "eve")}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", WALKS)
def test_who_may_not_gets_nothing_and_leaves_only_suggestions_of_their_own(
    studio: Studio, who: str, capfd: pytest.CaptureFixture[str]
) -> None:
    identity, name = WALKS[who]
    before, known = studio.files(), set(studio.services.store.state().by_id)
    sound = to_wav_bytes(voice(0.6 + len(who) / 100), 16_000)
    with studio.open_to(identity) as client:
        client.get("/gradio_api/startup-events")
        caller = Caller(client, f"own-{who}", {"X-Test-User": name} if name else {})
        mine = studio.mine = hashlib.sha256(sound).hexdigest()
        requests = studio.requests(caller.upload(sound))
        kinds = {studio.page.fns[one["fn_index"]].name: one for one in reversed(requests)}
        for kind in ("judge", "correct"):  # in their order, before another listener clears the clip
            caller.through_queue([kinds[kind]])
        caller.through_queue(requests)
        if who == "guest":
            caller.by_name(studio.page, requests)
        for file in before:
            for path in (studio.home / file, studio.home / "labels" / ".." / file):
                answer = client.get(f"/gradio_api/file={path}", headers=caller.headers)
                assert answer.status_code in (403, 404), path
        for at in ("/config", "/gradio_api/info", "/health"):
            caller.heard.append(client.get(at, headers=caller.headers).text)
    assert secrets_in(studio, caller.heard) == []
    store = studio.services.store
    new = [one for one in store.events() if one.event_id not in known]
    assert new, "what they may do works: a suggestion for their own clip"
    assert {(one.action, one.annotator, one.clip) for one in new} == {
        ("suggest", name or "visitor", mine)
    }
    left = changed(before, studio.files())
    assert {one for one in left if not one.startswith(("labels/events-", "clips/"))} == set()
    assert {Path(one).stem for one in left if one.startswith("clips/")} == {mine}
    assert "Traceback" not in capfd.readouterr().err


SHUT = {
    "not signed in": (USERS, {}, {401}),
    "from another site": (USERS, {"Origin": "https://evil.example"}, {403}),
    "a name that points at this machine": (Identity(), {}, {403}),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", SHUT)
def test_a_page_that_is_not_theirs_answers_nothing(studio: Studio, how: str) -> None:
    identity, headers, refusals = SHUT[how]
    before = studio.files()
    with studio.open_to(identity) as client:
        for one in studio.requests({"path": "mine.wav"}):
            name = studio.page.fns[one["fn_index"]].api_name
            body = one | {"session_hash": "own"}
            for path in ("queue/join", f"run/{name}", f"call/{name}"):
                answer = client.post(f"/gradio_api/{path}", json=body, headers=headers)
                assert answer.status_code in refusals, path
        for path in ("/config", "/gradio_api/queue/data?session_hash=own", "/gradio_api/info"):
            assert client.get(path, headers=headers).status_code in refusals
        heard = client.get("/", headers=headers).text
    assert secrets_in(studio, [heard]) == []
    assert changed(before, studio.files()) == set()


@pytest.mark.slow
def test_the_session_of_another_browser_answers_nobody_else(studio: Studio) -> None:
    before = studio.files()
    with studio.open_to(SPACE) as client:
        client.get("/gradio_api/startup-events")
        ada = {"X-Test-User": "ada", "Cookie": f"{COOKIE}=hers"}
        hers = Caller(client, "hers", ada)
        requests = studio.requests({"path": "mine.wav"})
        opening = [
            one for one in requests
            if getattr(studio.page.fns[one["fn_index"]].fn, "__module__", "") == "ui.label.handlers"
            and studio.page.fns[one["fn_index"]].name == "open_"
        ]  # fmt: skip
        hers.through_queue(opening[:1])
        assert secrets_in(studio, hers.heard), "she who may sees her clip"
        client.cookies.clear()
        for headers in ({}, {"Cookie": f"{COOKIE}=mine"}, {"X-Test-User": "eve"}):
            thief = Caller(client, "hers", headers)
            for one in requests:
                assert thief.ask("/gradio_api/queue/join", one | {"session_hash": "hers"}) == 403
            for path in ("queue/data?session_hash=hers", "heartbeat/hers"):
                assert client.get(f"/gradio_api/{path}", headers=headers).status_code == 403
            assert secrets_in(studio, thief.heard) == []
    assert {one for one in changed(before, studio.files()) if one != "labels/leases.json"} == set()


@pytest.mark.slow
def test_she_who_may_does_by_the_same_requests_what_others_could_not(studio: Studio) -> None:
    before = studio.files()
    with studio.open_to(SPACE) as client:
        client.get("/gradio_api/startup-events")
        hers = Caller(client, "hers-too", {"X-Test-User": "ada"})
        fns = studio.page.fns
        requests = studio.requests({"path": "mine.wav"})
        # A version can be promoted once its name stands in the page's list.
        for kinds in (("_actor", "_saver", "_marker", "build.<locals>"), ("_promoter",)):
            hers.through_queue(
                [
                    one
                    for one in requests
                    if getattr(fns[one["fn_index"]].fn, "__qualname__", "").startswith(kinds)
                ]
            )
    assert set(secrets_in(studio, hers.heard)) >= {"03a01Fa"}
    left = changed(before, studio.files())
    assert "labels/gold.csv" in left
    assert "models/champion.json" in left
    assert studio.services.store.clip(studio.clip).whole() == {"ada": "anger"}


BAD = {
    "no JSON": (b"{", 400),
    "no object": (b"[]", 422),
    "no such listener": (b'{"fn_index": 99999, "data": [], "session_hash": "s"}', 400),
    "a listener of another kind": (b'{"fn_index": "x", "data": [], "session_hash": "s"}', 422),
    "deep": (b"[" * 200_000, 400),
}


@pytest.mark.slow
def test_bad_input_is_one_line_of_log(studio: Studio, capfd: pytest.CaptureFixture[str]) -> None:
    with studio.open_to(OPEN) as client:
        client.get("/gradio_api/startup-events")
        for what, (body, status) in BAD.items():
            for path in ("queue/join", "run/predict"):
                answer = client.post(
                    f"/gradio_api/{path}",
                    content=body,
                    headers={"Content-Type": "application/json"},
                )
                assert answer.status_code in (status, 400, 404, 422), (what, path)
        for data in ([], [7], ["x"], [{"path": "/etc/passwd"}], [{"a": []}], [None, None, None]):
            for name in ("predict", "augment"):
                answer = client.post(f"/gradio_api/call/{name}", json={"data": data})
                event = answer.json()["event_id"]
                heard = client.get(f"/gradio_api/call/{name}/{event}").text
                assert "event: error" in heard
                assert "root:" not in heard
    assert "Traceback" not in capfd.readouterr().err

"""A Hub over HTTP, as far as the client asks it: repositories, commits, listings, downloads."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


@dataclass
class Repository:
    """What one repository holds."""

    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=list)
    stored: dict[str, str] = field(default_factory=dict)  # object beside git -> its file
    settings: dict = field(default_factory=dict)

    @property
    def sha(self) -> str:
        return hashlib.sha1(json.dumps(self.commits).encode()).hexdigest()


@dataclass
class FakeHub:
    """The server's state; tests look into it and set what fails.

    Attributes:
        repositories: ``datasets/owner/name`` or ``spaces/owner/name`` -> what it holds.
        broken: answer every request with 503.
        requests: ``METHOD path`` of all requests so far.
        token: the one that may write.
    """

    address: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    broken: bool = False
    requests: list[str] = field(default_factory=list)
    token: str = "hf_test"
    lock: threading.Lock = field(default_factory=threading.Lock)


@contextmanager
def fake_hub() -> Iterator[FakeHub]:
    """Run a Hub on a free port of this machine."""
    hub = FakeHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: FakeHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *words: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET")

    def do_HEAD(self) -> None:
        self._answer("HEAD")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_PUT(self) -> None:
        self._answer("PUT")

    def _answer(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = unquote(urlsplit(self.path).path)
        with self.hub.lock:
            self.hub.requests.append(f"{method} {path}")
            if self.hub.broken:
                return self._json({"error": "the Hub is down"}, 503)
            if method in {"POST", "PUT"} and "paths-info" not in path and not self._may_write():
                return self._json({"error": "Invalid credentials"}, 401)
            if path.startswith("/api/"):
                return self._api(method, path.removeprefix("/api/"), body)
            return self._download(path)

    def _may_write(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def _api(self, method: str, path: str, body: bytes) -> None:
        if path == "whoami-v2":
            return self._json({"name": "ada", "type": "user", "auth": {}})
        if path == "validate-yaml":
            return self._json({"errors": [], "warnings": []})
        if path == "repos/create":
            return self._create(json.loads(body))
        if path.count("/") < 2:  # what the client asks about itself
            return self._missing("EntryNotFound")
        kind, owner, name, *rest = path.split("/")
        key = f"{kind}/{owner}/{name}"
        repository = self.hub.repositories.get(key)
        if repository is None:
            return self._missing("RepoNotFound")
        what = rest[0] if rest else "info"
        if what in {"info", "revision"}:
            info = {
                "id": f"{owner}/{name}",
                "sha": repository.sha,
                "private": repository.private,
                "siblings": [{"rfilename": one} for one in sorted(repository.files)],
                "tags": [],
            }
            return self._json(info)
        if what == "tree":
            tree = [
                {"type": "file", "path": one, "size": len(data), "oid": _oid(data)}
                for one, data in sorted(repository.files.items())
            ]
            return self._json(tree)
        if what == "preupload":
            files = [
                {"path": one["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
                for one in json.loads(body)["files"]
            ]
            return self._json({"files": files})
        if what == "commit":
            return self._commit(key, repository, body)
        if what == "super-squash":
            repository.commits = [json.loads(body).get("message", "squashed")]
            return self._json({})
        if what == "lfs-files" and method == "GET":
            stored = [
                {
                    "fileOid": oid,
                    "filename": name,
                    "oid": oid,
                    "pushedAt": "2026-01-01T00:00:00.000Z",
                    "ref": "main",
                    "size": 1,
                }
                for oid, name in repository.stored.items()
            ]
            return self._json(stored)
        if what == "lfs-files":
            for oid in json.loads(body)["deletions"]["sha"]:
                del repository.stored[oid]
            return self._json({})
        if what in {"secrets", "variables"}:
            one = json.loads(body)
            repository.settings.setdefault(what, {})[one["key"]] = one["value"]
            return self._json({})
        if what == "hardware":
            repository.settings["hardware"] = json.loads(body)
            return self._json({"stage": "BUILDING", "hardware": {}, "gcTimeout": None})
        return self._json({"error": f"no {method} {path} here"}, 404)

    def _create(self, asked: dict) -> None:
        kind = asked.get("type", "model") + "s"
        owner = asked.get("organization") or "ada"
        key = f"{kind}/{owner}/{asked['name']}"
        there = key in self.hub.repositories
        if not there:
            settings = {"sdk": asked.get("sdk"), "hardware": asked.get("hardware")}
            private = bool(asked.get("private") or asked.get("visibility") == "private")
            self.hub.repositories[key] = Repository(private, settings=settings)
        page = "" if kind == "models" else f"{kind}/"
        url = f"{self.hub.address}/{page}{owner}/{asked['name']}"
        self._json({"url": url, "name": f"{owner}/{asked['name']}"}, 409 if there else 200)

    def _commit(self, key: str, repository: Repository, body: bytes) -> None:
        for line in body.decode().splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                repository.commits.append(value["summary"])
            elif item["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
                if value["path"].endswith(".wav"):  # as if it had gone to LFS
                    oid = _oid(repository.files[value["path"]])
                    repository.stored[oid] = value["path"]
            elif item["key"] == "deletedFile":
                if value["path"] not in repository.files:
                    return self._json({"error": f"no {value['path']} to delete"}, 400)
                del repository.files[value["path"]]
        url = f"{self.hub.address}/{key}/commit/{repository.sha}"
        return self._json({"commitUrl": url, "commitOid": repository.sha})

    def _download(self, path: str) -> None:
        kind, owner, name, verb, _revision, *inside = path.lstrip("/").split("/")
        repository = self.hub.repositories.get(f"{kind}/{owner}/{name}")
        if repository is None or verb != "resolve":
            return self._missing("RepoNotFound")
        data = repository.files.get("/".join(inside))
        if data is None:
            return self._missing("EntryNotFound")
        return self._send(data, 200, {"ETag": f'"{_oid(data)}"', "X-Repo-Commit": repository.sha})

    def _missing(self, code: str) -> None:
        self._json({"error": code}, 404, {"X-Error-Code": code})

    def _json(self, value: object, status: int = 200, headers: dict | None = None) -> None:
        kind = {"Content-Type": "application/json"}
        self._send(json.dumps(value).encode(), status, kind | (headers or {}))

    def _send(self, data: bytes, status: int, headers: dict) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def _oid(data: bytes) -> str:
    return hashlib.sha1(f"blob {len(data)}\0".encode() + data).hexdigest()

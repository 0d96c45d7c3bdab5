"""Signing in to a Space: the whole way over a made-up provider, against `python app.py`."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.test_app_end import ask, studio

HOST = "owner-studio.hf.space"


class Provider(BaseHTTPRequestHandler):
    """As much of OpenID Connect as a sign-in needs; whoever `name` says is signed in there."""

    key = RSAKey.generate_key(2048, {"kid": "one"}, private=True)
    name = ""
    nonces: dict[str, str] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        here = f"http://{self.headers['Host']}"
        path = urlsplit(self.path)
        if path.path == "/.well-known/openid-configuration":
            self._answer(
                {
                    "issuer": here,
                    "authorization_endpoint": f"{here}/oauth/authorize",
                    "token_endpoint": f"{here}/oauth/token",
                    "jwks_uri": f"{here}/jwks",
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
            )
        elif path.path == "/jwks":
            self._answer({"keys": [self.key.as_dict(private=False)]})
        else:
            asked = {name: values[0] for name, values in parse_qs(path.query).items()}
            Provider.nonces[self.name] = asked["nonce"]
            back = f"{asked['redirect_uri']}&code={self.name}&state={asked['state']}"
            self.send_response(302)
            self.send_header("Location", back)
            self.end_headers()

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        name = body["code"][0]
        now = int(time.time())
        claims = {
            "iss": f"http://{self.headers['Host']}", "aud": "studio", "sub": name,
            "iat": now, "exp": now + 3600, "nonce": self.nonces[name],
            "preferred_username": name, "name": name, "profile": "", "picture": "",
        }  # fmt: skip
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)
        self._answer(
            {"access_token": f"t-{name}", "token_type": "bearer", "expires_in": 3600,
             "expires_at": now + 3600, "id_token": token, "scope": "openid profile"}
        )  # fmt: skip

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, values: dict[str, Any]) -> None:
        data = json.dumps(values).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Browser:
    """Keeps cookies as a browser does; a Space's https is this machine's http here."""

    def __init__(self, base: str) -> None:
        self.base, self.cookies, self.session = base, dict[str, str](), uuid.uuid4().hex

    def send(self, method: str, url: str, **given: Any) -> httpx.Response:
        address = url.replace(f"https://{HOST}", self.base)
        address = address if address.startswith("http") else self.base + address
        ours = address.startswith(self.base)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {"Host": HOST, "Cookie": cookies} if ours else {}
        answer = httpx.request(method, address, headers=headers, timeout=60, **given)
        for cookie in answer.headers.get_list("set-cookie") if ours else []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            assert "samesite=none" in cookie.lower(), "a Space is shown in a frame"
        return answer

    def go(self, url: str) -> httpx.Response:
        answer = self.send("GET", url)
        for _ in range(6):
            if not answer.is_redirect:
                break
            answer = self.send("GET", answer.headers["location"])
        return answer

    def keeping_line(self) -> str:
        """Return the line that only those see whose labels count."""
        made = self.send("GET", "/config").json()["dependencies"]
        one = next(one for one in made if one["api_name"] == "lines")
        body = {"data": [""] * len(one["inputs"]), "fn_index": one["id"]}
        body["session_hash"] = self.session
        answer = self.send("POST", "/gradio_api/run/lines", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["data"][-1])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_owner_member_and_visitor_sign_in_as_the_readme_says(tmp_path, provider: str) -> None:
    space = {
        "SPACE_ID": "owner/studio",
        "SPACE_HOST": HOST,
        "SPACE_AUTHOR_NAME": "owner",
        "SER_USERS": "member",
        "OAUTH_CLIENT_ID": "studio",
        "OAUTH_CLIENT_SECRET": "a secret",
        "OAUTH_SCOPES": "openid profile",
        "OPENID_PROVIDER_URL": provider,
        "SYSTEM": "spaces",
    }
    with studio(tmp_path / "home", **space) as (_, health):
        ask(health)
        base = health.removesuffix("/health")
        assert Browser(base).keeping_line() == ""
        for name, writes in (("owner", True), ("member", True), ("eve", False)):
            Provider.name = name
            browser = Browser(base)
            assert browser.go("/").status_code == 200
            assert browser.go("/login/huggingface").status_code == 200
            line = browser.keeping_line()
            assert ("lost when this Space restarts" in line) is writes, name
            forged = Browser(base)
            forged.cookies = browser.cookies | {"session": browser.cookies["session"][:-4] + "AAAA"}
            assert forged.keeping_line() == ""
            browser.go("/logout")
            assert browser.keeping_line() == "", "nobody is signed in any more"

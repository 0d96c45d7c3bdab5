"""Who is acting, and what they may do; asked inside every handler that writes.

    python -m ui.identity hash [NAME]      # asks for a password, prints what SER_USERS may hold

A listener that is hidden from the page's API is still reachable by a plain POST, and so is one
behind a sign-in button. Hence the question is put where the writing happens.
"""

from __future__ import annotations

import argparse
import base64
import getpass
import hashlib
import hmac
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
LOCAL_NAME = "local"
VISITOR = "visitor"
"""The name that all share whom nobody knows."""

_ONLY_SUGGEST = "It will be kept as a suggestion until somebody who may write reviews it."


class IdentityError(Exception):
    """Settings of who may write that make no sense; the text is fit for the console and page."""


@dataclass(frozen=True)
class Annotator:
    """One acting person.

    Attributes:
        name: what the store keeps as the annotator.
        may_write: their labels count.
        may_train: they may start, promote and roll back training runs.
        may_suggest: their labels are kept for review.
        reason: why something is withheld; "" when nothing is.
    """

    name: str
    may_write: bool = False
    may_train: bool = False
    may_suggest: bool = False
    reason: str = ""

    @property
    def may_hear(self) -> bool:
        """They may see and hear the clips of this home: whoever may label may, and nobody else."""
        return self.may_write

    @property
    def tag(self) -> str:
        """Twelve hexadecimal digits by which a browser tells people apart that use it in turn."""
        return hashlib.sha256(self.name.encode()).hexdigest()[:12]

    @property
    def is_known(self) -> bool:
        """The name is one person's, so that what was done under it is theirs."""
        return self.name not in ("", VISITOR)


@dataclass(frozen=True)
class Identity:
    """How this page knows who is acting.

    Attributes:
        users: name to password, plain or as ``hash_password`` gives it; inside a Space the
            passwords are not looked at, the names are those of Hub accounts.
        host: address the page listens on.
        space: whether the page runs inside a Hugging Face Space.
        owner: the Space's owner, who may always write there.
    """

    users: Mapping[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    space: bool = False
    owner: str = ""

    @property
    def mode(self) -> str:
        """``space``, ``users``, ``local`` or ``closed`` (reachable from outside, nobody known)."""
        if self.space:
            return "space"
        if self.users:
            return "users"
        return "local" if self.host in LOOPBACK else "closed"

    def check(self, name: str, password: str) -> bool:
        """Say whether the password is that user's, in the same time for every wrong one."""
        known = self.users.get(name)
        right = verify_password(password, known if known is not None else _NOBODY)
        return right and known is not None

    def annotator(self, request: Any, profile: Mapping[str, Any] | None = None) -> Annotator:
        """Return who sent the request and what they may do.

        Args:
            request: the ``gr.Request`` that Gradio hands to the listener.
            profile: the Hub profile, where the listener asked Gradio for it; otherwise it is
                read from the request's session.
        """
        if self.mode == "space":
            return self._visitor(profile or hub_profile(request))
        if self.mode == "users":
            name = getattr(request, "username", None)
            if name in self.users:
                return Annotator(name, may_write=True, may_train=True, may_suggest=True)
            return Annotator("", reason="Sign in first; this page writes only for those it knows.")
        if self.mode == "local" and _asked_locally(request):
            return Annotator(LOCAL_NAME, may_write=True, may_train=True, may_suggest=True)
        return Annotator(
            VISITOR,
            may_suggest=True,
            reason="This page can be reached from other machines and knows nobody, so labels "
            f"don't count (set SER_USERS to change that). {_ONLY_SUGGEST}",
        )

    def _visitor(self, profile: Mapping[str, Any] | None) -> Annotator:
        name = str((profile or {}).get("preferred_username", ""))
        if not name:
            reason = f"Sign in with Hugging Face to label under your name. {_ONLY_SUGGEST}"
            return Annotator(VISITOR, may_suggest=True, reason=reason)
        if name == self.owner or name in self.users:
            return Annotator(name, may_write=True, may_train=True, may_suggest=True)
        return Annotator(
            name,
            may_suggest=True,
            reason=f"“{name}” is not among those whose labels count here. {_ONLY_SUGGEST}",
        )


def parse_users(text: str) -> dict[str, str]:
    """Read ``name:password,name2:password2``; a password may be one that ``hash_password`` gave.

    Inside a Space names alone are enough, for the Hub has checked who they are.

    Raises:
        IdentityError: an entry without a name, or a name that comes twice.

    >>> parse_users("ada:one, grace:two")
    {'ada': 'one', 'grace': 'two'}
    """
    users: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        name, _, password = entry.partition(":")
        name = name.strip()
        if not name or any(not letter.isprintable() for letter in name):
            raise IdentityError(
                "SER_USERS holds an entry without a name; expected is name:password,name:password."
            )
        if name in users:
            raise IdentityError(f"SER_USERS names “{name}” twice.")
        users[name] = password
    return users


def require_passwords(users: Mapping[str, str]) -> None:
    """Refuse users without a password, where the page itself does the signing in.

    Raises:
        IdentityError: a password is empty.
    """
    empty = [name for name, password in users.items() if not password]
    if empty:
        raise IdentityError(
            f"SER_USERS gives no password for {', '.join(empty)}; "
            "expected is name:password,name:password."
        )


def hash_password(password: str, salt: bytes | None = None) -> str:
    """Return ``scrypt$salt$hash`` to keep in SER_USERS in place of the password.

    >>> verify_password("secret", hash_password("secret"))
    True
    """
    salt = os.urandom(16) if salt is None else salt
    digest = hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1, dklen=32)
    return "$".join(("scrypt", _text(salt), _text(digest)))


def verify_password(password: str, known: str) -> bool:
    """Say whether the password fits ``known``, which is plain or from ``hash_password``."""
    salt = base64.urlsafe_b64decode(known.split("$")[1]) if is_hashed(known) else b"as long"
    hashed = hash_password(password, salt)  # also beside a plain one: no name answers faster
    if is_hashed(known):
        return hmac.compare_digest(hashed, known)
    return bool(known) and hmac.compare_digest(password.encode(), known.encode())


def is_hashed(known: str) -> bool:
    """Say whether this is what ``hash_password`` gives, and not a password in the clear.

    >>> is_hashed(hash_password("secret")), is_hashed("secret")
    (True, False)
    """
    parts = known.split("$")
    return len(parts) == 3 and parts[0] == "scrypt"


def hub_profile(request: Any) -> Mapping[str, Any] | None:
    """Return the Hub profile of whoever is signed in to the Space, or None."""
    raw = getattr(request, "request", None) or request
    scope = getattr(raw, "scope", None)
    # A request that waited in the queue may come without its scope, with the session as it was.
    session = scope.get("session") if isinstance(scope, Mapping) else getattr(raw, "session", None)
    info = session.get("oauth_info") if isinstance(session, Mapping) else None
    if not isinstance(info, Mapping):
        return None
    expires = info.get("expires_at")
    if expires is not None and float(expires) < time.time():
        return None
    user = info.get("userinfo")
    return user if isinstance(user, Mapping) else None


def _asked_locally(request: Any) -> bool:
    """A name that a foreign page has pointed at this machine is not a local request."""
    host = str(dict(getattr(request, "headers", None) or {}).get("host", ""))
    return host.rsplit(":", 1)[0].strip("[]") in LOOPBACK


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


_NOBODY = hash_password("", b"nobody")


def ask_twice(ask: Callable[[str], str]) -> str:
    """Return a password that somebody typed twice alike.

    Args:
        ask: shows a prompt and returns what is typed, unseen.

    Raises:
        IdentityError: it is empty, or not the same twice.
    """
    password = ask("Password: ")
    if not password:
        raise IdentityError("The password is empty. Nothing was hashed.")
    if ask("Again: ") != password:
        raise IdentityError("The two passwords are not the same. Nothing was hashed; start again.")
    return password


def main(argv: Sequence[str] | None = None, ask: Callable[[str], str] = getpass.getpass) -> int:
    """Print the hash of a password that is asked for; never taken from the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m ui.identity", description="Make what SER_USERS may hold for a password."
    )
    verbs = parser.add_subparsers(required=True)
    hashing = verbs.add_parser("hash", help="ask for a password and print its hash")
    hashing.add_argument("name", nargs="?", default="", help="printed before it, as name:hash")
    name = parser.parse_args(argv).name
    try:
        if name and parse_users(f"{name}:x") != {name: "x"}:
            raise IdentityError(f"“{name}” can't be a name here: leave out “:”, “,” and blanks.")
        hashed = hash_password(ask_twice(ask))
    except IdentityError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{name}:{hashed}" if name else hashed)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Who may write, in each of the four ways a page can be run."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from ui.identity import (
    Identity,
    IdentityError,
    hash_password,
    is_hashed,
    main,
    parse_users,
    require_passwords,
    verify_password,
)


def request(host: str = "127.0.0.1:7860", **values: Any) -> SimpleNamespace:
    return SimpleNamespace(headers={"host": host}, request=None, **values)


def signed_in(name: str, expires: float = 3600) -> SimpleNamespace:
    info = {"expires_at": time.time() + expires, "userinfo": {"preferred_username": name}}
    raw = SimpleNamespace(scope={"session": {"oauth_info": info}})
    return SimpleNamespace(request=raw, headers={"host": "x.hf.space"})


def test_alone_on_loopback_one_may_do_all() -> None:
    who = Identity().annotator(request())
    assert (who.name, who.may_write, who.may_train) == ("local", True, True)


def test_a_foreign_name_that_points_at_this_machine_may_only_suggest() -> None:
    who = Identity().annotator(request("evil.example:7860"))
    assert not who.may_write
    assert not who.may_train


def test_reachable_from_outside_without_users_nobody_writes() -> None:
    who = Identity(host="0.0.0.0").annotator(request())
    assert not who.may_write
    assert not who.may_train
    assert who.may_suggest
    assert "SER_USERS" in who.reason


def test_with_users_only_they_write() -> None:
    known = Identity(users={"ada": "x"}, host="0.0.0.0")
    assert known.annotator(request(username="ada")).may_write
    for name in ("eve", "", None):
        who = known.annotator(request(username=name))
        assert not (who.may_write)
        assert not (who.may_suggest)
        assert not (who.may_train)


def test_in_a_space_the_hub_s_name_decides() -> None:
    space = Identity(users={"grace": ""}, host="0.0.0.0", space=True, owner="ada")
    assert space.annotator(signed_in("ada")).may_train
    assert space.annotator(signed_in("grace")).may_write
    stranger = space.annotator(signed_in("eve"))
    assert (stranger.name, stranger.may_write, stranger.may_suggest) == ("eve", False, True)
    assert space.annotator(signed_in("ada", expires=-1)).name == "visitor"
    assert not space.annotator(request(username="ada")).may_write


def test_passwords_plain_and_hashed() -> None:
    known = Identity(users={"ada": "one:two", "grace": hash_password("three")})
    assert known.check("ada", "one:two")
    assert known.check("grace", "three")
    for name, password in (("ada", ""), ("ada", "two"), ("eve", ""), ("grace", "scrypt")):
        assert not known.check(name, password)
    assert not verify_password("", "")


@pytest.mark.parametrize("text", [":secret", "ada:1,ada:2", "a\x00b:1"])
def test_users_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(IdentityError):
        parse_users(text)


def test_users_need_passwords_where_the_page_signs_them_in() -> None:
    users = parse_users("ada:secret:with:colons, grace")
    assert users == {"ada": "secret:with:colons", "grace": ""}
    with pytest.raises(IdentityError, match="grace"):
        require_passwords(users)


def typed(*words: str) -> Any:
    waiting = list(words)
    return lambda prompt: waiting.pop(0)


def test_the_command_prints_what_ser_users_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["hash", "ada"], ask=typed("s3cret, with: all$", "s3cret, with: all$")) == 0
    line = capsys.readouterr().out.strip()
    assert "s3cret" not in line
    users = parse_users(f"{line},grace:plain")
    assert is_hashed(users["ada"])
    known = Identity(users=users)
    assert known.check("ada", "s3cret, with: all$")
    assert not known.check("ada", users["ada"])
    assert main(["hash"], ask=typed("s3cret", "s3cret")) == 0
    assert is_hashed(capsys.readouterr().out.strip())


@pytest.mark.parametrize(
    ("argv", "words", "said"),
    [
        (["hash"], ("one", "two"), "not the same"),
        (["hash"], ("", ""), "empty"),
        (["hash", "a\nb"], ("one", "one"), "without a name"),
        (["hash", "a:b"], ("one", "one"), "can't be a name"),
    ],
)
def test_what_was_mistyped_gets_a_sentence_and_no_hash(
    argv: list[str], words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv, ask=typed(*words)) == 1
    held = capsys.readouterr()
    assert held.out == ""
    assert said in held.err


def test_a_password_on_the_command_line_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["hash", "ada", "s3cret"], ask=typed())
    assert capsys.readouterr().out == ""

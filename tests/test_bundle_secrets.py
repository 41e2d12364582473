"""Secrets in a program's attributes, code and errors: none comes into a bundle, nor into what is said about one."""

import functools
import inspect
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import pydantic
import pytest

import progkit
from progkit.artifact.bundle.secrecy import Secrets
from progkit.errors import UnsavableError

KEY = "Zq7xK2mPw9Lr4Tn8Vb3J"
"""A fake key that looks like nobody's in particular."""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bundles.Project]:
    with bundles.project(tmp_path, monkeypatch) as made:
        yield made


Account = namedtuple("Account", "user api_key")


def tool(query: str, api_key: str = "") -> str:
    """Nothing."""
    return query


def with_default(password: Any) -> Any:
    return lambda query, secret=password: query


def enclosing(api_key: str) -> Any:
    return lambda query: api_key + query


def refused(value: Any, path: Path) -> str:
    """Why a program with *value* is not saved; nothing of it is left."""
    program = progkit.Module()
    program.value = value  # type: ignore[attr-defined]
    with pytest.raises(UnsavableError) as caught:
        program.save(path / "out", save_program=True)
    assert KEY not in str(caught.value)
    assert not list(path.glob("*out*"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "where"),
    [
        pytest.param({"password": KEY.encode()}, "program.value['password']", id="bytes"),
        pytest.param({"api_keys": [KEY]}, "program.value['api_keys']", id="list"),
        pytest.param({"api_keys": {"openai": KEY}}, "program.value['api_keys']", id="dict"),
        pytest.param({"x-api-key": KEY}, "program.value['x-api-key']", id="a header"),
        pytest.param({"auth": ("user", KEY)}, "program.value['auth']", id="a weak name"),
        pytest.param([("Authorization", f"Bearer {KEY}")], "program.value[0][1]", id="a header as a pair"),
        pytest.param(f"Basic {KEY}", "program.value", id="basic"),
        pytest.param(f"https://host/x?api_key={KEY}", "program.value", id="a query"),
        pytest.param(pydantic.SecretStr(KEY), "program.value", id="pydantic's"),
        pytest.param(Account("me", KEY), "program.value", id="a named tuple"),
        pytest.param(functools.partial(tool, api_key=KEY), "program.value", id="partial"),
        pytest.param(inspect.Parameter("api_key", inspect.Parameter.KEYWORD_ONLY, default=KEY), "program", id="tool"),
        pytest.param(with_default(KEY), "program.value", id="a default"),
        pytest.param(enclosing(KEY), "program.value", id="a closure"),
    ],
)
def test_a_secret_ends_the_save(value, where, tmp_path):
    """Whatever holds it: by the name it has, by its looks, or because its class says so."""
    told = refused(value, tmp_path)

    assert told.startswith(where)
    assert "looks like a secret" in told


@pytest.mark.parametrize(
    "line",
    [
        f"API_KEY = {KEY!r}",
        f"api_key: str = {KEY!r}",
        f"settings = {{'password': {KEY!r}}}",
        f"settings = {{}}; settings['access_token'] = {KEY!r}",
        f"settings = dict(secret={KEY!r})",
        f"def search(query, api_key={KEY!r}): pass",
        f"def search(query, *, limit, api_key={KEY!r}): pass",
        f"class Client: pass\nClient.api_key = {KEY!r}",
    ],
)
def test_a_secret_in_source_ends_the_save(line, project, tmp_path):
    """A text under a secret's name: by assignment, key, keyword or default."""
    project.write(desk=f"import progkit\n{line}\nclass Desk(progkit.Module): pass\n")

    with pytest.raises(UnsavableError, match=r"src/desk.py, line [23]: holds what looks like a secret"):
        project.module("desk").Desk().save(tmp_path / "out", save_program=True)


def test_source_that_only_speaks_of_secrets_travels(project, tmp_path):
    """Names of variables and fields, what stands in a secret's place, and what is no text."""
    project.write(
        desk="""
            import os
            import progkit

            API_KEY = "OPENAI_API_KEY_2"
            PASSWORD = "password"
            token = "x1"
            (a, b), secret = (1, 2), 12345678
            SECRET = "projects/shop-1/secrets/key"
            SECRETS = ["secrets1.json", "?page=1&key=sort_by_name_2", "Bearer token_of_user_1", "Basic questions_1"]
            settings = {**{}, "api_key": os.environ.get("KEY"), "secret": "ask the user for 2 words"}

            def connect(password="", *, token, api_key=None): pass

            class Desk(progkit.Module): pass
        """
    )
    assert project.module("desk").Desk().save(tmp_path / "out", save_program=True).changed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("access_keys", ["id", "name"]),
        ("token", "[PAD]"),
        ("token", "hello_world_of_words"),
        ("auth", "none"),
        ("pass", 3),
        ("tokens", ["a1", "b2"]),
    ],
)
def test_a_weak_name_needs_a_value_that_looks_random(name, value):
    """Such words mean something else as well."""
    assert not Secrets().in_name(name, value)


def test_errors_say_no_secret(project, tmp_path):
    """What a class says when it cannot be pickled, and when it cannot be loaded."""
    project.write(
        desk="""
            import progkit

            class Client:
                def __getstate__(self): raise TypeError("no copy of sk-" + "proj-abcdefghijklmnop1234567890")

            class Late:
                def __getstate__(self): return {"a": 1}
                def __setstate__(self, state): raise ValueError("no use of sk-" + "proj-abcdefghijklmnop1234567890")

            class Desk(progkit.Module):
                def __init__(self, value): self.value = value
        """
    )
    desk = project.module("desk")
    for value, said in ((desk.Client(), "no copy of ***"), (desk.Late(), "no use of ***")):
        with pytest.raises(UnsavableError, match=r"program\.value") as caught:
            desk.Desk(value).save(tmp_path / "out", save_program=True)
        assert said in str(caught.value)
        assert "abcdefghij" not in str(caught.value)


def test_what_looks_like_a_secret_in_a_prompt_is_told(tmp_path):
    """Texts of the state are what a prompt says: they stay, and the report says where."""
    program = progkit.Predict(progkit.Signature("question -> answer", "Use sk-" + "proj-abcdefghijklmnop1234567890."))
    report = program.save(tmp_path / "out", save_program=True)

    assert report.notes == ["state.json, self.signature.instructions[0]: holds what looks like an API key"]


def test_a_key_of_the_environment_in_a_demo_ends_the_save(tmp_path, monkeypatch):
    """That one is known for what it is."""
    monkeypatch.setenv("SHOP_API_KEY", KEY)
    program = progkit.Predict("question -> answer")
    program.demos = [progkit.Example(question=f"Use {KEY}", answer="no")]

    with pytest.raises(UnsavableError, match=r"state.json, line [0-9]+: holds what looks like a secret"):
        program.save(tmp_path / "out", save_program=True)
    assert not list(tmp_path.iterdir())

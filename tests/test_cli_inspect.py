"""``progkit inspect``: for people who want to know what a file or a bundle is before they use it."""

import json
import os
import re
import subprocess
import sys

import pytest

import progkit
from progkit.cli import main
from progkit.lm import tokens


@pytest.fixture
def inspect(capsys):
    """Inspect a path: what it prints."""

    def run(path, *words):
        assert main(["inspect", str(path), *words]) == 0
        return capsys.readouterr().out

    return run


@pytest.fixture
def no_vocabulary(tmp_path, monkeypatch):
    """A machine on which tokens cannot be counted."""
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    tokens._vocabulary.cache_clear()
    yield
    tokens._vocabulary.cache_clear()


def saved(path, count=2, **values):
    predict = progkit.Predict("question -> answer")
    predict.demos = [
        progkit.Example({"question": f"q{each}", "answer": "four words of answer"} | values) for each in range(count)
    ]
    predict.save(path)
    return path


def test_size_digest_and_trust(inspect, tmp_path):
    """A state file is data."""
    path = saved(tmp_path / "x.json")

    out = inspect(path)

    assert f"size       {path.stat().st_size:,} bytes" in out
    assert "digest     sha256:" in out
    assert "needs none: it is data" in out


def test_tokens_of_demos(inspect, tmp_path):
    """Each demo's, and all of them; as OpenAI's newer models count."""
    path = saved(tmp_path / "x.json")

    out = inspect(path)
    told = json.loads(inspect(path, "--json"))["about"]["tokens"]

    first, second = told["predictors"]["self"]["demos"]
    assert first == second > 4
    assert f"demos        2, 2 complete, {first + second} tokens" in out
    assert f"     {first}  q0 | four words of answer" in out
    assert told["vocabulary"] == "o200k_base"


def test_ten_demos_unless_all_are_asked_for(inspect, tmp_path):
    """The rest is counted."""
    path = saved(tmp_path / "x.json", 12)

    assert "and 2 more: --demos lists them" in inspect(path)
    assert inspect(path, "--demos").count("four words of answer") == 12


def test_without_a_vocabulary(inspect, tmp_path, no_vocabulary):
    """Nothing is fetched; the counts are missing."""
    out = inspect(saved(tmp_path / "x.json"))

    assert "demos        2, 2 complete\n" in out
    assert "tokens" not in out
    assert json.loads(inspect(tmp_path / "x.json", "--json"))["about"]["tokens"]["predictors"] == {"self": None}


def test_without_litellm_there_is_no_vocabulary(monkeypatch):
    """It is litellm that brings the file."""
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.setattr(tokens, "find_spec", lambda name: None)
    tokens._vocabulary.cache_clear()
    try:
        assert tokens.count_tokens(["a"]) is None
    finally:
        tokens._vocabulary.cache_clear()


def test_a_directory_of_the_users_own(monkeypatch):
    """Where the variable is set it is obeyed, and stays set."""
    found = tokens.find_spec("litellm")
    directory = os.path.join(os.path.dirname(found.origin), "litellm_core_utils", "tokenizers")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", directory)
    tokens._vocabulary.cache_clear()

    assert tokens.count_tokens(["hello world", ""]) == [2, 0]
    assert os.environ["TIKTOKEN_CACHE_DIR"] == directory


def test_what_a_terminal_would_obey_is_spelled_out(inspect, tmp_path):
    """The texts of a file are its author's."""
    out = inspect(saved(tmp_path / "x.json", question="\x1b]0;title\x07\u202eabc", answer="x" * 100))

    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "\\x1b]0;title" in out


def test_a_bundle(inspect, tmp_path):
    """What it is, what of it is code, what it needs, and whether that may run."""
    (tmp_path / "desk_inspected.py").write_text(
        "import progkit\n\n\nclass Desk(progkit.Module):\n"
        "    def __init__(self):\n        self.ask = progkit.Predict('question -> answer')\n"
        "        self.rank = lambda found: found\n        self.other = progkit.Predict('a -> b')\n"
    )
    script = "import desk_inspected as d; d.Desk().save('b', save_program=True, modules_to_serialize=['ask', d])"
    subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, check=True, timeout=60, env={**os.environ, "PYTHONPATH": "."}
    )

    out = inspect(tmp_path / "b")
    document = json.loads(inspect(tmp_path / "b", "--json"))

    assert "progkit.bundle 1.0" in out
    assert "trust      on the trust list" in out
    assert ": load() runs its code" in out
    assert "src/desk_inspected.py" in out
    assert "left out   other" in out
    assert "by value   program.rank" in out
    assert re.search(rf"needs      .*progkit=={progkit.__version__}", out)
    assert document["about"]["trust"]["loads"] is True
    assert document["about"]["digest"] == document["about"]["trust"]["digest"]
    assert document["state"]["predictors"].keys() == {"ask"}


def test_a_bundle_that_nobody_trusts(inspect, tmp_path, monkeypatch):
    """Also where the list is broken, and where somebody says to have signed it."""
    test_a_bundle(inspect, tmp_path)
    listing = tmp_path / "elsewhere" / "progkit"
    listing.mkdir(parents=True)
    (listing / "trust.json").write_text("{")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    assert main(["sign", "--new-key", str(tmp_path / "k.pem")]) == 0
    assert main(["sign", str(tmp_path / "b"), "--key", str(tmp_path / "k.pem")]) == 0

    out = inspect(tmp_path / "b")

    assert "refuses its code unless told to trust it" in out
    assert "signed by  ed25519:" in out
    assert "beware" in out

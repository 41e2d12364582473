"""A hostile bundle under every command that only reads: nothing of it runs, and nothing gets out.

Its source, its pickle and its state file each try in every way that they have. The commands run in processes that
report what Python's audit hooks see; ``watching.py`` says what counts.
"""

import json
import os
import pickle
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import bundles
import cloudpickle
import pytest
import signing

from progkit import Predict
from progkit.artifact import trust
from progkit.artifact.bundle.opening import open_bundle

ROOT = Path(__file__).parent.parent
MARK = "mark_of_a_stranger"
CANARY = "canary"


def source(canary: Path) -> str:
    """A module that writes a canary as soon as it is imported, compiled code included."""
    return f"{MARK} = open({str(canary)!r}, 'a').write({__name__!r})\n"


class Gadget:
    """What a pickle does when it is read: a call, whatever the class."""

    def __init__(self, function: Any, *given: Any) -> None:
        self.what = function, given

    def __reduce__(self) -> Any:
        return self.what


def gadgets(canary: Path) -> bytes:
    """Calls by reference, and a function by value, which needs no global that is not harmless."""

    def by_value(path: str = str(canary)) -> int:  # pragma: no cover - it must not run
        """mark_of_a_stranger."""
        return open(path, "a").write("by value")

    call = cloudpickle.loads(cloudpickle.dumps(by_value))
    command = f"touch {canary} # {MARK}"
    text = f"open({str(canary)!r}, 'a').close()  # {MARK}"
    plain = pickle.dumps([Gadget(os.system, command), Gadget(eval, text), Gadget(__import__, MARK)])
    return plain[:-1] + b"0" + cloudpickle.dumps(Gadget(call))


TEXTS = [
    f"{{0.__class__.__init__.__globals__}} $(touch {CANARY}) `touch {CANARY}` ${{jndi:ldap://127.0.0.1/x}} {MARK}",
    f"__import__('os').system('touch {CANARY}')  # {MARK}",
    f"!!python/object/apply:os.system ['touch {CANARY}'] {MARK}",
    f"\x1b]0;{MARK}\x07\x1b[2J%s%n{{}}{{{{7*7}}}}<script>",
]


def state(server: str) -> bytes:
    """A state file, valid, in which every text, type and value tries something."""
    predictor = Predict("question -> answer")
    predictor.demos = [{"question": text, "answer": text} for text in TEXTS]
    document: dict[str, Any] = json.loads(bundles.empty_state())
    node = predictor.dump_state()["predictors"]["self"]
    node["signature"]["instructions"] = TEXTS
    node["signature"]["name"] = f"os.system {MARK}"
    for name, field in node["signature"]["fields"].items():
        field["desc"] = TEXTS[0]
        field["prefix"] = TEXTS[1]
        field["type"] = f"__import__('{MARK}').{name}" if name == "answer" else "os.system"
    node["demos"][0]["values"]["question"] = {"$model": "os.system", "value": {"command": f"touch {CANARY}"}}
    node["demos"][1]["values"]["question"] = {"$enum": f"{MARK}.Colour", "value": "red"}
    node["lm"] = {"model": "openai/gpt-4o-mini", "api_base": f"http://{server}/v1", "temperature": 0.0}
    document["program"] = f"{MARK}:Desk"
    document["state"]["predictors"] = {"self": node, f"__class__.{MARK}": node}
    return bundles.as_json(document)


@pytest.fixture
def server() -> Iterator[str]:
    """A port that would take a call home."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def evil(tmp_path: Path, server: str) -> Path:
    """The bundle, intact as far as its manifest goes."""
    names = (MARK, f"{MARK}_more/__init__", "sitecustomize", "usercustomize", "json", "platformdirs", "progkit_plugin")
    return made(tmp_path / "evil", names, server)


def made(root: Path, names: Sequence[str], server: str, **changes: Any) -> Path:
    """A hostile bundle with source files of these names."""
    tmp_path = root.parent
    text = source(tmp_path / CANARY)
    files = bundles.files_of(dict.fromkeys(names, text), gadgets(tmp_path / CANARY), state(server))
    files["requirements.txt"] = f"{MARK} @ file://{tmp_path}/evil\n--index-url http://{server}\n".encode()
    needs = [{"name": MARK, "version": f"1; {TEXTS[1]}", "direct": True}]
    told = {"program": f"{MARK}:Desk", "dependencies": needs, "left_out": {"store": TEXTS[1]}, **changes}
    bundles.write(root, files, bundles.manifest_of(files, **told))
    return root


def watched(root: Path, *words: object, cwd: Path | None = None) -> tuple[dict[str, Any], str, str]:
    """What was seen while the command ran, its stdout and its stderr."""
    program = [sys.executable, "-B", str(ROOT / "tests" / "watching.py")]
    allowed = root.parent / "out"
    allowed.mkdir(exist_ok=True)
    done = subprocess.run(
        [*program, str(root), str(allowed), MARK, *map(str, words)],
        cwd=cwd or root,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, err
    *before, last = out.rstrip("\n").split("\n")
    return json.loads(last), "\n".join(before), err


def require_nothing(root: Path, *words: object, status: int | None = None, writes: bool = False) -> str:
    found, out, err = watched(root, *words)
    assert found["seen"] == []
    assert found["loaded"] == []
    assert not found["changed"]
    assert not (root.parent / CANARY).exists()
    assert not (root / CANARY).exists()
    assert writes or list((root.parent / "out").iterdir()) == []
    assert status is None or found["status"] == status, out + err
    return out + err


READING = [
    (["inspect", "EVIL"], 0),
    (["inspect", "EVIL", "--json"], 0),
    (["inspect", "EVIL", "--demos"], 0),
    (["validate", "EVIL"], None),
    (["validate", "EVIL", "--json"], None),
    (["diff", "EVIL", "EVIL"], 0),
    (["diff", "EVIL", "BENIGN"], 1),
    (["diff", "EVIL", "BENIGN", "--json"], 1),
    (["diff", "EVIL", "EVIL", "--prompts"], None),
    (["verify", "EVIL"], 0),
    (["verify", "EVIL", "--json"], 0),
    (["verify", "EVIL", "--key", "PUBLIC"], 0),
    (["verify", "EVIL", "--pin", "sha256:" + "0" * 64], 1),
    (["trust", "EVIL"], 2),
    (["trust", "--list"], 0),
    (["migrate", "EVIL", "--check"], None),
    (["compat", "EVIL", "BENIGN"], None),
    (["render", "EVIL", "question=x"], 2),
    (["run", "EVIL", "question=x", "--offline"], 2),
    (["warm", "EVIL"], 2),
    (["load", "EVIL"], 2),
]


@pytest.mark.parametrize(("words", "status"), READING, ids=[" ".join(words) for words, _ in READING])
def test_nothing_of_a_bundle_runs(evil: Path, words: list[str], status: int | None) -> None:
    """Whatever the command answers; those that need its code refuse, as nobody trusts it."""
    signing.pair(evil.parent / "key.pem")
    signing.signed(evil, evil.parent / "key.pem")
    signing.made(evil.parent / "benign")
    named = {"EVIL": evil, "BENIGN": evil.parent / "benign", "PUBLIC": evil.parent / "key.pem.pub"}

    require_nothing(evil, *(named.get(each, each) for each in words), status=status)


def test_migrating_writes_one_file(evil: Path) -> None:
    """And runs nothing."""
    target = evil.parent / "out" / "state.json"

    require_nothing(evil, "migrate", evil, "-o", target, status=0, writes=True)

    assert [each.name for each in target.parent.iterdir()] == ["state.json"]


def test_nothing_of_a_state_file_runs(evil: Path) -> None:
    """The one in the bundle, by itself."""
    for words in (["inspect"], ["validate"], ["load"]):
        require_nothing(evil, *words, evil / "state.json")


def test_a_trusted_bundle_is_only_read_either(evil: Path) -> None:
    """Trust lets ``load`` run it: what only reads has no use for that."""
    trust.add(open_bundle(evil).digest, evil)

    for words in (["inspect", evil], ["validate", evil], ["diff", evil, evil], ["verify", evil]):
        require_nothing(evil, *words)


def test_the_watch_sees(tmp_path: Path, server: str) -> None:
    """The proof of the proof: where it is trusted, a load does all of what is looked for."""
    root = made(tmp_path / "evil", [MARK], server, dependencies=[], left_out={})
    trust.add(open_bundle(root).digest, root)

    found, _, _ = watched(root, "load", root)

    events = {each.partition(" ")[0] for each in found["seen"]}
    assert {"pickle.find_class", "os.system", "open", "compile", "import", "exec"} <= events
    assert (tmp_path / CANARY).exists()

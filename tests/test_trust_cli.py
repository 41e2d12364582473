"""The commands sign, verify, trust and untrust: what they print, and their exit status."""

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import signing

from progkit.artifact import trust
from progkit.artifact.bundle.opening import faults, open_bundle
from progkit.artifact.trust import own
from progkit.cli import main

ROOT = Path(__file__).parent.parent
ZEROS = "sha256:" + "0" * 64
Command = Callable[..., tuple[int, str, str]]


class Terminal(io.StringIO):
    """Somebody who types an answer."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process: status, stdout, stderr. Nobody is at its terminal."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))

    def run(*words: object) -> tuple[int, str, str]:
        status = main([str(word) for word in words])
        return (status, *capsys.readouterr())

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    signing.made(tmp_path / "desk")
    return tmp_path / "desk"


@pytest.fixture
def digest(root: Path) -> str:
    return open_bundle(root).digest


@pytest.fixture
def key(tmp_path: Path) -> Path:
    signing.pair(tmp_path / "key.pem")
    return tmp_path / "key.pem"


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


# --- sign -----------------------------------------------------------------------------------------


def test_sign_makes_a_pair(command: Command, tmp_path: Path) -> None:
    """It prints what may be known of it, and says that the private half lies open."""
    status, out, err = command("sign", "--new-key", tmp_path / "key.pem")
    again = command("sign", "--new-key", tmp_path / "key.pem")

    (named,) = trust.public_keys([public(tmp_path / "key.pem")])
    assert status == 0
    assert named.fingerprint in out
    assert f"keys=['{tmp_path}/key.pem.pub']" in out
    assert (tmp_path / "key.pem").read_text().splitlines()[1] not in out + err
    assert "not encrypted" in err
    assert again[0] == 2
    assert "no key is ever written over" in again[2]


def test_sign_and_verify(command: Command, root: Path, key: Path, digest: str) -> None:
    """The whole way, with what each prints."""
    status, out, err = command("sign", root, "--key", key)
    checked = command("verify", root, "--key", public(key), "--pin", digest)
    unasked = command("verify", root)

    assert (status, err) == (0, "")
    assert out.startswith(f"{root} is signed by ed25519:")
    assert (checked[0], checked[2]) == (0, "")
    assert f"{root}: 4 files" in checked[1]
    assert "all as the manifest says" in checked[1]
    assert f"  digest     {digest}" in checked[1]
    assert "  program    desk:Desk, portability source" in checked[1]
    assert ", valid\n" in checked[1]
    assert "  trust      not on the trust list" in checked[1]
    assert unasked[0] == 0
    assert "not checked: say --key FILE.pub" in unasked[1]


def test_sign_adds_to_what_is_there(command: Command, root: Path, key: Path, tmp_path: Path) -> None:
    """Unless it is to be the only one."""
    signing.pair(tmp_path / "other.pem")
    command("sign", root, "--key", key)

    _, both, _ = command("sign", root, "--key", tmp_path / "other.pem")
    _, only, _ = command("sign", root, "--key", key, "--only", "--json")

    assert "it has 2 signatures; --only leaves out the others" in both
    assert json.loads(only)["signatures"] == 1


def test_sign_json(command: Command, root: Path, tmp_path: Path, digest: str) -> None:
    """As data, for a release script."""
    _, made, _ = command("sign", "--new-key", tmp_path / "key.pem", "--json")
    _, signed, _ = command("sign", root, "--key", tmp_path / "key.pem", "--json")

    pair = json.loads(made)
    assert (pair["private"], pair["public"]) == (f"{tmp_path}/key.pem", f"{tmp_path}/key.pem.pub")
    assert json.loads(signed) == {"digest": digest, "key": pair["key"], "signatures": 1}


def test_a_password_comes_from_the_environment(
    command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name is on the command line, never itself; it is shown nowhere."""
    monkeypatch.setenv("SIGNING_PASSWORD", "correct horse")
    path = tmp_path / "key.pem"

    made = command("sign", "--new-key", path, "--password-env", "SIGNING_PASSWORD")
    without = command("sign", root, "--key", path)
    signed = command("sign", root, "--key", path, "--password-env", "SIGNING_PASSWORD")
    monkeypatch.setenv("SIGNING_PASSWORD", "battery staple")
    wrong = command("sign", root, "--key", path, "--password-env", "SIGNING_PASSWORD")
    unset = command("sign", root, "--key", path, "--password-env", "NO_SUCH_VARIABLE")

    assert [each[0] for each in (made, without, signed, wrong, unset)] == [0, 2, 0, 2, 2]
    assert made[2] == ""
    assert "is encrypted, and nobody can be asked: --password-env NAME" in without[2]
    assert "no private key can be read from it with this password" in wrong[2]
    assert "NO_SUCH_VARIABLE is not set" in unset[2]
    assert "horse" not in repr((made, signed)) + repr(wrong)
    assert "battery" not in repr(wrong)


def test_a_password_is_asked_for(command: Command, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of who sits at the terminal."""
    trust.new_key(tmp_path / "key.pem", b"correct horse")
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: "correct horse" if "key.pem" in prompt else "")

    assert command("sign", root, "--key", tmp_path / "key.pem")[0] == 0


def test_a_public_key_signs_nothing(command: Command, root: Path, key: Path) -> None:
    """It is told for what it is, with its private half; nobody is to change who may read it."""
    status, _, err = command("sign", root, "--key", public(key))
    public(key).rename(root.with_name("alone.pub"))

    assert status == 2
    assert f"{public(key)}: is a public key; what signs is the private one of the pair, {key}\n" in err
    assert "chmod" not in err
    assert command("sign", root, "--key", root.with_name("alone.pub"))[2].endswith("the private one of the pair\n")


def test_a_private_key_that_others_can_read_is_told(command: Command, root: Path, key: Path) -> None:
    """The signature is made: it is a warning."""
    key.chmod(0o644)

    status, _, err = command("sign", root, "--key", key)

    assert status == 0
    assert f"{key} can be read by others: chmod 600 {key}" in err


@pytest.mark.parametrize("words", [["sign", "--key", "k.pem"], ["sign", "desk", "--new-key", "k.pem"]])
def test_sign_wants_one_thing(command: Command, words: list[str], tmp_path: Path, monkeypatch: Any) -> None:
    """A bundle and a key, or a new key."""
    monkeypatch.chdir(tmp_path)
    status, _, err = command(*words)

    assert status == 2
    assert "say what to sign" in err
    assert list(tmp_path.iterdir()) == []


def test_sign_without_a_key_to_be_found(command: Command, root: Path, tmp_path: Path) -> None:
    """The error is ours."""
    status, _, err = command("sign", root, "--key", tmp_path / "none.pem")

    assert status == 2
    assert "none.pem" in err
    assert "No such file" in err


@pytest.mark.parametrize("words", [["sign", "--key", "k.pem"], ["verify"], ["trust", "--yes"], ["untrust"]])
def test_a_state_file_needs_none_of_this(command: Command, tmp_path: Path, words: list[str]) -> None:
    """It is data; the sentence says so."""
    path = tmp_path / "program.json"
    path.write_text("{}")

    status, out, err = command(words[0], path, *words[1:])

    assert (status, out) == (2, "")
    assert "A state file is data: loading it runs nothing, so it needs no trust and no signature" in err


# --- verify ---------------------------------------------------------------------------------------


def test_verify_finds_what_was_changed(command: Command, root: Path) -> None:
    """Status 1, and what is wrong on stdout."""
    (root / "src" / "desk.py").write_text("PRICE = 0\n")

    status, out, err = command("verify", root)
    as_json = command("verify", root, "--json")

    assert (status, err) == (1, "")
    assert "src/desk.py: is not what the manifest says" in out
    found = json.loads(as_json[1])
    assert as_json[0] == 1
    assert not found["intact"]
    assert len(found["problems"]) == 1


def test_verify_tells_everything_that_is_wrong(command: Command, root: Path) -> None:
    """Each file that was changed, is missing or is too much; of what nobody needs it says that it may go."""
    (root / "src" / "desk.py").write_text("PRICE = 0\n")
    (root / "program.pkl").unlink()
    (root / ".DS_Store").write_text("")
    (root / "src" / "__pycache__").mkdir()
    (root / "notes.txt").write_text("")

    status, out, _ = command("verify", root)
    found = json.loads(command("verify", root, "--json")[1])

    assert status == 1
    assert sorted(out.splitlines()) == [
        f"{root}, .DS_Store: is there, and the manifest does not list it. It may be removed: your system, an editor or "
        "Python made it",
        f"{root}, notes.txt: is there, and the manifest does not list it. Nothing reads it: if you know that nobody "
        "needs it, it may be removed",
        f"{root}, program.pkl: is missing",
        f"{root}, src/__pycache__: is there, and the manifest does not list it. It may be removed: your system, an "
        "editor or Python made it",
        f"{root}, src/desk.py: is not what the manifest says: its SHA-256 is another. It was changed or damaged",
    ]
    assert sorted(out.splitlines()) == sorted(found["problems"])
    assert len(faults(root)) == 5


def test_verify_tells_what_keeps_it_from_looking_further(command: Command, root: Path) -> None:
    """A manifest that is none, a directory that is a file: the first problem is all that there is to say."""
    (root / "src" / "desk.py").unlink()
    (root / "src").rmdir()
    (root / "src").write_text("")
    assert "src/desk.py: lies behind a link, or behind what is no directory" in command("verify", root)[1]
    (root / "MANIFEST.json").write_text("{")
    status, out, _ = command("verify", root)

    assert (status, len(out.splitlines())) == (1, 1)
    assert "MANIFEST.json" in out
    assert faults(root.with_name("nowhere")) == []


def test_verify_finds_what_is_missing_or_too_much(command: Command, root: Path) -> None:
    """A file that is not there is a finding, a bundle that is not there a failure."""
    (root / "src" / "more.py").write_text("")
    assert command("verify", root)[0] == 1
    (root / "src" / "more.py").unlink()
    (root / "program.pkl").unlink()
    assert command("verify", root)[0] == 1
    (root / "program.pkl").symlink_to("state.json")
    assert command("verify", root)[0] == 1

    assert command("verify", root.with_name("nowhere"))[0] == 2


def test_verify_holds_key_and_pin_against_it(command: Command, root: Path, key: Path, tmp_path: Path) -> None:
    """Each that does not fit is a finding."""
    signing.pair(tmp_path / "other.pem")
    unsigned = command("verify", root, "--key", public(key))
    command("sign", root, "--key", key)
    other = command("verify", root, "--key", public(tmp_path / "other.pem"))
    one_of = command("verify", root, "--key", public(tmp_path / "other.pem"), "--key", public(key))
    pinned = command("verify", root, "--pin", ZEROS)

    assert [each[0] for each in (unsigned, other, one_of, pinned)] == [1, 1, 0, 1]
    assert f"{root}: is not signed by ed25519:" in unsigned[1]
    assert "  signature  none" in unsigned[1]
    assert f"not {ZEROS}" in pinned[1]


def test_verify_finds_a_signature_that_does_not_fit(command: Command, root: Path, key: Path, tmp_path: Path) -> None:
    """The bundle is intact, and not what was signed; or nobody can read who signed."""
    signing.made(tmp_path / "other", "PRICE = 0\n")
    signing.signed(tmp_path / "other", key)
    (tmp_path / "other" / "MANIFEST.sig").rename(root / "MANIFEST.sig")
    wrong = command("verify", root, "--key", public(key))
    (root / "MANIFEST.sig").write_text("garbage")
    garbage = command("verify", root)

    assert (wrong[0], garbage[0]) == (1, 1)
    assert ", wrong\n" in wrong[1]
    assert "is not one of this bundle" in wrong[1]
    assert "MANIFEST.sig, line 1, column 1: not JSON" in garbage[1]


@pytest.mark.parametrize("words", [["--pin", ZEROS[:20]], ["--pin", ZEROS.upper()], ["--pin", ""], ["--key", ""]])
def test_verify_refuses_what_cannot_be_meant(command: Command, root: Path, words: list[str]) -> None:
    """An empty variable in a script must not let everything pass."""
    assert command("verify", root, *words)[0] == 2


def test_verify_says_when_it_could_not_look(command: Command, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fails, or a bundle of a newer progkit, says nothing about the bundle."""
    manifest = json.loads((root / "MANIFEST.json").read_text())
    (root / "MANIFEST.json").write_text(json.dumps({**manifest, "version": [9, 0], "min_reader": [9, 0]}))
    assert command("verify", root)[0] == 2

    def refuse(*given: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "read", refuse)
    status, _, err = command("verify", root)
    assert status == 2
    assert "Input/output error" in err


def test_verify_json(command: Command, root: Path, key: Path, digest: str) -> None:
    """Everything, as data."""
    signing.signed(root, key)
    (named,) = trust.public_keys([public(key)])

    found = json.loads(command("verify", root, "--key", public(key), "--json")[1])

    assert found["path"] == str(root)
    assert found["intact"] is True
    assert found["digest"] == found["trust"]["digest"] == digest
    assert (found["program"], found["portability"], found["files"]) == ("desk:Desk", "source", 4)
    assert found["signatures"] == {named.fingerprint: "valid"}
    assert found["trust"]["loads"] is False
    assert found["problems"] == []


# --- trust ----------------------------------------------------------------------------------------


def test_trust_shows_what_is_in_it(command: Command, tmp_path: Path) -> None:
    """Class, source, what it needs, what travels as bytecode, what was left out; nothing that a terminal obeys."""
    needs = [{"name": "numpy", "version": "2.0", "direct": True}]
    changes = {"portability": "bytecode", "by_value": ["program.rank: \x1b[2J"], "left_out": {"store": "desk:Store"}}
    opened = signing.made(tmp_path / "desk", dependencies=needs, **changes)

    status, out, _ = command("trust", tmp_path / "desk", "--yes")

    assert status == 0
    assert f"{tmp_path}/desk: a bundle of 4 files" in out
    assert f"  digest       {opened.digest}\n  program      desk:Desk\n  portability  bytecode\n" in out
    assert "  source       src/desk.py\n  by value     program.rank: \\x1b[2J\n" in out
    assert "  left out     store: desk:Store\n" in out
    assert "  needs        numpy==2.0\n" in out
    assert out.endswith("is trusted now\n")
    assert trust.judge(opened).reason == "listed"
    assert "was trusted before" in command("trust", tmp_path / "desk", "--yes")[1]


def test_trust_asks(command: Command, root: Path, digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody at the terminal, after showing it; anything but yes is no."""
    for answer in ("n\n", "", "yep\n", "\n"):
        monkeypatch.setattr(sys, "stdin", Terminal(answer))
        status, out, err = command("trust", root)
        assert status == 1
        assert digest in out
        assert "Its code can do whatever you can do. Trust it? [y/N]" in err
        assert trust.listed() == {}

    monkeypatch.setattr(sys, "stdin", Terminal("Yes\n"))
    assert command("trust", root)[0] == 0
    assert list(trust.listed()) == [digest]


def test_trust_asks_nobody_who_is_not_there(command: Command, root: Path) -> None:
    """A ``y`` that comes down a pipe is no answer."""
    for words in ([], ["--json"]):
        status, _, err = command("trust", root, *words)
        assert status == 2
        assert "say --yes, or better --digest sha256:..." in err
    assert trust.listed() == {}


def test_trust_by_a_digest(command: Command, root: Path, digest: str) -> None:
    """Which is held against the bundle, whole."""
    other = command("trust", root, "--digest", ZEROS)
    short = command("trust", root, "--digest", digest[:20])
    assert trust.listed() == {}
    right = command("trust", root, "--digest", digest, "--json")

    assert (other[0], short[0], right[0]) == (2, 2, 0)
    assert digest in other[2]
    assert ZEROS in other[2]
    assert "all 64 digits" in short[2]
    assert json.loads(right[1]) == {"digest": digest, "path": str(root), "added": True}


def test_trust_wants_an_intact_bundle(command: Command, root: Path) -> None:
    """What does not fit its manifest has no digest that one could trust."""
    (root / "src" / "desk.py").write_text("PRICE = 0\n")

    assert command("trust", root, "--yes")[0] == 2
    assert trust.listed() == {}


def test_trust_list(command: Command, root: Path, digest: str) -> None:
    """Digest, when, how and where; as text and as data."""
    assert command("trust", "--list") == (0, "", "")
    trust.remember(ZEROS, "/a\nb")
    command("trust", root, "--yes")

    _, out, _ = command("trust", "--list")
    _, data, _ = command("trust", "--list", "--json")

    assert sorted(line.split()[0] for line in out.splitlines()) == sorted([ZEROS, digest])
    assert "  save   /a\\nb" in out
    assert {each["digest"]: each["by"] for each in json.loads(data)} == {ZEROS: "save", digest: "trust"}


@pytest.mark.parametrize("words", [["trust"], ["trust", "desk", "--list"]])
def test_trust_wants_one_thing(command: Command, words: list[str]) -> None:
    """A bundle, or the list."""
    status, _, err = command(*words)

    assert status == 2
    assert "name the bundle to trust, or say --list, one of the two" in err


def test_trust_tells_when_the_list_does_not_count(
    command: Command, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The entry is made, and does nothing while the variable is set."""
    monkeypatch.setenv("PROGKIT_TRUST", "pinned")

    status, _, err = command("trust", root, "--yes")

    assert status == 0
    assert "the list does not count at present: PROGKIT_TRUST=pinned" in err


def test_a_broken_list_is_told(command: Command, root: Path) -> None:
    """By each command that needs it; verify needs it not."""
    Path(own.made_directory(), "trust.json").write_text("{")

    for words in (["trust", root, "--yes"], ["trust", "--list"], ["untrust", root]):
        status, _, err = command(*words)
        assert status == 2
        assert "trust.json, line 1, column 2: not JSON" in err
    assert command("verify", root)[0] == 0


def test_a_bundle_at_a_git_revision(command: Command, root: Path, digest: str) -> None:
    """As it was there: verified, trusted by its digest, and forgotten."""
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "desk"]):
        who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "core.autocrlf=false"]
        subprocess.run(["git", *who, *words], cwd=root.parent, check=True)
    (root / "src" / "desk.py").write_text("PRICE = 0\n")

    assert command("verify", root)[0] == 1
    assert command("verify", f"{root}@HEAD", "--pin", digest)[0] == 0
    assert command("verify", f"{root}@v9")[0] == 2
    assert command("trust", f"{root}@HEAD", "--digest", digest)[0] == 0
    assert list(trust.listed()) == [digest]
    assert command("untrust", f"{root}@HEAD")[0] == 0


# --- untrust --------------------------------------------------------------------------------------


def test_untrust(command: Command, root: Path, digest: str) -> None:
    """By the bundle or by its digest; status 1 if there was nothing to take off."""
    trust.add(digest, root)
    by_path = command("untrust", root)
    again = command("untrust", root)
    trust.add(digest, root)
    by_digest = command("untrust", digest, "--json")

    assert by_path == (0, f"{digest} is not trusted any more\n", "")
    assert again == (1, f"{root} was not on the trust list\n", "")
    assert json.loads(by_digest[1]) == {"forgotten": [digest]}
    assert trust.listed() == {}


def test_untrust_what_is_gone(command: Command, root: Path, digest: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or damaged: by where it was."""
    trust.add(digest, root)
    (root / "program.pkl").unlink()
    monkeypatch.chdir(root.parent)

    status, _, err = command("untrust", "desk")
    assert status == 0
    assert "looking for where it was" in err

    trust.add(digest, "/gone/desk")
    assert command("untrust", "/gone/desk")[0] == 0
    assert command("untrust", "/gone/desk")[0] == 2


@pytest.mark.parametrize("wrong", ["sha256:", ZEROS[:30], ZEROS.upper()])
def test_untrust_wants_a_whole_digest(command: Command, wrong: str) -> None:
    """A shortened one is never looked for, also not to forget."""
    status, _, err = command("untrust", wrong)

    assert status == 2
    assert "all 64 digits" in err


# --- a real terminal ------------------------------------------------------------------------------


def test_trust_at_a_terminal(root: Path, digest: str) -> None:
    """The command itself, and somebody who types."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, b"y\n")
        done = subprocess.run(
            [sys.executable, "-m", "progkit", "trust", str(root)],
            cwd=ROOT, stdin=theirs, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)

    assert done.returncode == 0, done.stderr
    assert list(trust.listed()) == [digest]

"""A bundle's code runs on one of four grounds, and on nothing else."""

import json
import logging
import os
import pickle
from pathlib import Path
from typing import Any

import platformdirs
import pytest
import signing

from progkit import Predict, load
from progkit.artifact import trust
from progkit.artifact.bundle.opening import Opened
from progkit.artifact.trust import own
from progkit.errors import ArtifactError, ConfigurationError, UntrustedError

ZEROS = "sha256:" + "0" * 64


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    return signing.made(tmp_path / "desk")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    signing.pair(tmp_path / "key.pem")
    return tmp_path / "key.pem"


@pytest.fixture
def public(key: Path) -> Path:
    return key.with_name("key.pem.pub")


def refusal(opened: Opened, **given: Any) -> UntrustedError:
    with pytest.raises(UntrustedError) as caught:
        trust.judge(opened, **given)
    return caught.value


# --- the grounds ----------------------------------------------------------------------------------


def test_without_grounds_nothing_runs(opened: Opened) -> None:
    """The error shows the digest, what is in it, and the lines that would let it run."""
    error = refusal(opened)

    assert isinstance(error, ArtifactError)
    assert (error.source, error.digest) == (opened.root, opened.digest)
    assert error.holds == "desk:Desk, 1 source file, portability source"
    assert f"  digest {opened.digest}\n  holds  desk:Desk, 1 source file" in str(error)
    assert f'progkit.load({opened.root!r}, trust="{opened.digest}")' in str(error)
    assert f"progkit trust {opened.root}" in str(error)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_what_is_on_the_list_runs(opened: Opened) -> None:
    """By digest: where it lies does not matter, what is in it does."""
    trust.remember(opened.digest, "/elsewhere/desk")

    grounds = trust.judge(opened)

    assert grounds.reason == "listed"
    assert str(grounds).startswith("listed: by save of /elsewhere/desk at 20")


def test_a_change_takes_it_off_the_list(opened: Opened, tmp_path: Path) -> None:
    """Another content is another bundle, also at the same place."""
    trust.remember(opened.digest, opened.root)
    changed = signing.made(tmp_path / "desk", "PRICE = 4\n")

    assert refusal(changed).digest != opened.digest


def test_a_broken_list_trusts_nothing_and_says_why(opened: Opened) -> None:
    """Other grounds are untouched by it."""
    trust.add(opened.digest, opened.root)
    path = Path(own.directory(), "trust.json")
    path.chmod(0o666)

    error = refusal(opened)

    assert f"the trust list does not count: {path}: can be written by others" in error.reason
    assert "progkit.load" in error.hint
    assert trust.judge(opened, trust=opened.digest).reason == "pinned"
    assert trust.judge(opened, trust="code").reason == "consented"


def test_what_is_pinned_runs(opened: Opened) -> None:
    """The caller names the digest, whole."""
    assert trust.judge(opened, trust=opened.digest) == trust.Grounds("pinned", "by the caller")


def test_another_pin_is_an_error_that_shows_both(opened: Opened) -> None:
    """And never falls through to other grounds: it is on the list, and yet not what was asked for."""
    trust.add(opened.digest, opened.root)

    error = refusal(opened, trust=ZEROS)

    assert opened.digest in str(error)
    assert ZEROS in str(error)


def test_consent_is_for_one_call(opened: Opened) -> None:
    """It leaves nothing behind that the next call could stand on."""
    assert trust.judge(opened, trust="code").reason == "consented"

    assert refusal(opened).digest == opened.digest
    assert trust.listed() == {}


@pytest.mark.parametrize(
    "named", [lambda path: path, str, lambda path: path.read_text(), lambda path: path.read_bytes()]
)
def test_what_is_signed_by_a_named_key_runs(opened: Opened, key: Path, public: Path, named: Any) -> None:
    """The key as a path, as the name of one, as its text or its bytes; alone or among others."""
    signed = signing.signed(Path(opened.root), key)

    for keys in ([named(public)], named(public), [signing.pem_of(signing.another_key()), named(public)]):
        grounds = trust.judge(signed, keys=keys)
        assert grounds.reason == "signed"
        assert grounds.detail.startswith("by ed25519:")


def test_a_key_may_be_named_by_its_base64(opened: Opened, tmp_path: Path) -> None:
    """32 bytes, as ``sign --new-key`` prints them."""
    text = signing.pair(tmp_path / "other.pem")
    signed = signing.signed(Path(opened.root), tmp_path / "other.pem")

    assert trust.judge(signed, keys=[text]).reason == "signed"
    assert trust.judge(signed, keys=[f"{text}\n".encode()]).reason == "signed"


def test_named_keys_are_required(opened: Opened, public: Path) -> None:
    """Neither the list nor consent replaces a signature that was asked for; a pin does."""
    trust.add(opened.digest, opened.root)

    assert "is not signed" in refusal(opened, keys=[public]).reason
    assert "trust=" not in str(refusal(opened, keys=[public]))  # the way around what was asked for
    assert "is not signed" in refusal(opened, keys=[public], trust="code").reason
    assert "pinned" in refusal(opened, keys=[public], trust=ZEROS).reason
    assert trust.judge(opened, keys=[public], trust=opened.digest).reason == "pinned"


def test_a_signature_alone_is_no_ground(opened: Opened, key: Path) -> None:
    """A bundle never carries its own trust: who signed is of no interest until a caller names the key."""
    signed = signing.signed(Path(opened.root), key)

    assert "nobody here has said" in refusal(signed).reason


@pytest.mark.parametrize("wrong", ["", "CODE", "yes", "list", True, 1, b"code", Path("key.pem"), ["code"]])
def test_any_other_trust_is_refused(opened: Opened, wrong: Any) -> None:
    """What is not understood is a mistake, not a no."""
    trust.remember(opened.digest, opened.root)

    with pytest.raises(ConfigurationError, match="neither a digest"):
        trust.judge(opened, trust=wrong)


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda digest: digest[:19],
        lambda digest: digest[:-1],
        lambda digest: digest.upper(),
        lambda digest: "SHA256:" + digest[7:],
        lambda digest: "sha256:" + digest[7:].upper(),
        lambda digest: digest + "\n",
        lambda digest: "sha256: " + digest[7:],
        lambda digest: digest + "00",
        lambda digest: "sha256:" + "\u0660" * 64,
    ],
)
def test_a_digest_is_spelled_whole_and_in_one_way(opened: Opened, spoilt: Any) -> None:
    """A shortened one would name many bundles."""
    with pytest.raises(ConfigurationError, match="all 64 digits"):
        trust.judge(opened, trust=spoilt(opened.digest))


# --- PROGKIT_TRUST --------------------------------------------------------------------------------


def test_pinned_leaves_pins_and_keys(opened: Opened, key: Path, public: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list and consent do not count; the error says why."""
    trust.add(opened.digest, opened.root)
    signed = signing.signed(Path(opened.root), key)
    monkeypatch.setenv("PROGKIT_TRUST", "pinned")

    assert trust.judge(signed, trust=opened.digest).reason == "pinned"
    assert trust.judge(signed, keys=[public]).reason == "signed"
    for given in ({}, {"trust": "code"}):
        error = refusal(signed, **given)
        assert "PROGKIT_TRUST=pinned" in error.reason
        assert "progkit trust" not in str(error)


@pytest.mark.parametrize("value", ["none", "code", "off", "PINNED", " ", "0", "all"])
def test_none_and_what_is_not_known_forbid_everything(
    opened: Opened, key: Path, public: Path, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment can only tighten, so a word that is not understood is the tightest one, and told."""
    trust.add(opened.digest, opened.root)
    signed = signing.signed(Path(opened.root), key)
    monkeypatch.setenv("PROGKIT_TRUST", value)

    for given in ({}, {"trust": "code"}, {"trust": opened.digest}, {"keys": [public]}):
        error = refusal(signed, **given)
        assert "PROGKIT_TRUST=" in error.reason
        assert value in error.reason
        assert ("counts as 'none'" in error.reason) == (value != "none")


def test_an_empty_variable_is_none(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """As everywhere, empty means: not set."""
    monkeypatch.setenv("PROGKIT_TRUST", "")

    assert trust.judge(opened, trust="code").reason == "consented"


# --- texts of a stranger --------------------------------------------------------------------------


def test_an_error_obeys_nobody(tmp_path: Path) -> None:
    """A class's name in a manifest is any text; on a terminal it is spelled out, and cut."""
    evil = signing.made(tmp_path / "a b", program="x\x1b[2J\n  trusted: yes\u202e" + "y" * 1000)

    said = str(refusal(evil))

    assert "\x1b" not in said
    assert "\u202e" not in said
    assert "x\\x1b[2J\\n  trusted: yes\\u202e" in said
    assert len(said) < 1000
    assert f"progkit trust '{tmp_path}/a b'" in said


def test_what_a_bundle_holds_is_told_as_data(tmp_path: Path) -> None:
    """Class, source, dependencies: direct ones alone, as the others follow from them."""
    needs = [{"name": "numpy", "version": "2.0", "direct": True}, {"name": "x", "version": "1", "direct": False}]

    held = trust.contents(signing.made(tmp_path / "desk", dependencies=needs))

    assert held["sources"] == ["src/desk.py"]
    assert held["dependencies"] == ["numpy==2.0"]
    assert held["files"] == 4


# --- standing -------------------------------------------------------------------------------------


def test_standing_never_fails(opened: Opened, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It tells how a bundle stands, whatever is broken."""
    root = Path(opened.root)
    assert str(trust.standing(opened)) == "not on the trust list"
    assert not trust.standing(opened).loads

    trust.add(opened.digest, opened.root)
    signed = trust.standing(signing.signed(root, key))
    assert signed.loads
    assert len(signed.signed) == 1
    assert str(signed).startswith("on the trust list, by trust of ")
    assert signed.to_dict()["entry"]["digest"] == opened.digest

    monkeypatch.setenv("PROGKIT_TRUST", "pinned")
    assert "PROGKIT_TRUST=pinned" in str(trust.standing(opened))
    assert not trust.standing(opened).loads

    (root / "MANIFEST.sig").write_text("{")
    Path(own.directory(), "trust.json").write_text("{")
    broken = trust.standing(signing.made(root))
    assert "MANIFEST.sig" in broken.signature_fault
    assert "trust.json" in broken.list_fault
    assert "the trust list does not count" in str(broken)
    assert broken.to_dict()["entry"] is None


# --- the audit log --------------------------------------------------------------------------------


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    told = [each.getMessage().partition(" {") for each in caplog.records if each.name == "progkit.audit"]
    return [(event, json.loads("{" + rest)) for event, _, rest in told]


def test_every_answer_is_a_line_of_the_log(opened: Opened, caplog: pytest.LogCaptureFixture) -> None:
    """Digest, grounds, class and path; refusals with their reason."""
    caplog.set_level(logging.INFO, "progkit.audit")
    trust.judge(opened, trust="code")
    refusal(opened)

    (allowed, one), (refused, two) = lines(caplog)

    assert (allowed, refused) == ("bundle allowed", "bundle refused")
    assert one == {
        "digest": opened.digest,
        "grounds": "consented",
        "detail": 'trust="code", for this call',
        "path": opened.root,
        "program": "desk:Desk",
    }
    assert "nobody here has said" in two["reason"]


def test_a_line_of_the_log_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No name in a bundle can look like another line."""
    caplog.set_level(logging.INFO, "progkit.audit")
    trust.judge(signing.made(tmp_path / "desk", program="x\nbundle allowed \x1b[0m"), trust="code")

    (record,) = [each for each in caplog.records if each.name == "progkit.audit"]
    assert record.getMessage().isascii()
    assert record.getMessage().isprintable()


def test_no_secret_comes_into_the_log(opened: Opened, key: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not even the public key; its fingerprint."""
    caplog.set_level(logging.DEBUG)
    signed = signing.signed(Path(opened.root), key)
    trust.judge(signed, keys=[key.with_name("key.pem.pub")])

    ((_, line),) = lines(caplog)

    assert line["detail"].startswith("by ed25519:")
    secret = key.read_text().splitlines()[1]
    assert secret not in caplog.text
    assert "BEGIN" not in caplog.text


def audit_file() -> Path:
    return Path(own.made_directory(), "audit.jsonl")


def test_a_file_beside_the_list_gets_the_lines(opened: Opened) -> None:
    """Once somebody made it; each line with time and process."""
    trust.judge(opened, trust="code")
    assert not audit_file().exists()

    audit_file().touch(0o600)
    trust.judge(opened, trust="code")
    refusal(opened)

    one, two = map(json.loads, audit_file().read_text().splitlines())
    assert (one["event"], two["event"]) == ("allowed", "refused")
    assert one["pid"] == os.getpid()
    assert one["at"].startswith("20")


def test_a_file_that_others_may_write_gets_no_lines(
    opened: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nor one behind a link. The load goes on, and the logger is told."""
    (tmp_path / "target").touch()
    audit_file().symlink_to(tmp_path / "target")

    trust.judge(opened, trust="code")

    assert (tmp_path / "target").read_bytes() == b""
    assert "could not be added to audit.jsonl" in caplog.text
    assert "is a link" in caplog.text


def test_without_a_home_there_is_no_file(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nobody who could have asked for one."""
    monkeypatch.setattr(platformdirs, "user_config_dir", lambda name: f"~/.config/{name}")

    assert trust.judge(opened, trust="code").reason == "consented"


def test_a_loaded_state_is_a_line_for_who_listens(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As DEBUG: a state file is data, and loading it runs nothing."""
    caplog.set_level(logging.INFO, "progkit.audit")
    trust.state_loaded(tmp_path / "x.json", dict)
    assert lines(caplog) == []

    caplog.set_level(logging.DEBUG, "progkit.audit")
    program = Predict("question -> answer")
    program.save(tmp_path / "x.json")
    program.load(tmp_path / "x.json")
    load(tmp_path / "x.json")
    line = {"path": str(tmp_path / "x.json"), "program": "progkit.program.predict:Predict"}
    assert lines(caplog) == [("state loaded", line)] * 2

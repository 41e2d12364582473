"""Signatures: whose key, over what, and every way in which one is not what it says."""

import base64
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import bundles
import pytest
import signing

from progkit.artifact import trust
from progkit.artifact.bundle.opening import Opened, open_bundle
from progkit.artifact.bundle.placing import place
from progkit.artifact.trust import ed25519
from progkit.artifact.trust import signing as room
from progkit.errors import DocumentError, UntrustedError, VersionError

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures" / "signature" / "1.0"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "desk"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    signing.pair(tmp_path / "key.pem")
    return tmp_path / "key.pem"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    signing.pair(tmp_path / "other.pem")
    return tmp_path / "other.pem"


@pytest.fixture
def signed(root: Path, key: Path) -> Opened:
    """The bundle at *root*, signed by *key*."""
    signing.made(root)
    return signing.signed(root, key)


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def refusal(opened: Opened, *keys: Any) -> str:
    with pytest.raises(UntrustedError) as caught:
        trust.judge(opened, keys=keys)
    return caught.value.reason


# --- what is signed -------------------------------------------------------------------------------


def test_signing_adds_one_file(signed: Opened, root: Path, key: Path) -> None:
    """The digest stays what it is; the file is small, canonical, and holds no key."""
    assert signed.digest == signing.made(root.with_name("again")).digest
    assert sorted(each.name for each in root.iterdir()) == [
        "MANIFEST.json", "MANIFEST.sig", "program.pkl", "requirements.txt", "src", "state.json",
    ]  # fmt: skip
    document = json.loads(signed.signature or b"")
    assert signed.signature == bundles.as_json(document)
    assert document["format"] == "progkit.signature"
    (one,) = document["signatures"]
    assert one["algorithm"] == "ed25519"
    (named,) = trust.public_keys([public(key)])
    assert one["key"] == named.fingerprint
    assert base64.b64encode(named.raw).decode() not in (signed.signature or b"").decode()


def test_what_is_signed_is_the_digest_in_a_domain_of_its_own(signed: Opened, key: Path) -> None:
    """As anybody can verify with another tool: no signature over other bytes of the key's can be used here."""
    (named,) = trust.public_keys([public(key)])
    (signature,) = trust.signatures_of(signed).by_key.values()

    assert ed25519.is_signature(named.raw, signature, b"progkit.bundle.v1\0" + signed.digest.encode())
    assert not ed25519.is_signature(named.raw, signature, signed.digest.encode())


def test_the_golden_signature_still_verifies(tmp_path: Path) -> None:
    """What the first version signed; the file, its key and its message never change."""
    text = (FIXTURES / "public.pem").read_text()
    digest = (FIXTURES / "digest.txt").read_text().strip()
    opened = Opened(str(FIXTURES), {}, digest, {}, (FIXTURES / "MANIFEST.sig").read_bytes())

    assert len(trust.signatures_of(opened).verified(trust.public_keys([text]))) == 1


def test_several_keys_may_sign(signed: Opened, root: Path, key: Path, other: Path) -> None:
    """So that one key can follow another: each of them suffices."""
    both = signing.signed(root, other)

    for each in (key, other):
        assert trust.judge(both, keys=[public(each)]).reason == "signed"
    assert list(trust.signatures_of(both).by_key) == sorted(trust.signatures_of(both).by_key)


def test_signing_again_changes_nothing(signed: Opened, root: Path, key: Path) -> None:
    """ed25519 has no randomness, and a key signs once."""
    assert signing.signed(root, key).signature == signed.signature


def test_only_leaves_out_the_others(signed: Opened, root: Path, key: Path, other: Path) -> None:
    """Also a MANIFEST.sig that nobody can read."""
    trust.sign(root, trust.private_key(other), only=True)
    assert "not by a key that was named" in refusal(open_bundle(root), public(key))

    (root / "MANIFEST.sig").write_text("garbage")
    with pytest.raises(DocumentError):
        trust.sign(root, trust.private_key(other))
    trust.sign(root, trust.private_key(other), only=True)
    assert trust.judge(open_bundle(root), keys=[public(other)]).reason == "signed"


def test_no_more_than_sixteen_sign(root: Path, tmp_path: Path) -> None:
    """A list has an end."""
    signing.made(root)
    for number in range(16):
        signing.pair(tmp_path / f"{number}.pem")
        signing.signed(root, tmp_path / f"{number}.pem")
    signing.pair(tmp_path / "16.pem")

    with pytest.raises(DocumentError, match="more than 16 signatures"):
        signing.signed(root, tmp_path / "16.pem")
    assert len(trust.signatures_of(open_bundle(root)).by_key) == 16


# --- a signature that is none ---------------------------------------------------------------------


def test_a_signature_of_another_bundle(signed: Opened, root: Path, key: Path, tmp_path: Path) -> None:
    """Swapped: right key, wrong bundle."""
    signing.made(tmp_path / "evil", "PRICE = 0\n")
    shutil.copy(root / "MANIFEST.sig", tmp_path / "evil" / "MANIFEST.sig")

    assert "it was made for another, or changed" in refusal(open_bundle(tmp_path / "evil"), public(key))


def test_a_manifest_of_another_bundle(signed: Opened, root: Path, key: Path, tmp_path: Path) -> None:
    """Swapped the other way: the files no longer fit, or if they do, the signature does not."""
    evil = signing.made(tmp_path / "evil", "PRICE = 0\n")
    shutil.copy(tmp_path / "evil" / "MANIFEST.json", root / "MANIFEST.json")
    with pytest.raises(DocumentError, match="SHA-256"):
        open_bundle(root)

    (root / "src" / "desk.py").write_bytes(evil.files["src/desk.py"])
    assert "not one of this bundle" in refusal(open_bundle(root), public(key))


def test_a_signature_by_another_key(signed: Opened, root: Path, other: Path) -> None:
    """Both are named in the error."""
    reason = refusal(signed, public(other))

    assert reason.count("ed25519:") == 2


def test_a_signature_under_the_name_of_a_trusted_key(signed: Opened, root: Path, key: Path, other: Path) -> None:
    """A fingerprint is claimed easily; the signature is then one that does not fit."""
    (named,) = trust.public_keys([public(other)])

    def claim(document: dict[str, Any]) -> None:
        document["signatures"][0]["key"] = named.fingerprint

    assert "not one of this bundle" in refusal(signing.rewritten(root, claim), public(other))


def test_any_changed_byte_of_the_signature(signed: Opened, root: Path, key: Path) -> None:
    """Each of its 64 bytes counts."""
    (signature,) = trust.signatures_of(signed).by_key.values()
    for at in range(64):
        spoilt = bytes([*signature[:at], signature[at] ^ 1, *signature[at + 1 :]])

        def spoil(document: dict[str, Any], text: str = base64.b64encode(spoilt).decode()) -> None:
            document["signatures"][0]["signature"] = text

        assert "not one of this bundle" in refusal(signing.rewritten(root, spoil), public(key))


def test_many_names_do_not_help(signed: Opened, root: Path, key: Path, other: Path) -> None:
    """A MANIFEST.sig may name every key there is: one that was asked for has to have signed."""
    (named,) = trust.public_keys([public(other)])

    def add(document: dict[str, Any]) -> None:
        one = document["signatures"][0]
        others = [{**one, "key": f"ed25519:{number:064x}"} for number in range(14)]
        mine = {**one, "key": named.fingerprint}
        document["signatures"] = sorted([one, mine, *others], key=lambda each: each["key"])

    crowd = signing.rewritten(root, add)

    assert "not one of this bundle" in refusal(crowd, public(other))
    assert trust.judge(crowd, keys=[public(key)]).reason == "signed"


def spoilt(change: Any) -> Any:
    return lambda document: document["signatures"][0].update(change(document["signatures"][0]))


WRONG = {
    "another algorithm": spoilt(lambda one: {"algorithm": "none"}),
    "HMAC with the public key": spoilt(lambda one: {"algorithm": "hmac-sha256"}),
    "the algorithm in capitals": spoilt(lambda one: {"algorithm": "Ed25519"}),
    "a prehashed variant": spoilt(lambda one: {"algorithm": "ed25519ph"}),
    "a longer signature": spoilt(lambda one: {"signature": base64.b64encode(bytes(65)).decode()}),
    "a shorter signature": spoilt(lambda one: {"signature": base64.b64encode(bytes(63)).decode()}),
    "no signature": spoilt(lambda one: {"signature": ""}),
    "no base64": spoilt(lambda one: {"signature": "!" * 88}),
    "white space in base64": spoilt(lambda one: {"signature": one["signature"][:87] + "\n"}),
    "another base64": spoilt(lambda one: {"signature": one["signature"].replace("==", "=A")}),
    "the key in capitals": spoilt(lambda one: {"key": "ed25519:" + one["key"][8:].upper()}),
    "a shortened key": spoilt(lambda one: {"key": one["key"][:20]}),
    "a line break after the key": spoilt(lambda one: {"key": one["key"] + "\n"}),
    "an unknown key": spoilt(lambda one: {"comment": "trust me"}),
    "the public key itself": spoilt(lambda one: {"public": "AAAA"}),
    "no signatures": lambda document: document.update(signatures=[]),
    "one twice": lambda document: document.update(signatures=document["signatures"] * 2),
    "seventeen": lambda document: document.update(
        signatures=[{**document["signatures"][0], "key": f"ed25519:{n:064x}"} for n in range(17)]
    ),
    "another format": lambda document: document.update(format="progkit.trust"),
    "no format": lambda document: document.pop("format"),
    "a digest of its own": lambda document: document.update(digest="sha256:" + "0" * 64),
    "true as version": lambda document: document.update(version=[True, 0]),
    "a later version": lambda document: document.update(version=[1, 1]),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_document_that_is_not_exactly_as_it_should_be(signed: Opened, root: Path, key: Path, change: Any) -> None:
    """Is no signature at all, also where a part of it would verify."""
    opened = signing.rewritten(root, change)

    assert "no signature can be read" in refusal(opened, public(key))
    with pytest.raises(DocumentError):
        trust.signatures_of(opened)


@pytest.mark.parametrize("version", [[1, 1], [2, 0], "1", None])
def test_another_version_says_so(signed: Opened, root: Path, version: Any) -> None:
    """It is not guessed at."""
    opened = signing.rewritten(root, lambda document: document.update(version=version))

    with pytest.raises(VersionError, match=r"is not \[1, 0\]"):
        trust.signatures_of(opened)


def bytes_of(data: bytes) -> dict[str, bytes]:
    text = data.decode()
    twice = text.replace('"algorithm"', '"algorithm": "ed25519",\n   "algorithm"')
    return {
        "a space more": data.replace(b'"format": ', b'"format":  '),
        "no final newline": data[:-1],
        "a newline more": data + b"\n",
        "a newline before": b"\n" + data,
        "line ends of Windows": data.replace(b"\n", b"\r\n"),
        "on one line": json.dumps(json.loads(data)).encode(),
        "another order": json.dumps(dict(reversed(json.loads(data).items())), indent=1).encode() + b"\n",
        "a byte order mark": b"\xef\xbb\xbf" + data,
        "utf-16": text.encode("utf-16"),
        "a key twice": twice.encode(),
        "more after it": data + data,
        "an escape": data.replace(b'ed25519"', b'\\u0065d25519"'),
        "garbage": b"\x00\xff" * 40,
        "nothing": b"",
        "a pickle": b"\x80\x05N.",
        "too deep": b"[" * 100 + b"]" * 100,
        "null": b"null\n",
    }


@pytest.mark.parametrize("name", bytes_of(b'{"format": 1, "algorithm": 2}\n'))
def test_other_bytes_are_refused(signed: Opened, root: Path, key: Path, name: str) -> None:
    """Also where they say the same: there is one way to write a signature down."""
    data = bytes_of(signed.signature or b"")[name]
    assert data != signed.signature
    (root / "MANIFEST.sig").write_bytes(data)

    assert "no signature can be read" in refusal(open_bundle(root), public(key))


def test_every_truncation_is_refused(signed: Opened, root: Path, key: Path) -> None:
    """At every byte."""
    data = signed.signature or b""
    for end in range(0, len(data)):
        cut = Opened(signed.root, signed.manifest, signed.digest, signed.files, data[:end])
        with pytest.raises(DocumentError):
            trust.signatures_of(cut)


@pytest.mark.parametrize(
    "change",
    [lambda text: text + "\n", lambda text: text.replace("\n", "\r\n"), lambda text: text.replace(": ", ":  ")],
)
def test_white_space_in_the_manifest_counts(signed: Opened, root: Path, key: Path, change: Any) -> None:
    """It says the same and has another digest: what was signed are bytes."""
    path = root / "MANIFEST.json"
    path.write_bytes(change(path.read_text()).encode())

    assert "not one of this bundle" in refusal(open_bundle(root), public(key))


def test_saving_anew_takes_the_signature_away(signed: Opened, root: Path, key: Path) -> None:
    """It would be one of another bundle."""
    manifest = (root / "MANIFEST.json").read_bytes()

    place(root, {**signed.files, "MANIFEST.json": manifest}, lambda path: None)

    assert "is not signed" in refusal(open_bundle(root), public(key))


# --- writing it -----------------------------------------------------------------------------------


def test_the_mode_of_a_signature_is_kept(signed: Opened, root: Path, key: Path, other: Path) -> None:
    """As of any file that is replaced."""
    (root / "MANIFEST.sig").chmod(0o640)

    signing.signed(root, other)

    assert stat.S_IMODE((root / "MANIFEST.sig").stat().st_mode) == 0o640


def test_nothing_is_left_beside_it(root: Path, key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever happens, no reader finds a file in the bundle that its manifest does not list."""
    signing.made(root)
    private = trust.private_key(key)
    before = sorted(each.name for each in root.parent.iterdir())

    def refuse(*given: object, **more: object) -> None:
        assert open_bundle(root).signature is None
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        trust.sign(root, private)

    assert sorted(each.name for each in root.parent.iterdir()) == before


def test_a_bundle_that_was_replaced_meanwhile_is_not_signed(
    root: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signature would be beside the wrong manifest."""
    signing.made(root)
    opened = signing.made(tmp_path / "old", "PRICE = 1\n")
    monkeypatch.setattr(room, "open_bundle", lambda path: Opened(str(root), {}, opened.digest, {}, None))

    with pytest.raises(DocumentError, match="replaced by another one meanwhile"):
        trust.sign(root, trust.private_key(key))
    assert not (root / "MANIFEST.sig").exists()


def test_a_link_to_a_bundle_is_followed(root: Path, key: Path, tmp_path: Path) -> None:
    """As when it is saved."""
    signing.made(root)
    (tmp_path / "link").symlink_to(root)

    signing.signed(tmp_path / "link", key)

    assert (root / "MANIFEST.sig").exists()

"""Keys: made once, named in three ways, of one kind."""

import base64
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import signing
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519

from progkit.artifact import trust
from progkit.artifact.bundle.opening import Opened
from progkit.errors import ConfigurationError

ROOT = Path(__file__).parent.parent


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "desk"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    signing.pair(tmp_path / "key.pem")
    return tmp_path / "key.pem"


@pytest.fixture
def signed(root: Path, key: Path) -> Opened:
    """The bundle at *root*, signed by *key*."""
    signing.made(root)
    return signing.signed(root, key)


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


# --- pairs -----------------------------------------------------------------------------------------


def test_a_new_pair(tmp_path: Path) -> None:
    """The private key is its owner's alone, whatever the umask; both are what OpenSSL writes."""
    before = os.umask(0)
    try:
        signing.pair(tmp_path / "key.pem")
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert (tmp_path / "key.pem").read_text().startswith("-----BEGIN PRIVATE KEY-----\n")
    assert (tmp_path / "key.pem.pub").read_text().startswith("-----BEGIN PUBLIC KEY-----\n")


@pytest.mark.parametrize("there", ["key.pem", "key.pem.pub"])
def test_no_key_is_ever_written_over(tmp_path: Path, there: str) -> None:
    """Neither half; and half a pair is not left."""
    (tmp_path / there).write_text("mine")

    with pytest.raises(ConfigurationError, match="is there already"):
        signing.pair(tmp_path / "key.pem")

    assert (tmp_path / there).read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == [there]


def test_half_a_key_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves nothing behind that looks like a key."""

    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space"):
        signing.pair(tmp_path / "key.pem")
    assert list(tmp_path.iterdir()) == []


def test_an_encrypted_key_wants_its_password(root: Path, tmp_path: Path) -> None:
    """The right one, and only where there is one; no error shows it."""
    signing.made(root)
    trust.new_key(tmp_path / "key.pem", b"correct horse")
    signing.pair(tmp_path / "open.pem")

    assert trust.sign(root, trust.private_key(tmp_path / "key.pem", b"correct horse")).signed == 1
    with pytest.raises(ConfigurationError, match="is encrypted: give its password"):
        trust.private_key(tmp_path / "key.pem")
    with pytest.raises(ConfigurationError, match="no private key can be read from it with this password") as caught:
        trust.private_key(tmp_path / "key.pem", b"battery staple")
    assert "battery" not in str(caught.value)
    with pytest.raises(ConfigurationError, match="is not encrypted"):
        trust.private_key(tmp_path / "open.pem", b"correct horse")


def test_a_private_key_is_not_shown(key: Path) -> None:
    """Neither what it is nor where it lies."""
    assert "PrivateKey object" in repr(trust.private_key(key))


KEYS = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed448": ed448.Ed448PrivateKey.generate,
    "X25519": x25519.X25519PrivateKey.generate,
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_another_kind_is_refused(signed: Opened, tmp_path: Path, kind: str) -> None:
    """To sign with as to verify with: one algorithm, so that none can be confused with another."""
    key = KEYS[kind]()
    (tmp_path / "private.pem").write_bytes(signing.private_pem_of(key))

    with pytest.raises(ConfigurationError, match="none of ed25519"):
        trust.judge(signed, keys=[signing.pem_of(key)])
    with pytest.raises(ConfigurationError, match="none of ed25519"):
        trust.private_key(tmp_path / "private.pem")


def test_a_private_key_in_another_form_is_refused(tmp_path: Path) -> None:
    """OpenSSH's, for one: the error says how to make one that will do."""
    path = tmp_path / "id_ed25519"
    path.write_bytes(signing.private_pem_of(signing.another_key(), "OpenSSH"))

    with pytest.raises(ConfigurationError, match=r"no private key as PEM \(PKCS#8\); progkit sign --new-key"):
        trust.private_key(path)


PEM = "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n"
NO_KEY = {
    "nothing": ("", "names no key"),
    "white space": (" \n", "names no key"),
    "no bytes": (b"", "names no key"),
    "bytes": (b"key.pem", "names no key"),
    "raw bytes": (bytes(32), "names no key"),
    "a number": (7, "cannot be a int"),
    "none": (None, "cannot be a NoneType"),
    "no such file": ("nowhere.pem", "'nowhere.pem' cannot be read as a file with a key: No such file"),
    "no name of a file": ("a\0b", "no name of a file"),
    "a long text": ("x" * 5000, r"'x+'\.\.\. cannot be read"),
    "31 bytes": (base64.b64encode(bytes(31)).decode(), "cannot be read"),
    "url-safe base64": (base64.urlsafe_b64encode(b"\xff" * 32).decode(), "cannot be read"),
    "a certificate": ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", "is no public key as PEM"),
    "two keys": (PEM.format("AAAA") * 2, "holds 2 PEM blocks"),
    "an empty PEM": (PEM.format(""), "no public key can be read"),
    "garbage in PEM": (PEM.format("AAAA"), "no public key can be read"),
    "a cut PEM": ("-----BEGIN PUBLIC KEY-----\nAAAA", "no public key can be read"),
}


@pytest.mark.parametrize(("named", "reason"), NO_KEY.values(), ids=NO_KEY)
def test_what_names_no_key_is_an_error(
    signed: Opened, named: Any, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And never as if no key had been named: an empty variable must not open a door."""
    monkeypatch.chdir(tmp_path)
    trust.add(signed.digest, signed.root)

    with pytest.raises(ConfigurationError, match=reason):
        trust.judge(signed, keys=[named])


def test_what_is_no_list_of_keys_is_an_error(signed: Opened) -> None:
    """``keys=None`` would read as: none needed."""
    with pytest.raises(ConfigurationError, match="is a list of keys, not a NoneType"):
        trust.judge(signed, keys=None)  # type: ignore[arg-type]


def test_a_directory_or_a_large_file_is_no_key(tmp_path: Path) -> None:
    """It is not read."""
    (tmp_path / "large").write_bytes(bytes(70_000))
    for path in (tmp_path, tmp_path / "large"):
        with pytest.raises(ConfigurationError, match="is no file with a key"):
            trust.public_keys([path])


def test_a_private_key_is_not_named_to_verify_with(signed: Opened, key: Path) -> None:
    """It does not belong where bundles are loaded; and the error does not show it."""
    for named in (key, key.read_text()):
        with pytest.raises(ConfigurationError, match="is a private key; name the public one") as caught:
            trust.judge(signed, keys=[named])
        assert key.read_text().splitlines()[1] not in str(caught.value)


# --- the extra ------------------------------------------------------------------------------------

WITHOUT = """
import sys
sys.modules["cryptography"] = None
from progkit.artifact import trust
from progkit.artifact.bundle.opening import open_bundle
from progkit.errors import ConfigurationError, UntrustedError

opened = open_bundle(sys.argv[1])
signatures = trust.signatures_of(opened)
print(trust.judge(opened, trust=opened.digest).reason, trust.judge(opened, trust="code").reason)
print(len(trust.standing(opened).signed))
for act in (
    lambda: trust.judge(opened, keys=[open(sys.argv[2]).read()]),
    lambda: trust.judge(opened, keys=["A" * 43 + "="]),
    lambda: trust.new_key(sys.argv[1] + ".new"),
    lambda: trust.private_key(sys.argv[2].removesuffix(".pub")),
    lambda: signatures.verified([trust.PublicKey(bytes(32), next(iter(signatures.by_key)))]),
):
    try:
        print(act())
    except ConfigurationError as error:
        print(error)
    except UntrustedError as error:
        print(error.reason)
"""


def test_without_cryptography_the_rest_works(signed: Opened, key: Path) -> None:
    """Pins, consent and looking; whoever signs or names a key is told what to install."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, signed.root, public(key)], cwd=ROOT, capture_output=True, text=True, check=True
    )

    first, second, *rest = done.stdout.splitlines()
    assert (first, second) == ("pinned consented", "1")
    sentence = 'signatures need cryptography: pip install "progkit[sign]"'
    assert rest.count(sentence) == 4
    assert any("is signed by ed25519:" in each for each in rest)


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written."""
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

    with pytest.raises(ConfigurationError, match=r'pip install "progkit\[sign\]"'):
        signing.pair(tmp_path / "key.pem")
    assert list(tmp_path.iterdir()) == []


def test_cryptography_is_not_imported_for_nothing(signed: Opened) -> None:
    """Nor for a bundle that is signed and loaded on other grounds."""
    code = (
        "import sys\n"
        "from progkit.artifact import trust\n"
        "from progkit.artifact.bundle.opening import open_bundle\n"
        "opened = open_bundle(sys.argv[1])\n"
        "trust.judge(opened, trust=opened.digest)\n"
        "trust.standing(opened)\n"
        "print(*{'cryptography', 'pydantic', 'cloudpickle', 'litellm', 'packaging'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, signed.root], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "\n"

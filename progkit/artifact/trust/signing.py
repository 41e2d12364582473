"""Bundles signed, and pairs of keys made."""

import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass

from progkit.artifact.bundle.opening import MAX_MANIFEST, Opened, digest_of, open_bundle
from progkit.artifact.bundle.swapping import whereabouts
from progkit.artifact.bundle.walking import Walk, opened
from progkit.artifact.trust import ed25519, keys
from progkit.artifact.trust.signatures import MAX_SIGNATURES, encoded, message, signatures_of
from progkit.artifact.writing import TEMPORARY, sweep
from progkit.errors import ConfigurationError, DocumentError
from progkit.schema.bundles import MANIFEST, SIGNATURE


@dataclass(frozen=True, slots=True)
class Signed:
    """A bundle as signed: its *digest*, the fingerprint of the *key*, and how many keys have *signed* it now."""

    digest: str
    key: str
    signed: int


def private_key(path: str | os.PathLike[str], password: bytes | None = None) -> ed25519.PrivateKey:
    """The private key in the PEM file at *path*.

    Raises:
        ConfigurationError: for another file, a wrong password, or without ``cryptography``.
    """
    source, pem = os.fspath(path), keys.read_key(path)
    require_no_public(pem, source)
    keys.require_one(pem, source)
    if not any(each in pem for each in keys.PRIVATE):
        raise ConfigurationError(f"{source}: is no private key as PEM (PKCS#8); progkit sign --new-key PATH makes one")
    if is_encrypted(pem) != (password is not None):
        told = "is encrypted: give its password" if password is None else "is not encrypted: it has no password"
        raise ConfigurationError(f"{source}: {told}")
    return ed25519.private_from_pem(pem, password, source)


def require_no_public(pem: bytes, source: str) -> None:
    """Nothing, unless *pem*, of the file *source*, is a public key.

    Raises:
        ConfigurationError: if it is.
    """
    if keys.PUBLIC in pem:
        private = source.removesuffix(".pub")
        named = f", {private}" if private != source and os.path.isfile(private) else ""
        raise ConfigurationError(f"{source}: is a public key; what signs is the private one of the pair{named}")


def is_encrypted(pem: bytes) -> bool:
    """Whether a private key needs a password."""
    return keys.PRIVATE[1] in pem


def sign(path: str | os.PathLike[str], key: ed25519.PrivateKey, *, only: bool = False) -> Signed:
    """Sign the bundle at *path*; what else it has been signed with stays, unless this is to be the *only* one.

    Raises:
        DocumentError: for what is no intact bundle, one whose MANIFEST.sig is broken (unless *only*), or one that was
            replaced meanwhile.
        OSError: if the signature cannot be written; the old one is still there.
    """
    bundle = open_bundle(path)
    name = ed25519.fingerprint(key.public)
    others = {} if only else signatures_of(bundle).by_key
    by_key = {**others, name: key.sign(message(bundle.digest))}
    if len(by_key) > MAX_SIGNATURES:
        raise DocumentError(bundle.root, SIGNATURE, f"would hold more than {MAX_SIGNATURES} signatures")
    _put(bundle, encoded(by_key))
    return Signed(bundle.digest, name, len(by_key))


def new_key(path: str | os.PathLike[str], password: bytes | None = None) -> str:
    """Make a pair: the private key at *path* (0600, encrypted with *password*), the public one beside it, ``.pub``.

    The public key as base64. Neither file may be there already.

    Raises:
        ConfigurationError: if one is, or without ``cryptography``.
        OSError: if they cannot be written.
    """
    private, public, raw = ed25519.generate(password)
    target = os.fspath(path)
    _create(target, private, 0o600)
    try:
        _create(f"{target}.pub", public, 0o666)
    except BaseException:  # also an interrupt: half a pair is none
        os.unlink(target)
        raise
    return keys.as_base64(raw)


def _create(path: str, data: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except FileExistsError:
        raise ConfigurationError(f"{path}: is there already, and no key is ever written over") from None
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
    except BaseException:  # also an interrupt: half a key is none
        os.unlink(path)
        raise


def _put(bundle: Opened, data: bytes) -> None:
    """Make *data* the MANIFEST.sig of exactly this *bundle*.

    The temporary is beside the directory: a reader refuses a bundle with a file that its manifest does not list.
    """
    directory = os.path.realpath(whereabouts(bundle.root))
    above, name = os.path.split(directory)
    sweep(above, name)
    temporary = os.path.join(above, f".{name}.{secrets.token_hex(8)}{TEMPORARY}")
    with opened(directory) as root:
        walk = Walk(root, bundle.root)
        if digest_of(walk.read(MANIFEST, MAX_MANIFEST)) != bundle.digest:
            raise DocumentError(bundle.root, MANIFEST, "was replaced by another one meanwhile", "Try again")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            with open(descriptor, "wb") as file:
                if walk.has(SIGNATURE):
                    os.fchmod(descriptor, stat.S_IMODE(os.stat(SIGNATURE, dir_fd=root, follow_symlinks=False).st_mode))
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            os.replace(temporary, SIGNATURE, dst_dir_fd=root)
        except BaseException:  # also an interrupt: nothing of ours stays behind
            with suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        os.fsync(root)

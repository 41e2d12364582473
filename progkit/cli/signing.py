"""``progkit sign`` and ``verify``: keys, signatures, and whether a bundle is what it says. Nothing of it is run."""

import argparse
import errno
import getpass
import json
import os
import stat
import sys
from typing import Any

from progkit.artifact import Opened, trust
from progkit.artifact.bundle.opening import faults
from progkit.artifact.trust.digests import is_digest
from progkit.artifact.trust.keys import read_key
from progkit.artifact.trust.signing import is_encrypted, require_no_public
from progkit.cli.trusting import bundle_at
from progkit.errors import ConfigurationError, DocumentError, RevisionError, VersionError

_DAMAGE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)
"""What the system says of a bundle that is not as it was."""
_STATES = {"valid": "valid", "wrong": "wrong", "unknown": "not checked: say --key FILE.pub"}


def run(options: argparse.Namespace) -> int:
    """The action; status 1 for a bundle that is not intact, or not signed or pinned as asked."""
    return _verify(options) if options.action == "verify" else _sign(options)


# --- sign -----------------------------------------------------------------------------------------


def _sign(options: argparse.Namespace) -> int:
    if bool(options.new_key) == bool(options.bundle):
        raise ConfigurationError("say what to sign, DIR --key PEM, or --new-key PATH alone")
    if options.new_key:
        return _new_key(options)
    bundle_at(options.bundle)  # before anybody types a password
    key = trust.private_key(options.key, _password(options))
    signed = trust.sign(options.bundle, key, only=options.only)
    if options.json:
        print(json.dumps({"digest": signed.digest, "key": signed.key, "signatures": signed.signed}))
        return 0
    print(f"{options.bundle} is signed by {signed.key}")
    if signed.signed > 1:
        print(f"  it has {signed.signed} signatures; --only leaves out the others")
    return 0


def _new_key(options: argparse.Namespace) -> int:
    public = trust.new_key(options.new_key, _from_environment(options.password_env))
    (named,) = trust.public_keys([public])
    if options.json:
        print(json.dumps({"private": options.new_key, "public": f"{options.new_key}.pub", "key": named.fingerprint}))
        return 0
    print(f"{options.new_key}      the private key: keep it to yourself")
    print(f"{options.new_key}.pub  the public key: progkit.load(path, keys=[{f'{options.new_key}.pub'!r}])")
    print(f"  as text      {public}")
    print(f"  fingerprint  {named.fingerprint}")
    if not options.password_env:
        print("progkit: the private key is not encrypted; --password-env NAME would do that", file=sys.stderr)
    return 0


def _password(options: argparse.Namespace) -> bytes | None:
    """The password of ``--key``, if it has one: from the environment, or from who is at the terminal."""
    pem = read_key(options.key)
    require_no_public(pem, options.key)
    if options.password_env:
        return _from_environment(options.password_env)
    if os.name == "posix" and os.stat(options.key).st_mode & (stat.S_IRGRP | stat.S_IROTH):
        print(f"progkit: {options.key} can be read by others: chmod 600 {options.key}", file=sys.stderr)
    if not is_encrypted(pem):
        return None
    if not sys.stdin.isatty():
        raise ConfigurationError(f"{options.key} is encrypted, and nobody can be asked: --password-env NAME")
    return getpass.getpass(f"password of {options.key}: ").encode()


def _from_environment(name: str | None) -> bytes | None:
    if not name:
        return None
    if not os.environ.get(name):
        raise ConfigurationError(f"the environment variable {name} is not set, or is empty")
    return os.fsencode(os.environ[name])


# --- verify ---------------------------------------------------------------------------------------


def _verify(options: argparse.Namespace) -> int:
    if options.pin is not None and not is_digest(options.pin):
        raise ConfigurationError(f"--pin {options.pin}: a digest is sha256: and all 64 digits, 0-9 and a-f")
    keys = trust.public_keys(options.key)
    try:
        found = _found(bundle_at(options.bundle), keys, options.pin)
    except DocumentError as error:
        if isinstance(error, VersionError | RevisionError) or _is_failure(error):
            raise
        every = faults(options.bundle) if type(error) is DocumentError else []
        found = {"path": options.bundle, "intact": False, "problems": list(map(str, every or [error]))}
    if options.json:
        print(json.dumps(found, ensure_ascii=False))
    else:
        _show(found)
    return 1 if found["problems"] else 0


def _is_failure(error: DocumentError) -> bool:
    """Whether the system kept us from looking, which says nothing about the bundle."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno not in _DAMAGE


def _found(opened: Opened, keys: list[trust.PublicKey], pin: str | None) -> dict[str, Any]:
    held = trust.contents(opened)
    standing = trust.standing(opened)
    problems: list[str] = []
    verified: list[str] = []
    if standing.signature_fault:
        problems.append(standing.signature_fault)
    else:
        verified = trust.signatures_of(opened).verified(keys)
    named = [each.fingerprint for each in keys]
    states = {
        each: "valid" if each in verified else "wrong" if each in named else "unknown" for each in standing.signed
    }
    problems += [f"the signature by {each} is not one of this bundle" for each in named if states.get(each) == "wrong"]
    if keys and not verified:
        problems.append(f"is not signed by {' or '.join(named)}")
    if pin not in (None, opened.digest):
        problems.append(f"its digest is {opened.digest}, not {pin}")
    return {
        "path": opened.root,
        "intact": True,
        "digest": opened.digest,
        **{name: held[name] for name in ("program", "portability", "files", "bytes")},
        "signatures": states,
        "trust": standing.to_dict() | {"said": str(standing)},
        "problems": problems,
    }


def _show(found: dict[str, Any]) -> None:
    if found["intact"]:
        print(f"{found['path']}: {found['files']} files, {found['bytes']:,} bytes, all as the manifest says")
        print(f"  digest     {found['digest']}")
        print(f"  program    {trust.plain(found['program'])}, portability {found['portability']}")
        for key, state in found["signatures"].items():
            print(f"  signature  {key}, {_STATES[state]}")
        if not found["signatures"]:
            print("  signature  none")
        print(f"  trust      {found['trust']['said']}")
    for each in found["problems"]:
        print(each if each.startswith(found["path"]) else f"{found['path']}: {each}")

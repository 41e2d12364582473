"""The trust list: whole at every moment, this user's alone, read strictly."""

import json
import logging
import os
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import platformdirs
import pytest
import signing

from progkit.artifact import trust
from progkit.artifact.trust import listing, locking, own
from progkit.errors import ConfigurationError, DocumentError, VersionError

ROOT = Path(__file__).parent.parent


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


ONE, TWO = digest(1), digest(2)


@pytest.fixture
def home() -> Path:
    """The user's directory of settings, made as progkit makes it."""
    return Path(own.made_directory())


@pytest.fixture
def path(home: Path) -> Path:
    return home / "trust.json"


# --- what is on it --------------------------------------------------------------------------------


def test_no_list_is_an_empty_list() -> None:
    """And looking at it makes none."""
    assert trust.listed() == {}
    assert not os.path.exists(own.directory())


def test_an_entry_says_what_where_when_and_how(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path is made absolute, the time is UTC."""
    monkeypatch.chdir(tmp_path)
    assert trust.remember(ONE, "saved")
    assert trust.add(TWO, tmp_path / "given")

    first, second = sorted(trust.listed().values(), key=lambda each: each.digest)

    assert first.to_dict() == {"digest": ONE, "path": str(tmp_path / "saved"), "at": first.at, "by": "save"}
    assert first.at.endswith("Z")
    assert (second.path, second.by) == (str(tmp_path / "given"), "trust")


def test_the_file_is_canonical_and_private(path: Path) -> None:
    """In a directory of the user's alone; the lock is there beside it."""
    trust.add(TWO, "/b")
    trust.add(ONE, "/a")

    document = json.loads(path.read_bytes())
    assert path.read_bytes() == (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
    assert list(document["bundles"]) == [ONE, TWO]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(each.name for each in path.parent.iterdir()) == ["trust.json", "trust.lock"]


def test_the_mode_does_not_hang_on_the_umask(path: Path) -> None:
    """Nobody else can read it either."""
    before = os.umask(0)
    try:
        trust.add(ONE, "/a")
    finally:
        os.umask(before)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_saying_it_again_changes_nothing(path: Path) -> None:
    """A save does not weaken what somebody said; what somebody says replaces a save."""
    assert trust.remember(ONE, "/a")
    assert trust.add(ONE, "/b")
    before = path.stat()

    assert not trust.add(ONE, "/c")
    assert trust.remember(ONE, "/d")

    assert (trust.listed()[ONE].path, trust.listed()[ONE].by) == ("/b", "trust")
    assert path.stat().st_ino == before.st_ino


def test_what_is_forgotten_is_gone(path: Path) -> None:
    """And the others stay."""
    trust.add(ONE, "/a")
    trust.add(TWO, "/b")

    assert trust.forget(ONE)
    assert not trust.forget(ONE)

    assert list(trust.listed()) == [TWO]


def test_a_path_need_not_be_text() -> None:
    """A name that is no UTF-8 is written with escapes: it is shown, never compared."""
    trust.add(ONE, os.fsdecode(b"/srv/\xff\n"))

    assert trust.listed()[ONE].path == "/srv/\\xff\n"


def test_what_is_saved_over_leaves_the_list(tmp_path: Path) -> None:
    """The digest of what was saved to the same path before; not what somebody said, nor what is there now."""
    trust.add(digest(1), tmp_path)
    trust.remember(digest(2), tmp_path)
    trust.remember(digest(3), tmp_path / "other")
    assert trust.remember(digest(4), tmp_path)
    assert set(trust.listed()) == {digest(1), digest(3), digest(4)}
    faster = signing.made(tmp_path / "other").digest
    trust.remember(faster, tmp_path / "other")

    trust.remember(digest(5), tmp_path / "other")

    assert set(trust.listed()) == {digest(1), digest(4), digest(5), faster}


def test_the_list_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was only saved goes, the oldest first; what somebody said stays."""
    monkeypatch.setattr(listing, "MAX_ENTRIES", 3)
    trust.add(digest(9), "/said")
    for number in range(5):
        trust.remember(digest(number), f"/saved/{number}")

    assert len(trust.listed()) == 3
    assert {digest(9), digest(4)} <= set(trust.listed())


@pytest.mark.parametrize("wrong", ["", "x", ONE[:20], ONE.upper(), ONE + "\n", ONE[7:]])
def test_only_a_whole_digest_is_put_on_it(wrong: str) -> None:
    """What is no digest would never match, or match too much."""
    with pytest.raises(ConfigurationError, match="is no digest"):
        trust.add(wrong, "/a")
    assert trust.listed() == {}


# --- read strictly --------------------------------------------------------------------------------

AT = "2026-01-31T12:00:00Z"


def document(**changes: Any) -> dict[str, Any]:
    entry = {"at": AT, "by": "save", "path": "/a"}
    return {"format": "progkit.trust", "version": [1, 0], "bundles": {ONE: entry}, **changes}


BROKEN = {
    "empty": (b"", "is empty"),
    "cut": (json.dumps(document()).encode()[:-1], "not JSON"),
    "a list": (b"[]", "expected object"),
    "another format": (json.dumps(document(format="progkit.state")).encode(), "format"),
    "upper case": (json.dumps(document(bundles={ONE[:-1] + "A": document()["bundles"][ONE]})).encode(), "bundles"),
    "a prefix": (json.dumps(document(bundles={ONE[:20]: document()["bundles"][ONE]})).encode(), "bundles"),
    "a line break": (json.dumps(document(bundles={ONE + "\n": document()["bundles"][ONE]})).encode(), "bundles"),
    "any digest": (json.dumps(document(bundles={"*": document()["bundles"][ONE]})).encode(), "bundles"),
    "unknown key": (json.dumps(document(also=[TWO])).encode(), "unknown key 'also'"),
    "unknown key below": (
        json.dumps(document(bundles={ONE: {"at": AT, "by": "save", "path": "/", "x": 1}})).encode(),
        "x",
    ),
    "by nobody": (json.dumps(document(bundles={ONE: {"at": AT, "by": "me", "path": "/"}})).encode(), "by"),
    "no time": (json.dumps(document(bundles={ONE: {"at": "now", "by": "save", "path": "/"}})).encode(), "at"),
    "null": (json.dumps(document(bundles={ONE: None})).encode(), "bundles"),
    "twice": (json.dumps(document()).replace('"bundles"', '"bundles": {}, "bundles"').encode(), "twice"),
    "utf-16": (json.dumps(document()).encode("utf-16"), "UTF-16"),
    "a pickle": (b"\x80\x05N.", "is a pickle"),
    "two": (json.dumps(document()).encode() * 2, "more follows"),
}


@pytest.mark.parametrize(("data", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_list_trusts_nothing(path: Path, data: bytes, reason: str) -> None:
    """Not even what can still be read of it; and it is left as it is for somebody to mend."""
    path.write_bytes(data)
    path.chmod(0o600)

    with pytest.raises(DocumentError) as caught:
        trust.listed()
    with pytest.raises(DocumentError):
        trust.add(TWO, "/b")
    with pytest.raises(DocumentError):
        trust.forget(ONE)

    assert reason in str(caught.value)
    assert path.read_bytes() == data


def test_a_newer_list_says_so(path: Path) -> None:
    """It is not guessed at."""
    path.write_text(json.dumps(document(version=[2, 0])))
    path.chmod(0o600)

    with pytest.raises(VersionError, match=r"\[2, 0\] is not \[1, 0\]"):
        trust.listed()


def test_a_broken_list_never_breaks_saving(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What was saved is saved; the log says what is wrong."""
    path.write_text("{")

    assert not trust.remember(ONE, "/saved")

    (record,) = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert "the bundle saved at /saved could not be put on the trust list" in record.getMessage()
    assert str(path) in record.getMessage()


# --- whose it is ----------------------------------------------------------------------------------


def refused(reason: str) -> None:
    for act in (trust.listed, lambda: trust.add(TWO, "/b"), lambda: trust.forget(ONE)):
        with pytest.raises(DocumentError, match=reason):
            act()
    assert not trust.remember(TWO, "/b")


@pytest.mark.parametrize("mode", [0o660, 0o602, 0o666])
def test_a_list_that_others_may_write_does_not_count(path: Path, mode: int) -> None:
    """The error says how to make it one's own again."""
    trust.add(ONE, "/a")
    path.chmod(mode)

    refused(f"can be written by others. If you know what is in it: chmod go-w {path}")


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o1777])
def test_nor_one_in_a_directory_where_others_may_write(path: Path, mode: int) -> None:
    """They could put another in its place."""
    trust.add(ONE, "/a")
    path.parent.chmod(mode)
    try:
        refused("can be written by others")
    finally:
        path.parent.chmod(0o700)


def test_others_may_read_it(path: Path) -> None:
    """A directory that was there already is not made more private than it was."""
    trust.add(ONE, "/a")
    path.chmod(0o644)
    path.parent.chmod(0o755)

    trust.add(TWO, "/b")

    assert set(trust.listed()) == {ONE, TWO}
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_a_link_is_no_list(path: Path, tmp_path: Path) -> None:
    """Whoever can write its target could write the list."""
    trust.add(ONE, "/a")
    path.rename(tmp_path / "target")
    path.symlink_to(tmp_path / "target")

    refused("is a link")
    assert path.is_symlink()


def test_a_link_is_no_directory(home: Path, tmp_path: Path) -> None:
    """Likewise."""
    trust.add(ONE, "/a")
    home.rename(tmp_path / "target")
    home.symlink_to(tmp_path / "target")

    refused("is a link")


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_file_is_no_list(path: Path, make: Any) -> None:
    """A pipe is not waited for."""
    make(path)

    refused("is no regular file")


def test_another_users_list_does_not_count(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if this process were somebody else's."""
    trust.add(ONE, "/a")
    somebody = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody)

    refused("belongs to another user")


def test_a_huge_list_is_not_read(path: Path) -> None:
    """No more is taken into memory than a list can have."""
    with path.open("wb") as file:
        file.truncate(own.MAX_BYTES + 1)
    path.chmod(0o600)

    refused("is larger than")


def test_a_directory_that_is_a_file_is_told(home: Path) -> None:
    """Whatever the system says, the error is ours."""
    home.rmdir()
    home.write_text("")

    refused("is no directory")


def test_what_the_system_refuses_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A way to the list that leads through a file."""
    home.rmdir()
    home.parent.rmdir()
    home.parent.write_text("")

    with pytest.raises(DocumentError, match="cannot be read: Not a directory"):
        trust.listed()
    assert not trust.remember(ONE, "/a")


def no_home(name: str) -> str:
    """As newer versions of platformdirs."""
    raise RuntimeError(name)


@pytest.mark.parametrize("say", [no_home, lambda name: f"~/.config/{name}"])
def test_without_a_home_there_is_no_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, say: Any) -> None:
    """A container may run without one: nothing is then written into the directory where one happens to be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(platformdirs, "user_config_dir", say)

    refused("this user has no home directory. Set HOME")
    assert list(tmp_path.iterdir()) == []


# --- many at once ---------------------------------------------------------------------------------

SAVER = """
import sys
from progkit.artifact import trust

start, count = map(int, sys.argv[1:])
for number in range(start, start + count):
    assert trust.remember(f"sha256:{number:064x}", f"/saved/{number}")
    if number % 3 == 0:
        assert trust.forget(f"sha256:{number:064x}")
"""


def test_savers_in_many_processes_lose_nothing() -> None:
    """Four of them, each with entries of its own, while a reader sees a whole list at every moment."""
    command = [sys.executable, "-c", SAVER]
    savers = [subprocess.Popen([*command, str(100 * at), "30"], cwd=ROOT) for at in range(4)]
    seen = 0
    while any(each.poll() is None for each in savers):
        seen = max(seen, len(trust.listed()))

    assert [each.wait(60) for each in savers] == [0, 0, 0, 0]
    expected = {digest(100 * at + each) for at in range(4) for each in range(30) if (100 * at + each) % 3}
    assert set(trust.listed()) == expected
    assert seen <= len(expected) + 4


def test_savers_in_many_threads_lose_nothing() -> None:
    """The lock holds between threads, too."""
    threads = [threading.Thread(target=trust.remember, args=(digest(at), f"/a/{at}")) for at in range(16)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert set(trust.listed()) == {digest(at) for at in range(16)}


def test_a_saver_that_was_killed_holds_nothing_up(home: Path) -> None:
    """The system lets go of its lock; what it was writing was never the list."""
    code = (
        "import os, signal, sys\n"
        "from progkit.artifact.trust import listing\n"
        "listing.replace = lambda *given: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"listing.add({ONE!r}, '/a')\n"
    )
    killed = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)

    assert killed.returncode == -9
    assert trust.add(TWO, "/b")
    assert list(trust.listed()) == [TWO]


def test_a_lock_that_stays_held_is_an_error(home: Path) -> None:
    """Nobody waits for ever on a process that was stopped."""
    lock = str(home / "trust.lock")
    with ExitStack() as held:
        held.enter_context(locking.locked(lock))
        with pytest.raises(TimeoutError, match="held by another process"):
            held.enter_context(locking.locked(lock, patience=0.02))
    with locking.locked(lock, patience=0):
        pass


def test_a_full_disk_leaves_the_old_list(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Saving goes on."""
    trust.add(ONE, "/a")
    before = path.read_bytes()

    def refuse(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(listing, "replace", refuse)

    assert not trust.remember(TWO, "/b")
    with pytest.raises(OSError, match="No space"):
        trust.add(TWO, "/b")
    assert path.read_bytes() == before

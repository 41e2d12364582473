"""Bundles opened: every byte that is used was read once and is what the manifest says. Nothing runs."""

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bundles
import pytest

from progkit import artifact
from progkit.artifact.bundle import opening, walking
from progkit.artifact.bundle.opening import Opened, digest_of, is_bundle, open_bundle
from progkit.errors import DocumentError
from progkit.schema import bundles as manifests

ROOT = Path(__file__).parent.parent
FILES = bundles.files_of({"desk/__init__": "from desk import tools\n", "desk/tools": "K = 1\n"})
MANIFEST = bundles.manifest_of(FILES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved"


@pytest.fixture
def saved(path: Path) -> Path:
    bundles.write(path, FILES)
    return path


def refused(path: Path) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        open_bundle(path)
    assert caught.value.source.startswith(str(path))
    return caught.value


def opened_with(path: Path, change: Callable[[dict[str, Any]], object]) -> Opened:
    """Open a bundle whose manifest had *change* done to it."""
    bundles.write(path, FILES, bundles.changed(MANIFEST, change))
    return open_bundle(path)


# --- what is right ------------------------------------------------------------------------------


def test_a_bundle_is_its_manifest_its_files_and_a_digest(saved: Path) -> None:
    """The digest is that of MANIFEST.json, which names the hash of everything else."""
    opened = open_bundle(saved)

    assert opened.root == str(saved)
    assert opened.manifest == MANIFEST
    assert opened.files == FILES
    assert opened.signature is None
    assert opened.digest == digest_of((saved / "MANIFEST.json").read_bytes())
    assert is_bundle(saved)


def test_a_signature_may_stand_beside_what_is_listed(saved: Path) -> None:
    """It cannot be listed, as it signs the list."""
    (saved / "MANIFEST.sig").write_bytes(b"signed")

    assert open_bundle(saved).signature == b"signed"


def test_a_link_to_a_bundle_is_followed(saved: Path, tmp_path: Path) -> None:
    """``current`` may point to a release; inside no link is followed."""
    (tmp_path / "current").symlink_to(saved, target_is_directory=True)

    assert open_bundle(tmp_path / "current").files == FILES


def test_its_state_is_read_like_any_state_file(saved: Path) -> None:
    """A bundle can be read, compared and migrated without running anything."""
    received = artifact.receive(saved)

    assert received.document["program"] == "desk:Desk"
    assert received.data == FILES["state.json"]


def test_what_is_used_are_the_bytes_that_were_read(saved: Path) -> None:
    """Whatever happens to the files afterwards."""
    opened = open_bundle(saved)
    (saved / "program.pkl").write_bytes(b"other")

    assert opened.files["program.pkl"] == FILES["program.pkl"]
    with pytest.raises(TypeError):
        opened.files["program.pkl"] = b"other"  # type: ignore[index]


# --- what is no bundle --------------------------------------------------------------------------


def test_what_is_no_bundle_says_so(tmp_path: Path) -> None:
    """Nothing, a file, a directory of other things, a program pickled by DSPy."""
    (tmp_path / "file").write_text("{}")
    (tmp_path / "empty").mkdir()
    (tmp_path / "dspy").mkdir()
    for name in ("program.pkl", "metadata.json"):
        (tmp_path / "dspy" / name).touch()

    assert refused(tmp_path / "nothing").reason == "is not there"
    assert refused(tmp_path / "file").reason == "cannot be read: Not a directory"
    assert "no bundle" in refused(tmp_path / "empty").reason
    assert "pickled by DSPy" in refused(tmp_path / "dspy").reason
    assert not is_bundle(tmp_path / "nothing")
    assert not is_bundle(tmp_path / "none" / "nothing")
    assert not is_bundle(tmp_path / "file")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b'{"format": "progkit.state"}', b'{"a": 1, "a": 1}'])
def test_a_manifest_is_read_as_strictly_as_a_state_file(path: Path, data: bytes) -> None:
    """Broken, another kind, or with a key twice."""
    bundles.write(path, FILES, data)

    assert refused(path).source == str(path / "MANIFEST.json")


def test_a_manifest_cut_short_anywhere_is_refused(path: Path) -> None:
    """At every byte of it; only the final line break is no part of the document, and it counts in the digest."""
    whole = bundles.as_json(MANIFEST)
    bundles.write(path, FILES)
    for end in range(0, len(whole) - 1, 7):
        (path / "MANIFEST.json").write_bytes(whole[:end])
        refused(path)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_cut_short_anywhere_is_refused(path: Path, name: str) -> None:
    """At every byte of it."""
    bundles.write(path, FILES)
    for end in range(len(FILES[name])):
        (path / name).write_bytes(FILES[name][:end])
        assert refused(path).where == name


# --- files --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(FILES))
def test_another_content_of_the_same_size_is_refused(saved: Path, name: str) -> None:
    """The size is right, the hash is not."""
    data = bytearray(FILES[name] or b"")
    if data:
        data[-1] ^= 1
        (saved / name).write_bytes(bytes(data))
        assert "SHA-256 is another" in refused(saved).reason


def test_two_files_that_changed_places_are_refused(path: Path) -> None:
    """The hash goes with the path."""
    files = bundles.files_of({"one": "X = 1\n", "two": "X = 2\n"})
    bundles.write(path, {**files, "src/one.py": files["src/two.py"]}, bundles.manifest_of(files))

    assert refused(path).where == "src/one.py"


@pytest.mark.parametrize("extra", ["x", "src/x.py", "src/desk/x.pyc", ".git/config", "src/desk/tools.PY", "a\nb"])
def test_an_extra_file_is_refused(saved: Path, extra: str) -> None:
    """What the manifest does not list is not there by accident."""
    (saved / extra).parent.mkdir(exist_ok=True)
    (saved / extra).touch()

    assert "the manifest does not list it" in refused(saved).reason


def test_an_extra_empty_directory_is_refused(saved: Path) -> None:
    """Something may be put into it later."""
    (saved / "src" / "more").mkdir()

    assert refused(saved).where == "src/more"


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_missing_file_is_refused(saved: Path, name: str) -> None:
    """And named."""
    (saved / name).unlink()

    assert (refused(saved).where, refused(saved).reason) == (name, "is missing: the manifest lists it")


def test_a_missing_directory_is_refused(saved: Path) -> None:
    """With all that was in it."""
    for each in (saved / "src" / "desk").iterdir():
        each.unlink()
    (saved / "src" / "desk").rmdir()
    (saved / "src").rmdir()

    assert refused(saved).reason == "is missing: the manifest lists it"


def outside(saved: Path) -> Path:
    """The source of the bundle, moved out of it."""
    target = saved.parent / "outside"
    (saved / "src").rename(target)
    return target


def test_a_linked_file_is_refused(saved: Path) -> None:
    """Also if what it leads to has the right content: it can change, and it is outside."""
    (saved / "program.pkl").rename(saved.parent / "elsewhere")
    (saved / "program.pkl").symlink_to(saved.parent / "elsewhere")

    assert (refused(saved).where, refused(saved).reason) == ("program.pkl", "is a link")


def test_a_linked_manifest_or_signature_is_refused(saved: Path) -> None:
    """They are files of the bundle like any other."""
    (saved / "MANIFEST.sig").symlink_to("/dev/zero")
    assert refused(saved).where == "MANIFEST.sig"

    (saved / "MANIFEST.sig").unlink()
    (saved / "MANIFEST.json").rename(saved.parent / "elsewhere")
    (saved / "MANIFEST.json").symlink_to(saved.parent / "elsewhere")
    assert (refused(saved).where, refused(saved).reason) == ("MANIFEST.json", "is a link")


def test_a_linked_directory_is_refused(saved: Path) -> None:
    """No link is followed on the way to a file."""
    (saved / "src").symlink_to(outside(saved), target_is_directory=True)

    assert refused(saved).where.startswith("src")
    assert "behind a link" in refused(saved).reason


def test_a_file_in_place_of_a_directory_is_refused(saved: Path) -> None:
    """And the reverse."""
    outside(saved)
    (saved / "src").touch()
    assert "no directory" in refused(saved).reason

    (saved / "src").unlink()
    (saved.parent / "outside").rename(saved / "src")
    (saved / "state.json").unlink()
    (saved / "state.json").mkdir()
    assert (refused(saved).where, refused(saved).reason) == ("state.json", "is not a regular file")


def test_a_hard_link_is_a_file_like_any_other(saved: Path) -> None:
    """Backups and stores of packages make them; a change through the other name is a change, and found."""
    os.link(saved / "program.pkl", saved.parent / "other-name")

    opened = open_bundle(saved)
    (saved.parent / "other-name").write_bytes(b"X" * len(FILES["program.pkl"]))

    assert opened.files["program.pkl"] == FILES["program.pkl"]
    assert "SHA-256 is another" in refused(saved).reason


@pytest.mark.parametrize("name", ["program.pkl", "MANIFEST.json", "src/desk/tools.py"])
def test_a_pipe_or_a_socket_is_refused_and_not_waited_for(saved: Path, name: str) -> None:
    """Opening a pipe waits for its writer, if one is not careful."""
    (saved / name).unlink()
    os.mkfifo(saved / name)
    assert refused(saved).reason == "is not a regular file"

    (saved / name).unlink()
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(saved)
        server.bind(name)
    assert refused(saved).reason == "is not a regular file"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device")
def test_a_device_is_refused(saved: Path) -> None:
    """It has no end."""
    (saved / "program.pkl").unlink()
    try:
        os.mknod(saved / "program.pkl", 0o20666, os.makedev(1, 5))
    except PermissionError:  # a container without the right to
        pytest.skip("devices cannot be made here")

    assert refused(saved).reason == "is not a regular file"


def test_a_file_that_may_not_be_read_is_named(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the system says."""
    real = os.open

    def failing(name: Any, *args: Any, **more: Any) -> int:
        if name == "program.pkl":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return real(name, *args, **more)

    monkeypatch.setattr(walking.os, "open", failing)
    error = refused(saved)

    assert (error.where, error.reason) == ("program.pkl", "cannot be read: Permission denied")


def test_a_file_that_shrinks_or_grows_while_it_is_read_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read is not what was looked at."""
    real = os.read

    for change in (lambda data: data[:-1], lambda data: data + b"x" if data else b""):
        monkeypatch.setattr(walking.os, "read", lambda file, size, change=change: change(real(file, size)))
        assert refused(saved).reason == "changed while it was read"


def test_a_file_that_becomes_a_link_while_it_is_opened_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look and the opening: the opening follows no link, and what was opened is looked at again."""
    real = os.stat

    def swapping(name: Any, *args: Any, **more: Any) -> os.stat_result:
        found = real(name, *args, **more)
        if name == "program.pkl":
            (saved / "program.pkl").unlink()
            (saved / "program.pkl").symlink_to("/etc/passwd")
        return found

    monkeypatch.setattr(walking.os, "stat", swapping)

    assert refused(saved).reason == "is a link"


# --- limits -------------------------------------------------------------------------------------


def test_a_manifest_beyond_the_limit_is_not_read(saved: Path) -> None:
    """Its size alone refuses it."""
    os.truncate(saved / "MANIFEST.json", opening.MAX_MANIFEST + 1)

    assert "is larger than" in refused(saved).reason


def test_a_signature_beyond_the_limit_is_not_read(saved: Path) -> None:
    """As the manifest."""
    (saved / "MANIFEST.sig").touch()
    os.truncate(saved / "MANIFEST.sig", opening.MAX_SIGNATURE + 1)

    assert refused(saved).where == "MANIFEST.sig"


def test_what_a_manifest_promises_is_bounded_before_anything_is_read(path: Path) -> None:
    """One file, all together, and how many."""
    big = {"role": "source", "size": opening.MAX_FILE, "sha256": "0" * 64}

    def many(document: dict[str, Any], count: int, file: dict[str, Any]) -> None:
        names = {f"m{index}": f"src/m{index}.py" for index in range(count)}
        document["modules"] = {name: {"file": file, "package": False} for name, file in names.items()}
        own = {name: each for name, each in document["files"].items() if each["role"] != "source"}
        document["files"] = own | dict.fromkeys(names.values(), file)

    with pytest.raises(DocumentError, match="is larger than"):
        opened_with(path, lambda document: many(document, 1, {**big, "size": opening.MAX_FILE + 1}))
    with pytest.raises(DocumentError, match="holds more than"):
        opened_with(path, lambda document: many(document, 5, big))
    with pytest.raises(DocumentError, match="10000"):
        opened_with(path, lambda document: many(document, manifests.MAX_FILES, {**big, "size": 0}))


def test_a_size_that_is_a_lie_is_found_before_the_file_is_read(saved: Path) -> None:
    """A sparse file of a terabyte costs nothing to make."""
    os.truncate(saved / "program.pkl", 2**40)

    assert "the manifest says" in refused(saved).reason


# --- others at work -----------------------------------------------------------------------------


def test_a_bundle_that_is_replaced_while_it_is_read_is_read_anew(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was begun is of one bundle and what follows of another: that is noticed, and nothing is mixed."""
    newer = bundles.files_of({"desk": "K = 2\n"})
    bundles.write(saved.parent / "newer", newer)
    real = walking.Walk.require_nothing_but

    def replacing(walk: Any, paths: Any) -> None:
        if (saved.parent / "newer").exists():
            saved.rename(saved.parent / "old")
            (saved.parent / "newer").rename(saved)
            (saved.parent / "old" / "program.pkl").unlink()
        real(walk, paths)

    monkeypatch.setattr(walking.Walk, "require_nothing_but", replacing)

    assert open_bundle(saved).files == newer


def test_a_bundle_that_vanishes_while_it_is_read_is_not_there(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is always replaced is given up some time."""
    real = walking.Walk.require_nothing_but

    def removing(walk: Any, paths: Any) -> None:
        saved.rename(saved.parent / "gone")
        (saved.parent / "gone" / "program.pkl").unlink()
        real(walk, paths)

    with monkeypatch.context() as patch:
        patch.setattr(walking.Walk, "require_nothing_but", removing)
        assert refused(saved).reason == "is not there"

    bundles.write(saved, FILES)
    (saved / "program.pkl").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(opening, "read_from", lambda _: (_ for _ in ()).throw(FileNotFoundError))
        assert "replaced 100 times" in refused(saved).reason
    monkeypatch.setattr(opening, "is_at", lambda *_: False)
    assert "replaced 100 times" in refused(saved).reason


def test_readers_see_a_whole_bundle_while_it_is_saved_over_and_over(tmp_path: Path) -> None:
    """The old one or a new one, by its own digest; nothing ever of two."""
    target = tmp_path / "saved"
    versions = [bundles.files_of({"desk": f"K = {number}\n", f"m{number}": "X = 1\n"}) for number in range(4)]
    digests = {bundles.write(tmp_path / f"v{number}", files) for number, files in enumerate(versions)}
    bundles.write(target, versions[0])
    code = (
        "import sys, bundles\n"
        "from progkit.artifact.bundle.placing import place\n"
        "for turn in range(60):\n"
        "    files = bundles.files_of({'desk': f'K = {turn % 4}\\n', f'm{turn % 4}': 'X = 1\\n'})\n"
        "    manifest = bundles.as_json(bundles.manifest_of(files))\n"
        "    place(sys.argv[1], {**files, 'MANIFEST.json': manifest}, lambda path: None)\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    savers = [subprocess.Popen([sys.executable, "-c", code, str(target)], env=env) for _ in range(2)]
    seen: set[str] = set()

    def read() -> None:
        while any(each.poll() is None for each in savers):
            opened = open_bundle(target)
            assert opened.files in versions
            seen.add(opened.digest)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(120)

    assert [saver.wait(60) for saver in savers] == [0, 0]
    assert seen <= digests
    assert open_bundle(target).digest in digests
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []

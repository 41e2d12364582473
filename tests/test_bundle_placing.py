"""Bundles written whole or not at all, whatever happens on the way."""

import errno
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bundles
import pytest

from progkit.artifact.bundle import placing, swapping
from progkit.artifact.bundle.opening import is_bundle, open_bundle
from progkit.errors import DocumentError

OLD = bundles.files_of({"desk": "K = 1\n", "old/__init__": "", "old/part": "X = 1\n"})
NEW = bundles.files_of({"desk": "K = 2\n", "new/__init__": "", "new/part": "X = 2\n"})
needs_exchange = pytest.mark.skipif(
    not sys.platform.startswith(("linux", "darwin")), reason="no exchange of directories"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved"


@pytest.fixture
def saved(path: Path) -> Path:
    place(path, OLD)
    return path


@pytest.fixture(params=["exchange", "two steps"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to replace a directory."""
    if request.param == "two steps":
        monkeypatch.setattr(swapping, "exchange", lambda one, other: False)
    return str(request.param)


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def place(path: Path, files: dict[str, bytes], check: Callable[[str], None] = lambda _: None) -> None:
    placing.place(path, {**files, "MANIFEST.json": bundles.as_json(bundles.manifest_of(files))}, check)


def leftovers(path: Path) -> list[str]:
    return [each.name for each in path.parent.iterdir() if each.name.startswith(".")]


def refused(path: Path) -> str:
    with pytest.raises((DocumentError, OSError)) as caught:
        place(path, NEW)
    assert leftovers(path) == []
    return str(caught.value)


# --- the usual ----------------------------------------------------------------------------------


def test_a_bundle_is_written_where_nothing_was(path: Path) -> None:
    """All of it, and nothing beside it."""
    place(path, OLD)

    assert open_bundle(path).files == OLD
    assert leftovers(path) == []


@pytest.mark.usefixtures("way")
def test_a_bundle_is_replaced_whole(saved: Path) -> None:
    """No file of the old one stays."""
    place(saved, NEW)

    assert open_bundle(saved).files == NEW
    assert leftovers(saved) == []


def test_an_empty_directory_becomes_a_bundle(path: Path) -> None:
    """As ``mkdir`` and then ``save`` do it."""
    path.mkdir()
    place(path, NEW)

    assert open_bundle(path).files == NEW


def test_the_directory_is_looked_at_before_it_is_in_place(saved: Path) -> None:
    """The check sees the new bundle whole while the old one is in place."""
    seen = []

    place(saved, NEW, lambda new: seen.append((open_bundle(new).files, open_bundle(saved).files)))

    assert seen == [(NEW, OLD)]


@pytest.mark.parametrize("error", [ValueError("it does not load"), KeyboardInterrupt()])
def test_a_check_that_fails_leaves_the_old_one(saved: Path, error: BaseException) -> None:
    """And nothing behind."""

    def check(_: str) -> None:
        raise error

    with pytest.raises(type(error)):
        place(saved, NEW, check)

    assert open_bundle(saved).files == OLD
    assert leftovers(saved) == []


@pytest.mark.usefixtures("umask", "way")
def test_permissions_are_kept_or_follow_the_umask(path: Path) -> None:
    """Of the directory and of each file that was there; what is new gets what anything new gets."""
    place(path, OLD)
    modes = {each: stat.S_IMODE((path / each).stat().st_mode) for each in ("", "src", "state.json", "src/desk.py")}
    assert modes == {"": 0o750, "src": 0o750, "state.json": 0o640, "src/desk.py": 0o640}

    path.chmod(0o2775)
    (path / "state.json").chmod(0o604)
    (path / "src").chmod(0o555)
    place(path, NEW)
    modes = {each: stat.S_IMODE((path / each).stat().st_mode) for each in ("", "src", "state.json", "src/new/part.py")}

    assert modes == {"": 0o2775, "src": 0o555, "state.json": 0o604, "src/new/part.py": 0o640}
    assert leftovers(path) == []


@pytest.mark.usefixtures("way")
def test_a_link_is_followed(saved: Path, tmp_path: Path) -> None:
    """``current`` keeps pointing where it pointed; also to what is not there yet."""
    (tmp_path / "current").symlink_to(saved, target_is_directory=True)
    (tmp_path / "next").symlink_to(tmp_path / "later", target_is_directory=True)

    for name in ("current", "next"):
        place(tmp_path / name, NEW)

    assert (tmp_path / "current").is_symlink()
    assert open_bundle(saved).files == open_bundle(tmp_path / "later").files == NEW


def test_a_relative_path_is_one_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a slash at its end or without."""
    monkeypatch.chdir(tmp_path)

    place(Path("saved/"), NEW)

    assert open_bundle("saved/").files == NEW


# --- what is not replaced -----------------------------------------------------------------------


def test_what_is_no_bundle_is_not_replaced(tmp_path: Path) -> None:
    """A file, somebody's directory, a root, a loop of links, a directory that is not there."""
    (tmp_path / "file").touch()
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert "is a file" in refused(tmp_path / "file")
    assert "no bundle of progkit" in refused(tmp_path / "home")
    with pytest.raises(DocumentError, match="root of a file system"):
        place(Path("/"), NEW)
    assert "symbolic links" in refused(tmp_path / "loop")
    with pytest.raises(FileNotFoundError):
        place(tmp_path / "none" / "saved", NEW)
    assert (tmp_path / "home" / "thesis.txt").exists()


@pytest.mark.parametrize("manifest", [b"", b"[]", b'{"format": "web"}', b'{"format": "progkit.bundle", "files": []}'])
def test_a_directory_with_another_manifest_is_not_replaced(path: Path, manifest: bytes) -> None:
    """Others call a file so, too."""
    path.mkdir()
    (path / "MANIFEST.json").write_bytes(manifest)

    assert "no bundle of progkit" in refused(path)


def test_a_bundle_with_something_added_is_not_replaced(saved: Path) -> None:
    """Notes, a link, a repository: it would be lost."""
    (saved / "src" / "linked").symlink_to("/")
    assert "src/linked" in refused(saved)

    (saved / "src" / "linked").unlink()
    (saved / ".git").mkdir()
    (saved / ".git" / "HEAD").touch()
    assert ".git/HEAD" in refused(saved)


def test_something_added_while_a_bundle_is_checked_is_not_lost(saved: Path) -> None:
    """What is there is looked at again right before it is replaced."""
    with pytest.raises(DocumentError, match=r"notes\.txt"):
        place(saved, NEW, lambda _: (saved / "notes.txt").touch())

    assert leftovers(saved) == []


def test_a_damaged_bundle_or_one_of_another_version_is_replaced(saved: Path) -> None:
    """As long as everything in it was a part of it."""
    (saved / "state.json").unlink()
    (saved / "src" / "desk.py").write_text("edited")
    (saved / "MANIFEST.sig").touch()
    (saved / "program.pkl").unlink()
    (saved / "program.pkl").symlink_to("/dev/null")
    manifest = bundles.changed(bundles.manifest_of(OLD), lambda document: document.update(version=[9, 0]))
    (saved / "MANIFEST.json").write_bytes(bundles.as_json(manifest))

    place(saved, NEW)

    assert open_bundle(saved).files == NEW


def test_a_file_outside_is_never_written(path: Path) -> None:
    """Paths are held to the rules of a manifest."""
    for name in ("../x.py", "/tmp/x.py", "src/con.py"):
        with pytest.raises(DocumentError, match="a path"):
            place(path, {**NEW, name: b""})

    assert leftovers(path) == []


# --- others at work -----------------------------------------------------------------------------


def aged(directory: Path, name: str) -> Path:
    """A directory beside it with a file in it, last touched a while ago."""
    place(directory.parent / name, OLD)
    old = time.time() - placing.STALE - 1
    os.utime(directory.parent / name, (old, old))
    return directory.parent / name


def test_what_killed_savers_left_is_swept(saved: Path) -> None:
    """Once nobody can be writing there any more; others' directories and younger ones stay."""
    stale = [aged(saved, f".saved.{number}{ending}") for number, ending in enumerate((swapping.NEW, swapping.ASIDE))]
    others = [aged(saved, f".other.1{swapping.NEW}"), saved.parent / f".saved.2{swapping.NEW}"]
    place(others[1], OLD)

    place(saved, NEW)

    assert [each.exists() for each in stale + others] == [False, False, True, True]


def test_two_that_sweep_do_not_trip_over_each_other(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is gone already is gone."""
    stale = aged(saved, f".saved.1{swapping.NEW}")
    real = placing._is_stale

    def slow(entry: Any) -> bool:
        if entry.path == str(stale):
            placing._remove(str(stale))
        return real(entry)

    monkeypatch.setattr(placing, "_is_stale", slow)
    place(saved, NEW)

    assert open_bundle(saved).files == NEW


def test_one_set_aside_is_found_while_nothing_is_in_its_place(saved: Path, tmp_path: Path) -> None:
    """As between the two steps, or after a saver was killed there; through a link as well."""
    (tmp_path / "current").symlink_to(saved, target_is_directory=True)
    saved.rename(swapping.beside(str(saved), swapping.ASIDE))

    assert open_bundle(saved).files == open_bundle(tmp_path / "current").files == OLD
    assert is_bundle(saved)

    place(saved, NEW)
    assert open_bundle(saved).files == NEW


def test_the_latest_set_aside_counts(saved: Path) -> None:
    """Should several have been."""
    for number, files in enumerate((OLD, NEW)):
        place(saved.parent / f".saved.{9 - number}{swapping.ASIDE}", files)
        os.utime(saved.parent / f".saved.{9 - number}{swapping.ASIDE}", (number, number))
    saved.rename(saved.parent / "gone")

    assert open_bundle(saved).files == NEW


def test_the_only_one_that_is_left_is_not_swept(saved: Path) -> None:
    """However long ago its saver was killed: until another is in place, it is what readers find."""
    aside = aged(saved, f".saved.1{swapping.ASIDE}")
    place(saved.parent / "keep", NEW)
    saved.rename(saved.parent / "gone")

    def check(_: str) -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        place(saved, NEW, check)

    assert aside.exists()


def test_a_saver_that_comes_in_between_is_no_obstacle(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever comes last stays, whole."""
    calls = []

    def exchange(one: str, other: str) -> bool:
        calls.append(one)
        if len(calls) == 1:
            os.rename(other, saved.parent / "taken")
            raise FileNotFoundError(errno.ENOENT, "gone")
        return False

    monkeypatch.setattr(swapping, "exchange", exchange)
    place(saved, NEW)
    assert open_bundle(saved).files == NEW

    real = os.rename

    def crowded(one: Any, other: Any) -> None:
        real(one, other)
        if str(one) == str(saved) and len(calls) == 2:
            place(saved, OLD)  # a third saver between the two steps

    monkeypatch.setattr(swapping.os, "rename", crowded)
    place(saved, NEW)
    assert open_bundle(saved).files == NEW


def test_what_is_replaced_while_it_is_looked_at_is_looked_at_again(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it is called no bundle; and what is gone meanwhile need not be kept."""
    (saved.parent / "home").mkdir()
    (saved.parent / "home" / "thesis.txt").touch()
    real = placing._foreign

    def exchanged(walk: Any) -> Any:
        (saved.parent / "home").rename(saved.parent / "mine")
        saved.rename(saved.parent / "home")
        monkeypatch.setattr(placing, "_foreign", real)
        return real(walk)

    monkeypatch.setattr(placing, "_foreign", exchanged)
    place(saved.parent / "home", NEW)
    assert open_bundle(saved.parent / "home").files == NEW

    def vanished(walk: Any) -> Any:
        monkeypatch.setattr(placing, "_foreign", vanished_wholly)
        raise FileNotFoundError

    def vanished_wholly(walk: Any) -> Any:
        (saved.parent / "home").rename(saved)
        monkeypatch.setattr(placing, "_foreign", real)
        raise FileNotFoundError

    monkeypatch.setattr(placing, "_foreign", vanished)
    place(saved.parent / "home", OLD)
    assert open_bundle(saved.parent / "home").files == OLD


def test_a_swap_that_never_comes_through_is_an_error(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not tried for ever."""

    def exchange(one: str, other: str) -> bool:
        raise FileNotFoundError(errno.ENOENT, "gone")

    monkeypatch.setattr(swapping, "exchange", exchange)

    assert "gone" in refused(saved)
    assert open_bundle(saved).files == OLD


@needs_exchange
def test_directories_exchange_their_names(tmp_path: Path) -> None:
    """In one step; where the system refuses, its reason is told, and where it cannot, that it cannot."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()

    assert swapping.exchange(str(tmp_path / "one"), str(tmp_path / "other"))
    assert (tmp_path / "one" / "other").exists()
    with pytest.raises(FileNotFoundError):
        swapping.exchange(str(tmp_path / "one"), str(tmp_path / "none"))
    assert not swapping.exchange(str(tmp_path), str(tmp_path / "one"))  # EINVAL, as a file system without it says


def test_a_system_that_cannot_exchange_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old C library does not have the call."""
    monkeypatch.setattr(swapping.ctypes, "CDLL", lambda *_, **__: object())

    assert not swapping.exchange(str(tmp_path), str(tmp_path))

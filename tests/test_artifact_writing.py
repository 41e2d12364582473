"""Files written whole or not at all, whatever happens on the way."""

import json
import os
import resource
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from progkit import artifact, schema
from progkit.artifact import writing
from progkit.errors import DocumentError, UnsavableError

ROOT = Path(__file__).parent.parent
FIXTURES = ROOT / "fixtures" / "state" / "1.0"
TEMPORARY = "*.progkit-tmp"


@pytest.fixture
def document() -> dict[str, Any]:
    return artifact.read(FIXTURES / "full.json")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "program.json"


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def renamed(document: dict[str, Any], program: str) -> dict[str, Any]:
    return {**document, "program": program}


def test_the_bytes_are_canonical(document: dict[str, Any], path: Path) -> None:
    """As Python's own json writes it with sorted keys and indent 1, but for how floats are spelled."""
    del document["state"]["predictors"]["every.value"]
    expected = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    assert artifact.write(path, document) is True
    assert path.read_bytes().decode() == expected


def test_the_bytes_do_not_depend_on_the_hash_seed(path: Path) -> None:
    """Two processes with other seeds write the same set to the same bytes."""
    code = "from progkit import artifact; print(artifact.canonical(artifact.encode_value({'a', 'b', 'c', 1, None})))"
    command = [sys.executable, "-c", code]
    said = {
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(said) == 1


def test_a_file_that_says_the_same_is_not_touched(document: dict[str, Any], path: Path) -> None:
    """Another Python or progkit makes no difference in git."""
    artifact.write(path, document)
    before = path.stat()
    document["saved_with"] = {"progkit": "9.9.9", "python": "3.14"}

    assert artifact.write(path, document) is False
    assert artifact.write(path, artifact.read(path)) is False
    assert path.stat().st_ino == before.st_ino
    assert path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("there", [b"", b"{", b"[]", b'{"format": "progkit.state"}'])
def test_a_file_that_is_broken_is_replaced(document: dict[str, Any], path: Path, there: bytes) -> None:
    """What is there need not be readable to be written over."""
    path.write_bytes(there)

    assert artifact.write(path, document) is True
    assert artifact.read(path) == document


def test_a_file_in_another_layout_is_brought_into_form(document: dict[str, Any], path: Path) -> None:
    """The same data in other bytes is no canonical file."""
    path.write_text(json.dumps(document))

    assert artifact.write(path, document) is True
    assert path.read_bytes() == artifact.encode(document)


def test_what_is_not_valid_is_not_written(document: dict[str, Any], path: Path) -> None:
    """The old file stays when the new document is refused."""
    artifact.write(path, document)
    before = path.read_bytes()
    for change in ({"version": [True, 0]}, {"program": "\ud800"}, {"program": 1}):
        with pytest.raises(DocumentError):
            artifact.write(path, {**document, **change})

    assert path.read_bytes() == before


def test_what_could_not_be_read_again_is_not_written(document: dict[str, Any]) -> None:
    """A node that is nested deeper than a reader accepts is refused by the writer."""
    deep: Any = "x"
    for _ in range(60):
        deep = [deep]
    document["state"]["predictors"]["parts[0]"]["config"]["stop"] = deep

    with pytest.raises(DocumentError, match="nested deeper than 64"):
        artifact.encode(document)


def test_whatever_a_value_can_be_can_be_read_again(document: dict[str, Any], path: Path) -> None:
    """The deepest value that encodes still leaves room for the document around it."""
    deepest: Any = (1, 2**60)
    while True:
        try:
            node = artifact.encode_values({"stop": (deepest, {(deepest,): 1})})
        except UnsavableError:
            break
        deepest = (deepest,)
        document["state"]["predictors"]["parts[0]"]["demos"][0]["values"] = node

    artifact.write(path, document)
    assert artifact.read(path) == document


# --- the file itself ----------------------------------------------------------------------------


@pytest.mark.usefixtures("umask")
def test_permissions_are_kept_or_follow_the_umask(document: dict[str, Any], path: Path) -> None:
    """A new file gets what any new file gets; an existing one keeps its own."""
    artifact.write(path, document)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640

    path.chmod(0o604)
    artifact.write(path, renamed(document, "m:Other"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_link_is_followed(document: dict[str, Any], tmp_path: Path) -> None:
    """The file that a link names is replaced, the link stays; also where the file is yet to be made."""
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.json"
    link.symlink_to("real/program.json")

    for program in ("m:One", "m:Two"):
        artifact.write(link, renamed(document, program))

        assert link.is_symlink()
        assert artifact.read(tmp_path / "real" / "program.json")["program"] == program


def test_what_cannot_be_a_file_is_the_systems_error(document: dict[str, Any], tmp_path: Path) -> None:
    """A directory, links in a ring, a directory that is not there."""
    (tmp_path / "a.json").symlink_to("b.json")
    (tmp_path / "b.json").symlink_to("a.json")

    targets = ((tmp_path, tmp_path.name), (tmp_path / "a.json", "a.json"), (tmp_path / "none" / "x.json", "none"))
    for target, named in targets:
        with pytest.raises(OSError, match=named):
            artifact.write(target, document)

    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.json", "b.json"]


def test_what_killed_savers_left_is_swept(document: dict[str, Any], path: Path) -> None:
    """Old temporaries go; fresh ones and what is no temporary of ours stay."""
    names = [".program.json.1a.progkit-tmp", ".program.json.2b.progkit-tmp", ".other.json.3c.progkit-tmp"]
    names += [".program.json.bak", "my.progkit-tmp"]
    for name in names:
        (path.parent / name).touch()
        if name != names[1]:
            os.utime(path.parent / name, (time.time() - writing.STALE - 60,) * 2)

    artifact.write(path, document)

    assert sorted(each.name for each in path.parent.iterdir()) == sorted([names[1], *names[3:], path.name])


def test_nobody_sweeps_at_every_save(document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory is looked through when it is first saved to, and when there may be something new to find."""
    swept: list[str] = []
    monkeypatch.setattr(writing, "sweep", swept.append)
    monkeypatch.setattr(writing, "_REMEMBERED", 2)
    now = time.monotonic()
    monkeypatch.setattr(writing.time, "monotonic", lambda: now)
    places = [str(tmp_path / name) for name in "abc"]
    for place in places:
        os.mkdir(place)

    def save(place: str) -> None:
        document["program"] = f"other:{len(list(Path(place).iterdir()))}"
        artifact.write(os.path.join(place, f"{len(list(Path(place).iterdir()))}.json"), document)

    for place in [places[0], places[0], places[1]]:
        save(place)
    now += writing.STALE
    save(places[0])
    now -= 1.0
    for place in [places[0], places[1], places[2], places[0]]:
        save(place)

    assert swept == [places[0], places[1], places[0], places[1], places[2], places[0]]


def test_a_link_that_is_turned_meanwhile(
    document: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is written where the directory was when the save began, and nothing else is left anywhere."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "now").symlink_to("one")
    fill = writing._fill

    def turned(*given: Any) -> None:
        (tmp_path / "now").unlink()
        (tmp_path / "now").symlink_to("two")
        fill(*given)

    monkeypatch.setattr(writing, "_fill", turned)

    artifact.write(tmp_path / "now" / "x.json", document)

    assert [each.name for each in (tmp_path / "one").iterdir()] == ["x.json"]
    assert list((tmp_path / "two").iterdir()) == []


# --- failures -----------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from progkit import artifact

path, new = sys.argv[1:]
document = artifact.read(new)
for step in range(1, 500):
    pid = os.fork()
    if pid == 0:
        left = step
        def trace(frame, event, argument):
            global left
            if not frame.f_code.co_filename.endswith("writing.py"):
                return None
            left -= event == "line"
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace
        sys.settrace(trace)
        artifact.write(path, document)
        os._exit(0)
    if os.waitpid(pid, 0)[1] == 0:
        print("done", flush=True)
        break
    print("killed", flush=True)
    sys.stdin.readline()
"""


def test_killed_at_any_line_the_file_is_the_old_or_the_new_one(document: dict[str, Any], path: Path) -> None:
    """A saver is killed at its first line, at its second, and so on until it gets through."""
    artifact.write(path, document)
    old = path.read_bytes()
    new = artifact.encode(renamed(document, "m:New"))
    (path.parent / "new.json").write_bytes(new)
    seen = []
    command = [sys.executable, "-c", KILLED, path, path.parent / "new.json"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as saver:
        assert saver.stdout is not None
        assert saver.stdin is not None
        for said in saver.stdout:
            seen.append(path.read_bytes())
            if said == "killed\n":
                path.write_bytes(old)
                for left in path.parent.glob(TEMPORARY):  # or each step would have more to sweep than the last
                    left.unlink()
                saver.stdin.write("\n")
                saver.stdin.flush()

    assert saver.returncode == 0
    assert set(seen) == {old, new}
    assert seen[0] == old
    assert seen[-1] == new
    assert len(seen) > 20


FULL = """
import resource, sys
from progkit import artifact

path, new = sys.argv[1:]
document = artifact.read(new)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    artifact.write(path, document)
except OSError as error:
    print(error.strerror)
"""


def test_when_no_more_fits_the_old_file_stays(document: dict[str, Any], path: Path, tmp_path: Path) -> None:
    """The system's error comes through, and nothing half-written is left."""
    assert resource.RLIMIT_FSIZE is not None
    artifact.write(path, artifact.read(FIXTURES / "empty.json"))
    before = path.read_bytes()

    done = subprocess.run(
        [sys.executable, "-c", FULL, path, FIXTURES / "full.json"], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "File too large\n"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_when_the_name_cannot_be_taken_nothing_is_left(tmp_path: Path) -> None:
    """A directory that came to stand there meanwhile keeps its place, and the temporary goes."""
    target = tmp_path / "program.json"
    target.mkdir()

    with pytest.raises(IsADirectoryError):
        writing.replace(str(target), b"{}")

    assert list(tmp_path.iterdir()) == [target]


def test_two_savers_never_mix(document: dict[str, Any], path: Path) -> None:
    """Whoever reads while others write sees one of their documents, whole."""
    programs = [f"m:Saver{number}" for number in range(4)]
    artifact.write(path, renamed(document, programs[0]))
    savers = [
        threading.Thread(target=lambda one=one: [artifact.write(path, deepcopy(one)) for _ in range(10)])
        for one in (renamed(document, program) for program in programs)
    ]
    for each in savers:
        each.start()
    seen = [artifact.read(path) for _ in range(40)]
    for each in savers:
        each.join()

    assert {each["program"] for each in seen} <= set(programs)
    assert all(each["state"] == document["state"] for each in seen)
    assert not list(path.parent.glob(TEMPORARY))


# --- ids ----------------------------------------------------------------------------------------


def test_a_demo_is_known_by_its_content() -> None:
    """Equal values, equal id, whatever their order; one and one point nought differ."""
    one = artifact.demo_id({"q": "a", "n": 1})

    assert one == artifact.demo_id({"n": 1, "q": "a"})
    assert one != artifact.demo_id({"q": "a", "n": 1.0})
    assert artifact.demo_ids([{"q": "a"}, {"q": "b"}, {"q": "a"}, {"q": "a"}]) == [
        "d-29a9829b3c03",
        "d-d235bf2e2dc7",
        "d-29a9829b3c03-2",
        "d-29a9829b3c03-3",
    ]


def test_the_head_is_that_of_the_current_version() -> None:
    """With its three parts added it makes a valid document."""
    rest = {"saved_with": {"progkit": "0.1.0", "python": "3.11"}, "program": "m:P", "state": {"predictors": {}}}

    schema.validate({**schema.header(), **rest})


def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path) -> None:
    """A pipe or a device at the path stays what it is."""
    os.mkfifo(tmp_path / "pipe.json")

    with pytest.raises(OSError, match="is no regular file"):
        writing.write(tmp_path / "pipe.json", artifact.read(Path(__file__).parent.parent / "progkit/cli/showcase.json"))

    assert (tmp_path / "pipe.json").is_fifo()

"""The modules of bundles beside others of the same names: shared, kept apart, or refused."""

import copy
import importlib
import importlib.machinery
import os
import pickle
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bundles
import pytest
from desks import load, on_the_path, program, put, save

import progkit
from progkit.artifact.bundle import importing
from progkit.artifact.bundle.importing import FINDER
from progkit.errors import EnvironmentMismatchError, UnloadableError


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    with bundles.forgotten():
        yield


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Path]:
    """A directory on the path, as a project is."""
    with on_the_path(tmp_path / "local") as directory:
        yield directory


# --- the same again, and another ------------------------------------------------------------------


def test_the_same_modules_are_imported_once(tmp_path: Path) -> None:
    """Whatever was learned since: an instance of the one is one of the other's class."""
    sources = {"desk": program("return 1"), "late": "K = 1\n"}

    first, second = load(tmp_path / "one", sources), load(tmp_path / "two", sources)

    assert type(first) is type(second)


def test_two_bundles_share_what_is_the_same(tmp_path: Path) -> None:
    """What only one of them brings is its own."""
    base = "class Ticket: pass\n"
    first = load(tmp_path / "one", {"base": base, "desk": program("return base.Ticket()", "import base")})
    second = load(tmp_path / "two", {"base": base, "shop": program("import base; return base.Ticket()")}, "shop:Desk")

    assert type(first()) is type(second())


PACK = """
def more():
    from . import part, last
    from .last import K
    from .sub.leaf import L
    return part.K + K + L
"""


def versions(tmp_path: Path) -> tuple[Any, Any]:
    """Two programs from bundles with other modules of the same names; nothing of them was called."""
    body = "import late, pack.part; from pack import part as p; return K, late.K, pack.part.K, p.K, pack.more()"
    sources = {
        "desk": program(body, "from base import K"),
        "base": "K = {0}\n",
        "late": "K = {0}\nfrom base import *\nfrom pack.sub import *\n",
        "pack/__init__": PACK,
        "pack/part": "K = {0}\nimport json\n",
        "pack/last": "K = {0}\n",
        "pack/sub/__init__": "__all__ = ['leaf']\n",
        "pack/sub/leaf": "from ..last import K as L\n",
    }
    made = []
    for number in ("1", "2"):
        made.append(load(tmp_path / number, {name: text.replace("{0}", number) for name, text in sources.items()}))
    return made[0], made[1]


def test_each_version_keeps_its_own_modules(tmp_path: Path) -> None:
    """Also those that the older one first imports when the newer one is there."""
    old, new = versions(tmp_path)

    assert type(old) is not type(new)
    assert old() == (1, 1, 1, 1, 3)
    assert new() == (2, 2, 2, 2, 6)
    assert old() == (1, 1, 1, 1, 3)
    assert sys.modules["desk"].Desk is type(new)
    assert importlib.import_module("late").K == 2


def test_both_versions_can_be_copied_and_the_newer_one_pickled(tmp_path: Path) -> None:
    """The older one's class is no longer what its name means: that is an error, and not another class."""
    old, new = versions(tmp_path)

    assert old.deepcopy()() == copy.deepcopy(old)() == (1, 1, 1, 1, 3)
    assert pickle.loads(pickle.dumps(new))() == (2, 2, 2, 2, 6)
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(old)


def test_an_older_version_that_fails_late_leaves_no_half_module(tmp_path: Path) -> None:
    """And can try again."""
    broken = "import sys\nif not hasattr(sys, 'ready'): raise ValueError('not yet')\nK = 1\n"
    sources = {"desk": program("import late; return late.K"), "late": broken}
    old = load(tmp_path / "old", sources)
    load(tmp_path / "new", {"desk": program("return 2"), "late": "K = 2\n"})

    with pytest.raises(ValueError, match="not yet"):
        old()
    sys.ready = True  # type: ignore[attr-defined]
    try:
        assert old() == 1
    finally:
        del sys.ready  # type: ignore[attr-defined]


def test_an_older_version_finds_what_is_no_bundle_s_as_before(tmp_path: Path) -> None:
    """Its own import statement serves the rest of Python, too, and says what is not there."""
    text = "import late, json.decoder, xml.dom as dom; from os import path; return late.K, json.decoder, dom, path"
    old = load(tmp_path / "old", {"desk": program(text), "late": "K = 1\n"})
    desk = sys.modules["desk"]
    load(tmp_path / "new", {"desk": program("return 2"), "late": "K = 2\n"})

    assert old() == (1, sys.modules["json.decoder"], sys.modules["xml.dom"], os.path)
    own_import = vars(desk)["__builtins__"]["__import__"]
    assert own_import("json").__name__ == "json"
    assert own_import("late").K == 1
    with pytest.raises(ModuleNotFoundError, match=r"late\.none"):
        own_import("late.none")


def test_a_failed_newer_version_leaves_the_older_one(tmp_path: Path) -> None:
    """In ``sys.modules``, too."""
    old = load(tmp_path / "old", {"desk": program("import late; return late.K"), "late": "K = 1\n"})

    with pytest.raises(UnloadableError):
        load(tmp_path / "new", {"desk": "import late\n1 / 0\n", "late": "K = 2\n"})

    assert sys.modules["desk"].Desk is type(old)
    assert old() == 1
    assert importlib.import_module("late").K == 1
    assert FINDER in sys.meta_path


def test_a_version_shared_by_two_stays_theirs(tmp_path: Path) -> None:
    """When a third takes the names over."""
    base = "def late():\n    import low\n    return low.K\n"
    low = "K = {0}\n"
    first = load(
        tmp_path / "1", {"base": base, "low": low.format(1), "desk": program("import base; return base.late()")}
    )
    second = load(
        tmp_path / "2",
        {"base": base, "low": low.format(1), "shop": program("import base; return base.late()")},
        "shop:Desk",
    )
    third = load(
        tmp_path / "3",
        {"base": base, "low": low.format(3), "new": program("import base; return base.late()")},
        "new:Desk",
    )

    assert [first(), second(), third()] == [1, 1, 3]


# --- what is here already -------------------------------------------------------------------------


def test_a_module_that_is_imported_here_is_used_if_it_is_the_same(tmp_path: Path, local: Path) -> None:
    """So that an instance from the bundle is one of the class that the process knows."""
    sources = {"desk": program("import late; return late.K"), "late": "K = 1\n"}
    put(local, sources)
    desk = importlib.import_module("desk")

    loaded = load(tmp_path / "saved", sources)

    assert type(loaded) is desk.Desk
    assert loaded() == 1


def test_a_module_that_could_be_imported_here_is_the_bundle_s_if_it_is_the_same(tmp_path: Path, local: Path) -> None:
    """Whichever is asked for first: there is one class."""
    sources = {"desk": program("return 1")}
    put(local, sources)
    loaded = load(tmp_path / "saved", sources)

    assert importlib.import_module("desk").Desk is type(loaded)
    assert loaded.load_report.environment == []


def test_another_module_that_is_imported_here_blocks(tmp_path: Path, local: Path) -> None:
    """Nobody's module is replaced; neither is the bundle's. The error says what can be done."""
    put(local, {"desk": program("return 'local'")})
    desk = importlib.import_module("desk")
    try:
        with pytest.raises(
            EnvironmentMismatchError, match=r"block  desk: as in the bundle when saved, .*local/desk\.py"
        ) as caught:
            load(tmp_path / "saved", {"desk": program("return 'saved'")})
        assert [row.kind for row in caught.value.mismatches] == ["module"]
        assert "program.load(path)" in str(caught.value)
        assert sys.modules["desk"] is desk
        assert FINDER not in sys.meta_path
    finally:
        del sys.modules["desk"]


def test_a_module_whose_loader_has_no_bytes_is_compared_by_its_file(tmp_path: Path, local: Path) -> None:
    """As those are that a test runner rewrites."""
    sources = {"desk": program("return 1")}
    put(local, sources)
    desk = importlib.import_module("desk")
    desk.__spec__ = importlib.machinery.ModuleSpec("desk", None, origin=str(local / "desk.py"))

    assert type(load(tmp_path / "saved", sources)) is desk.Desk


@pytest.mark.parametrize("kind", ["made by hand", "without a file", "no module"])
def test_a_module_whose_source_is_not_known_blocks(tmp_path: Path, local: Path, kind: str) -> None:
    """It may be anything."""
    module: Any = object() if kind == "no module" else ModuleType("desk")
    if kind == "without a file":
        put(local, {"desk": program("return 1")})
        module = importlib.import_module("desk")
        (local / "desk.py").unlink()
    sys.modules["desk"] = module
    try:
        with pytest.raises(EnvironmentMismatchError, match="desk"):
            load(tmp_path / "saved", {"desk": program("return 1")})
    finally:
        del sys.modules["desk"]


def test_another_module_that_could_be_imported_is_told(tmp_path: Path, local: Path) -> None:
    """The verified bytes are used, and the report says that the name now means them."""
    put(local, {"desk": program("return 'local'"), "pack/__init__": "", "pack/part": "K = 'local'\n"})

    loaded = load(
        tmp_path / "saved",
        {"desk": program("from pack import part; return part.K"), "pack/__init__": "", "pack/part": "K = 'saved'\n"},
    )

    assert loaded() == "saved"
    assert [(row.severity, row.name, row.here) for row in loaded.load_report.environment] == [
        ("warn", "desk", str(local / "desk.py")),
        ("warn", "pack.part", str(local / "pack" / "part.py")),
    ]


def test_a_module_of_python_s_own_is_not_shadowed(tmp_path: Path) -> None:
    """Whether somebody has imported it or not."""
    sys.modules.pop("this", None)
    for name in ("this", "json"):
        with pytest.raises(EnvironmentMismatchError, match=f"block  {name}: "):
            load(tmp_path / "saved", {"desk": program("return 1"), name: "K = 1\n"})
    assert "this" not in sys.modules


def test_a_directory_of_the_same_name_is_no_module(tmp_path: Path, local: Path) -> None:
    """Like that in which the bundle is: it has no code."""
    (local / "desk").mkdir()

    assert load(tmp_path / "saved", {"desk": program("return 1")}).load_report.environment == []


def test_modules_out_of_an_archive_are_compared_too(tmp_path: Path) -> None:
    """Their loader has the bytes."""
    sources = {"desk": program("return 1")}
    put(tmp_path / "zip", sources)
    sys.path.insert(0, shutil.make_archive(str(tmp_path / "modules"), "zip", tmp_path / "zip"))

    assert load(tmp_path / "saved", sources).load_report.environment == []
    assert [row.name for row in load(tmp_path / "other", {"desk": program("return 2")}).load_report.environment] == []


def test_what_somebody_holds_is_not_taken_over(tmp_path: Path, local: Path) -> None:
    """A module of the process that was bound to an earlier bundle's: a later one cannot replace only a part."""
    own = {"desk": program("import tools; return tools.K")}
    put(local, own)
    desk = importlib.import_module("desk")
    try:
        first = load(tmp_path / "one", {**own, "tools": "K = 1\n"})
        assert type(first) is desk.Desk
        for sources in ({**own, "tools": "K = 2\n"}, {"shop": program("return 1"), "tools": "K = 2\n"}):
            with pytest.raises(EnvironmentMismatchError, match="goes with another version of tools"):
                load(tmp_path / "two", sources, "shop:Desk" if "shop" in sources else "desk:Desk")
        assert first() == 1
    finally:
        del sys.modules["desk"]


def test_a_finder_without_find_spec_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old ones have none."""
    monkeypatch.setattr(sys, "meta_path", [object(), *sys.meta_path])

    assert load(tmp_path / "saved", {"desk": program("return 1")})() == 1


def test_a_module_taken_out_is_imported_anew_from_the_bundle(tmp_path: Path) -> None:
    """As with any module."""
    load(tmp_path / "saved", {"desk": program("return 1")})
    shutil.rmtree(tmp_path / "saved")
    del sys.modules["desk"]

    assert importlib.import_module("desk").Desk()() == 1
    assert load(tmp_path / "again", {"desk": program("return 1")})() == 1


# --- threads --------------------------------------------------------------------------------------


def test_bundles_load_in_many_threads(tmp_path: Path) -> None:
    """The same and others, of one name or of several; each program runs its own code."""
    paths = [
        save(tmp_path / f"b{n}", {"desk": program("import late; return late.K"), "late": f"K = {n}\n"})
        for n in range(3)
    ]
    wrong: list[Any] = []

    def work(number: int) -> None:
        for turn in range(6):
            at = (number + turn) % 3
            got = progkit.load(paths[at], trust="code")()
            if got != at:
                wrong.append((at, got))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)

    assert wrong == []
    assert importing.latest("desk") is not None

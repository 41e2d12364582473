"""The modules of bundles: from the verified bytes, under their own names, beside whatever else is imported."""

import importlib
import importlib.machinery
import inspect
import linecache
import pkgutil
import shutil
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import pytest
from desks import STATE, load, on_the_path, program, put

import progkit
from progkit.errors import UnloadableError


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    with bundles.forgotten():
        yield


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Path]:
    """A directory on the path, as a project is."""
    with on_the_path(tmp_path / "local") as directory:
        yield directory


# --- from the verified bytes ----------------------------------------------------------------------


def test_a_module_of_a_bundle_is_a_module_like_any_other(tmp_path: Path) -> None:
    """It says where it is from, and its source can be looked at, also when the file is gone."""
    text = program("return 1")
    desk = type(load(tmp_path / "saved", {"desk": text}))
    module = sys.modules["desk"]
    shutil.rmtree(tmp_path / "saved")

    assert module.__file__ == str(tmp_path / "saved" / "src" / "desk.py")
    assert inspect.getsource(module) == text
    assert inspect.getsource(desk).startswith("class Desk")
    assert inspect.getsource(desk.forward).strip().startswith("def forward")
    assert "saved" in repr(module)


def test_a_traceback_shows_the_lines_that_ran(tmp_path: Path) -> None:
    """Not those that somebody put into the file since."""
    desk = load(tmp_path / "saved", {"desk": program("return 1 / 0  # as saved")})
    (tmp_path / "saved" / "src" / "desk.py").write_text("\n" * 9)

    try:
        desk()
    except ZeroDivisionError as error:
        told = "".join(traceback.format_exception(error))
    linecache.checkcache()

    assert "return 1 / 0  # as saved" in told
    assert linecache.getline(sys.modules["desk"].__file__ or "", 5).strip() == "return 1 / 0  # as saved"


def test_source_in_another_encoding_is_read_as_it_says(tmp_path: Path) -> None:
    """As Python does."""
    files = bundles.files_of({"desk": ""}, bundles.calling("desk:Desk"), STATE)
    files["src/desk.py"] = ("# -*- coding: latin-1 -*-\n" + program("return 'é'")).encode("latin-1")
    bundles.write(tmp_path / "saved", files)

    assert progkit.load(tmp_path / "saved", trust="code")() == "é"
    assert "é" in inspect.getsource(sys.modules["desk"])


def test_packages_and_relative_imports_work(tmp_path: Path) -> None:
    """At any depth, with what is in the package's own file."""
    desk = load(
        tmp_path / "saved",
        {
            "shop/__init__": "from .base import K\nfrom . import deep\n",
            "shop/base": "K = 7\n",
            "shop/deep/__init__": "",
            "shop/deep/desk": program(
                "return K, base.K, shop.deep.desk.L", "from ..base import K\nfrom .. import base\n"
            )
            + "import shop.deep.desk\nL = 8\n",
        },
        "shop.deep.desk:Desk",
    )

    assert desk() == (7, 7, 8)
    assert sys.modules["shop.deep"].__package__ == "shop.deep"


def test_modules_that_import_each_other_work(tmp_path: Path) -> None:
    """In the middle of it, each has what the other had so far."""
    desk = load(
        tmp_path / "saved",
        {
            "desk": "K = 1\nimport tools\n" + program("return tools.both()"),
            "tools": "import desk\ndef both(): return desk.K + 1\n",
        },
    )

    assert desk() == 2


def test_a_package_without_a_file_works(tmp_path: Path) -> None:
    """Also one of which others have other parts."""
    desk = load(
        tmp_path / "saved",
        {"acme/desk": program("from acme import tools; return tools.K"), "acme/tools": "K = 7\n"},
        "acme.desk:Desk",
    )

    assert desk() == 7
    assert not hasattr(sys.modules["acme"], "__file__") or sys.modules["acme"].__file__ is None
    assert list(sys.modules["acme"].__path__) == []
    assert inspect.getsource(sys.modules["acme.tools"]) == "K = 7\n"
    other = load(tmp_path / "other", {"acme/shop": program("from acme import tools; return tools.K")}, "acme.shop:Desk")
    assert other() == 7


def test_what_a_package_has_here_and_not_in_the_bundle_can_be_imported(tmp_path: Path, local: Path) -> None:
    """A bundle may bring a part of a package; the rest is where it was."""
    put(local, {"shop/__init__": "", "shop/here": "K = 1\n", "space/here": "K = 2\n"})

    load(
        tmp_path / "saved", {"shop/__init__": "", "shop/desk": program("return 1"), "space/there": ""}, "shop.desk:Desk"
    )

    assert importlib.import_module("shop.here").K == 1
    assert importlib.import_module("space.here").K == 2


def test_a_part_of_an_installed_package_goes_into_it(tmp_path: Path, local: Path) -> None:
    """The package is the one that is here; a failure takes the part out again."""
    put(local, {"shop/__init__": "NAME = 'here'\n"})

    desk = load(tmp_path / "saved", {"shop/desk": program("import shop; return shop.NAME")}, "shop.desk:Desk")
    assert desk() == "here"
    assert sys.modules["shop"].desk is sys.modules["shop.desk"]

    before = sys.modules["shop.desk"]
    with pytest.raises(UnloadableError):
        load(tmp_path / "other", {"shop/desk": "K = 1\nraise ValueError\n"}, "shop.desk:Desk")
    assert sys.modules["shop"].desk is sys.modules["shop.desk"] is before

    with pytest.raises(UnloadableError):
        load(tmp_path / "third", {"shop/more": "K = 1\n", "shop/last": "import shop.more\n1 / 0\n"}, "shop.last:Desk")
    assert not hasattr(sys.modules["shop"], "more")


def test_what_is_imported_later_comes_from_the_bundle(tmp_path: Path, local: Path) -> None:
    """With a statement or by name; also when the directory is gone and something else has the name."""
    desk = load(
        tmp_path / "saved",
        {
            "desk": program("import late, importlib; return late.K, importlib.import_module('later').K"),
            "late": "K = 'saved'\n",
            "later": "K = 'saved'\n",
        },
    )
    shutil.rmtree(tmp_path / "saved")
    put(local, {"late": "K = 'local'\n", "later": "K = 'local'\n"})

    assert desk() == ("saved", "saved")


def test_what_is_not_there_is_missed_as_ever(tmp_path: Path) -> None:
    """By whoever asks for it; what another module misses is told as that."""
    sources = {
        "desk": program("from pack import nothing", "import pack"),
        "pack/__init__": "",
        "pack/broken": "import no_such_thing\n",
        "shop": program("from pack import broken"),
    }
    with pytest.raises(ImportError, match="cannot import name 'nothing' from 'pack'"):
        load(tmp_path / "saved", sources)()
    with pytest.raises(ModuleNotFoundError, match="no_such_thing"):
        load(tmp_path / "again", sources, "shop:Desk")()
    with pytest.raises(ModuleNotFoundError, match=r"pack\.none"):
        importlib.import_module("pack.none")


def test_files_beside_modules_do_not_travel(tmp_path: Path) -> None:
    """Only the modules' own bytes can be asked for."""
    load(tmp_path / "saved", {"desk": program("return 1")})
    module = sys.modules["desk"]
    assert module.__spec__ is not None
    loader: Any = module.__spec__.loader

    assert loader.get_data(module.__file__) == loader.get_source("desk").encode() == program("return 1").encode()
    assert loader.get_filename("desk") == module.__file__
    assert not loader.is_package("desk")
    with pytest.raises(FileNotFoundError, match="does not travel"):
        pkgutil.get_data("desk", "prompt.txt")


def test_a_module_may_put_something_else_in_its_place(tmp_path: Path) -> None:
    """As some do."""
    source = "import sys\nclass Proxy:\n    K = 7\nsys.modules[__name__] = Proxy()\n"
    sources = {"desk": program("import proxy; return proxy.K", "import proxy"), "proxy": source}

    assert load(tmp_path / "saved", sources)() == 7
    assert load(tmp_path / "again", sources)() == 7


def test_a_module_can_be_reloaded(tmp_path: Path) -> None:
    """From the same bytes."""
    load(tmp_path / "saved", {"desk": program("return 1")})
    shutil.rmtree(tmp_path / "saved")

    assert importlib.reload(sys.modules["desk"]).Desk()() == 1

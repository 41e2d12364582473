"""The code that travels with a program: as source where there is source, as bytecode where there is none."""

import ast
import importlib.machinery
import importlib.util
import json
import sys
import textwrap
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import pydantic
import pytest

import progkit
from progkit.artifact.bundle.capturing import Captured, capture
from progkit.artifact.bundle.finding import Finder, Owner, Source
from progkit.artifact.bundle.mentions import in_code
from progkit.artifact.bundle.secrecy import Secrets
from progkit.errors import ConfigurationError, UnsavableError
from progkit.program.bundles.scripts import is_importable, script_of


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bundles.Project]:
    with bundles.project(tmp_path, monkeypatch) as made:
        yield made


def manifest(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle / "MANIFEST.json").read_text())
    return found


def captured(name: str, **options: Any) -> Captured:
    return capture({name: "program"}, Finder(), **options)


class TestWhatModulesImport:
    def test_packages_in_every_way(self, project):
        """At the top, in functions, relatively, by a literal name, as a sibling that nobody registered."""
        project.write(
            {
                "shop/__init__": "",
                "shop/desk": """
                    import shop.near as beside
                    from . import sibling
                    from .deep.tools import search

                    def late():
                        import shop.lazy
                        from ..shop import lazier
                        return __import__("literal")

                    async def later():
                        import importlib
                        importlib.import_module("shop.plugin")
                        importlib.import_module(".other", __package__)
                        importlib.import_module(name="keyword_only")
                """,
                "shop/near": "",
                "shop/sibling": "from shop.deep import star\nimport shop.wide.far.away",
                "shop/lazy": "import shop.deep.star",
                "shop/lazier": "",
                "shop/plugin": "",
                "shop/other": "",
                "shop/unrelated": "",
                "shop/deep/__init__": "",
                "shop/deep/tools": "search = 1",
                "shop/deep/star": "",
                "shop/wide/far/away": "",
                "literal": "",
                "keyword_only": "",
            }
        )
        found = captured("shop.desk")

        inside = ["desk", "deep", "deep.star", "deep.tools", "lazier", "lazy", "near", "other", "plugin", "sibling"]
        assert sorted(found.sources) == sorted(
            ["shop", "literal", "keyword_only", "shop.wide.far.away", *(f"shop.{name}" for name in inside)]
        )
        assert found.notes == []
        assert found.files()["shop.deep"] == "src/shop/deep/__init__.py"
        assert found.files()["shop.deep.tools"] == "src/shop/deep/tools.py"

    def test_what_does_not_run_is_left_aside(self, project):
        """Imports for type checkers, and those of a script's run."""
        project.write(
            desk="""
                import typing
                from typing import TYPE_CHECKING

                if TYPE_CHECKING:
                    import one
                elif typing.TYPE_CHECKING:
                    import two
                else:
                    import three
                if __name__ == "__main__":
                    import four
                if 1 < 2:
                    import five
            """,
            **dict.fromkeys(("one", "two", "three", "four", "five"), ""),
        )
        assert sorted(captured("desk").sources) == ["desk", "five", "three"]

    def test_what_cannot_be_resolved_is_told(self, project):
        """With the line; but not what the source is ready to do without."""
        project.write(
            desk="""
                import importlib
                import nowhere

                try:
                    import fast
                except (ValueError, ImportError):
                    fast = None
                try:
                    import faster
                except:
                    pass
                try:
                    import fastest
                except ValueError:
                    pass

                def load(name):
                    importlib.import_module(name)
                    return open(__file__)
            """
        )
        assert captured("desk").notes == [
            "desk, line 2: nowhere is not found here",
            "desk, line 13: fastest is not found here",
            "desk, line 18: imports a module whose name is only known when it runs; name it in modules_to_serialize",
            "desk, line 19: uses __file__, but no file beside a module travels",
        ]

    def test_what_a_module_holds_travels_however_it_was_imported(self, project):
        """A plugin whose name is made up at run time, once it is there."""
        project.write(
            desk="""
                import importlib

                PLUGINS = [importlib.import_module(f"plugins.{name}") for name in ("a",)]
                TABLE = {"b": importlib.import_module("plugins." + "b").run}
                NOTHING = object()
            """,
            **{"plugins/a": "", "plugins/b": "def run(): pass"},
        )
        project.module("desk")

        assert sorted(captured("desk").sources) == ["desk", "plugins.a", "plugins.b"]
        assert sorted(captured("desk", chosen={"desk"}).sources) == ["desk"]

    def test_namespace_packages(self, project, tmp_path):
        """A package without a file is no module that travels; what is in it does, and finds itself again."""
        project.write(
            {
                "space/desk": """
                    import progkit
                    from space.tools import rank

                    class Desk(progkit.Module):
                        def __init__(self):
                            self.rank = rank
                """,
                "space/tools": "def rank(x): return x + 1",
            }
        )
        project.module("space.desk").Desk().save(tmp_path / "out", save_program=True)

        assert sorted(manifest(tmp_path / "out")["modules"]) == ["space.desk", "space.tools"]
        told = bundles.load_elsewhere(tmp_path / "out", "print(program.rank(1))", tmp_path / "elsewhere")
        assert told == "2\n"

    def test_an_archive(self, project, tmp_path, monkeypatch):
        """A module in a zip file on the path has source, too."""
        with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
            archive.writestr("zipped.py", "# exactly this\n")
        monkeypatch.syspath_prepend(str(tmp_path / "more.zip"))

        assert captured("zipped").sources["zipped"].data == b"# exactly this\n"

    def test_bytecode(self):
        """What code without source imports when it is called; the parts of a package among it."""
        text = """
            import os.path
            from json import decoder
            from string import *
            from . import x

            def late():
                def later():
                    from . import sibling
        """
        code = compile(textwrap.dedent(text), "", "exec")
        assert list(in_code(code, "")) == ["os.path", "json", "json.decoder", "string"]
        assert list(in_code(code, "shop"))[-4:] == ["shop", "shop.x", "shop", "shop.sibling"]

    def test_imports_of_a_long_function(self):
        """One with more names and constants than a byte can count."""
        long = "\n".join(f"name_{each} = {each}.5" for each in range(300))
        code = compile(f"{long}\nfrom os import path\nfrom . import sibling", "", "exec")

        assert list(in_code(code, "shop")) == ["os", "os.path", "shop", "shop.sibling"]

    def test_modules_that_are_made_or_only_wanted(self, project):
        """One with another name here; one that is needed if it is there."""
        project.write(there="import below", below="")
        found = capture(
            {}, Finder(), made={"made": Source(b"from . import nothing", False)}, wanted={"there": "x", "no": "x"}
        )

        assert sorted(found.sources) == ["below", "made", "there"]
        assert found.notes == []

    def test_what_a_bundle_brought(self, project, tmp_path):
        """The bytes that were verified, whatever stands in its directory by now."""
        project.write(desk="import progkit\nclass Desk(progkit.Module): pass")
        project.module("desk").Desk().save(tmp_path / "out", save_program=True)
        del sys.modules["desk"]
        (project.root / "desk.py").unlink()
        program = progkit.load(tmp_path / "out")
        (tmp_path / "out/src/desk.py").write_text("changed")

        assert captured("desk").sources["desk"].data == b"import progkit\nclass Desk(progkit.Module): pass"
        assert type(program).__module__ == "desk"

    def test_the_encoding_of_a_file_is_its_own(self, project, tmp_path):
        """Bytes travel, not text."""
        (project.root / "latin.py").write_bytes("# coding: latin-1\nname = 'é'\n".encode("latin-1"))

        assert captured("latin").sources["latin"].data.endswith("'é'\n".encode("latin-1"))


class TestOwners:
    def test_of_modules(self, project):
        """Python's own, installed, progkit's, the user's, nobody's."""
        project.write({"desk": "", "space/desk": ""})
        finder = Finder()
        found = {
            name: finder.owner(name)
            for name in (
                "json",
                "sys",
                "json.decoder",
                "test.support",
                "pydantic.fields",
                "progkit.lm",
                "desk",
                "space",
            )
        }
        found["nowhere"] = finder.owner("nowhere.at.all")
        found["os.nothing"] = finder.owner("json.decoder.below")

        assert found == {
            "json": Owner.STANDARD,
            "sys": Owner.STANDARD,
            "json.decoder": Owner.STANDARD,
            "test.support": Owner.STANDARD,
            "pydantic.fields": Owner.INSTALLED,
            "progkit.lm": Owner.PROGKIT,
            "desk": Owner.OWN,
            "space": Owner.NAMESPACE,
            "nowhere": Owner.UNKNOWN,
            "os.nothing": Owner.UNKNOWN,
        }

    def test_a_name_of_pythons_own(self, project):
        """Where the bundle is loaded it would mean Python's module: rename it."""
        project.write(antigravity="")

        with pytest.raises(UnsavableError, match="has the name of a module of Python's own library"):
            captured("antigravity")

    def test_what_was_made_by_hand(self, project, monkeypatch):
        """A module without a spec, or one whose loader has no source, is no source that could travel."""
        made = types.ModuleType("made")
        monkeypatch.setitem(sys.modules, "made", made)
        finder = Finder()
        assert finder.owner("made") is Owner.UNKNOWN

        class Loader:
            def get_source(self, name: str) -> str | None:
                return {"told": "x = 1\n"}.get(name)

        for name, expected in (("told", b"x = 1\n"), ("silent", None)):
            made = types.ModuleType(name)
            made.__spec__ = importlib.machinery.ModuleSpec(name, Loader(), origin=f"/nowhere/{name}.py")  # type: ignore[arg-type]
            monkeypatch.setitem(sys.modules, name, made)
            source = finder.source(name)
            assert (source and source.data) == expected
        bare = types.ModuleType("bare")
        bare.__spec__ = importlib.machinery.ModuleSpec("bare", None, origin="/nowhere/bare.py")
        monkeypatch.setitem(sys.modules, "bare", bare)
        assert finder.source("bare") is None
        gone = types.ModuleType("gone")
        loader = importlib.machinery.SourceFileLoader("gone", "/nowhere/gone.py")
        gone.__spec__ = importlib.machinery.ModuleSpec("gone", loader, origin="/nowhere/gone.py")
        monkeypatch.setitem(sys.modules, "gone", gone)
        assert finder.source("gone") is None
        assert not finder.is_importable("gone")
        empty = types.ModuleType("empty")
        empty.__spec__ = importlib.machinery.ModuleSpec("empty", None)
        monkeypatch.setitem(sys.modules, "empty", empty)
        assert finder.owner("empty") is Owner.UNKNOWN

    def test_a_package_that_somebody_made_up(self, project, monkeypatch):
        """A module that was imported from a file, under a name in a package that is nowhere."""
        project.write(desk="X = 1")
        spec = importlib.util.spec_from_file_location("made_up.desk", project.root / "desk.py")
        module = types.ModuleType("made_up.desk")
        module.__spec__ = spec
        monkeypatch.setitem(sys.modules, "made_up.desk", module)

        assert list(captured("made_up.desk").sources) == ["made_up.desk"]

    def test_compiled_modules(self, project):
        """They run on one machine alone: they have to be installed."""
        suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
        (project.root / f"fast{suffix}").write_bytes(b"")
        project.write(desk="import fast")

        assert Finder().is_importable("fast")
        with pytest.raises(UnsavableError, match="desk, line 1: fast has no source: it is compiled"):
            captured("desk")

    def test_source_that_is_none(self, project):
        """What this Python cannot read, no other will be given."""
        project.write(broken="def (:")

        with pytest.raises(UnsavableError, match="broken: its source cannot be read"):
            captured("broken")


class TestChosenModules:
    @pytest.fixture
    def desk(self, project):
        project.write(
            desk="""
                import progkit
                from helper import rank

                class Desk(progkit.Module):
                    def __init__(self):
                        self.rank = rank
            """,
            helper="def rank(x): return x",
            **dict.fromkeys(("plugins/__init__", "plugins/extra", "plugins/deep/__init__", "plugins/deep/more"), ""),
        )
        (project.root / "plugins" / "no-module").mkdir()
        (project.root / "plugins" / "data.txt").write_text("")
        return project.module("desk")

    def test_exactly_these_travel(self, desk, project, tmp_path):
        """Modules and names alike; of a package, all that is in it."""
        desk.Desk().save(tmp_path / "out", save_program=True, modules_to_serialize=[desk, "helper", "plugins"])

        assert sorted(manifest(tmp_path / "out")["modules"]) == [
            "desk",
            "helper",
            "plugins",
            "plugins.deep",
            "plugins.deep.more",
            "plugins.extra",
        ]

    def test_one_that_is_missing_is_named_by_path(self, desk, tmp_path):
        """Whoever leaves a module out that the program needs is told who needs it."""
        with pytest.raises(UnsavableError, match=r"program\.rank: does not load .* desk, line 2: .* named 'helper'"):
            desk.Desk().save(tmp_path / "out", save_program=True, modules_to_serialize=[desk])
        with pytest.raises(UnsavableError, match=r"program\.__class__: does not load .* No module named 'desk'"):
            desk.Desk().save(tmp_path / "out", save_program=True, modules_to_serialize=["helper"])
        assert not (tmp_path / "out").exists()

    def test_an_installed_module_may_travel(self, project):
        """If it is named, and then with all that is in it."""
        project.write(desk="import cachetools, pydantic")

        every = {"cachetools", *Finder().below("cachetools")}
        found = captured("desk", chosen={"desk", *every})

        assert sorted(found.sources) == sorted({"desk", *every})
        assert sorted(found.foreign) == ["pydantic"]

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ("json", "'json' is of Python's own library"),
            ("progkit.lm", "'progkit.lm' is of progkit"),
            ("helpr", "'helpr' is neither a part of the program nor a module"),
            ("not a name", "'not a name' is neither"),
            (7, "takes modules, their names and paths of parts, not 7"),
            ("empty", "'empty' is neither"),
        ],
    )
    def test_names_that_mean_nothing(self, desk, project, tmp_path, given, told):
        """Each with what there is."""
        (project.root / "empty").mkdir()

        with pytest.raises(ConfigurationError, match=told):
            desk.Desk().save(tmp_path / "out", save_program=True, modules_to_serialize=[given])

    def test_one_name_is_no_list(self, desk, tmp_path):
        """Whether as text or as a module."""
        for given in ("desk", desk):
            with pytest.raises(ConfigurationError, match="is a list"):
                desk.Desk().save(tmp_path / "out", save_program=True, modules_to_serialize=given)


SCRIPT = """
    import functools
    import progkit
    from helper import rank

    LIMIT = 3
    "a text in between"

    class QA(progkit.Signature):
        "Hi."
        q: str = progkit.InputField()
        a: str = progkit.OutputField()

    class Desk(progkit.Module):
        def __init__(self):
            self.ask = progkit.Predict(QA)
            self.rank = rank

        def forward(self, q):
            return LIMIT

    @functools.lru_cache(maxsize=9)
    def remembered(x):
        import lazy
        return x + LIMIT + lazy.ONE

    {between}

    if __name__ == "__main__":
        desk = Desk()
        desk.remembered = remembered
        report = desk.save("out", save_program=True)
        print(report.portability)
"""


class TestScripts:
    @pytest.fixture
    def helped(self, project):
        project.write(helper="def rank(x): return -x", lazy="ONE = 1")
        return project

    def loaded(self, project: bundles.Project, tmp_path: Path) -> str:
        script = "print(type(program).__module__, program(q=1), program.rank(1), program.remembered(2))"
        return bundles.load_elsewhere(project.root / "out", script, tmp_path / "elsewhere")

    def test_one_that_only_defines_things_travels_as_source(self, helped, tmp_path):
        """Under a name of its own; what stands under the guard is not run again."""
        assert helped.run(SCRIPT.replace("{between}", "x: int")) == "source\n"

        assert sorted(manifest(helped.root / "out")["modules"]) == ["helper", "lazy", "main_of_script"]
        assert self.loaded(helped, tmp_path) == "main_of_script 3 -1 6\n"

    def test_one_that_does_things_travels_as_bytecode(self, helped, tmp_path):
        """Importing it would do them again; what it needs of the project travels as source, lazy imports included."""
        assert helped.run(SCRIPT.replace("{between}", "print('doing')")) == "doing\nbytecode\n"

        said = manifest(helped.root / "out")
        assert sorted(said["modules"]) == ["helper", "lazy"]
        assert said["by_value"] == [
            "program.__class__: Desk of __main__",
            "program.remembered: remembered of __main__",
        ]
        assert self.loaded(helped, tmp_path) == "__main__ 3 -1 6\n"

    def test_nothing_of_this_machine_is_in_the_bytecode(self, helped):
        """No file name, no directory, no user: code says that it was saved by value."""
        helped.run(SCRIPT.replace("{between}", "HERE = __file__\n    print(HERE and '')"))

        data = (helped.root / "out/program.pkl").read_bytes()
        for place in (helped.root, Path.home(), Path.cwd()):
            assert str(place).encode() not in data
        assert b"script.py" not in data
        assert b"<saved by value>" in data

    @pytest.mark.parametrize(
        ("between", "is_source"),
        [
            ("def f():\n        return 1", True),
            ("LIMITS = [1, {2: 3}]", True),
            ("OTHER = print()", False),
            ("for x in (): pass", False),
            ("def f():\n        global LIMIT\n        LIMIT = 4", False),
            ("def f():\n        return desk", False),
            ("if __name__ == '__main__':\n        pass\n    else:\n        LIMIT = 4", False),
        ],
    )
    def test_when_source_can_stand_for_it(self, between, is_source):
        """Only where importing it defines what running it did, and every name that a function uses is then there."""
        text = textwrap.dedent(SCRIPT.replace("{between}", between))
        assert is_importable(ast.parse(text)) is is_source
        more = "\nif __name__ == '__main__':\n    import sys\n    def g(): pass\n    class K: pass\n"
        assert is_importable(ast.parse(text + more)) is is_source

    def test_when_there_is_none(self, project, monkeypatch):
        """No file, a file that is gone or broken, one that does things, ``python -m``, a name that is taken."""
        main = types.ModuleType("__main__")
        monkeypatch.setitem(sys.modules, "__main__", main)
        assert script_of(Finder()) is None
        path = project.root / "a script.py"
        main.__file__ = str(path)
        assert script_of(Finder()) is None
        for text in ("def (:", "print()"):
            path.write_text(text)
            assert script_of(Finder()) is None
        path.write_text("X = 1\n")
        script = script_of(Finder())
        assert script is not None
        assert (script.name, script.source.data) == ("main_of_a_script", b"X = 1\n")
        main.__package__ = "shop"
        assert script_of(Finder()) is None
        main.__package__ = None
        project.write(main_of_a_script="")
        assert script_of(Finder()) is None


class TestByValue:
    def test_classes_made_in_functions_and_modules_made_by_hand(self, project, tmp_path):
        """They have no name to be found under, and so travel themselves."""
        project.write(
            desk="""
                import types
                import progkit

                tools = types.ModuleType("tools_by_hand")
                exec("def rank(x): return -x", tools.__dict__)

                def make():
                    class Local(progkit.Module):
                        def __init__(self, limit):
                            self.limit = limit
                            self.ask = progkit.Predict(Question)

                        def forward(self):
                            return self.limit, tools.rank(1)

                    class Question(progkit.Signature):
                        "Local."
                        q: str = progkit.InputField()
                        a: str = progkit.OutputField()

                    return Local(3)
            """
        )
        report = project.module("desk").make().save(tmp_path / "out", save_program=True)

        assert report.portability == "bytecode"
        assert manifest(tmp_path / "out")["by_value"] == [
            "program.__class__: make.<locals>.Local of desk",
            "program.__class__.forward.<global tools>: tools_by_hand of nowhere",
            "program.__class__.forward.<global tools>.rank: rank of tools_by_hand",
        ]
        script = "print(program(), program.ask.signature.instructions)"
        assert bundles.load_elsewhere(tmp_path / "out", script, tmp_path / "x") == "(3, -1) Local.\n"

    def test_models_need_their_pydantic(self, project, tmp_path):
        """A model by value holds what this pydantic made of it: the manifest has its version. It is saved the same."""
        project.write(
            desk="""
                import pydantic
                import progkit

                class Desk(progkit.Module):
                    def __init__(self):
                        class Bill(pydantic.BaseModel):
                            total: int

                        self.bill = Bill(total=1)
                        self.ask = progkit.Predict(progkit.Signature("q -> a"))
            """
        )
        program = project.module("desk").Desk()
        program.save(tmp_path / "out", save_program=True)

        assert manifest(tmp_path / "out")["interpreter"]["pydantic"] == pydantic.VERSION
        assert program.save(tmp_path / "out", save_program=True).changed is False
        assert progkit.load(tmp_path / "out").bill.total == 1

    def test_main_itself(self, project):
        """``import __main__`` in such code means another module wherever it is loaded."""
        told = project.run(
            """
            import progkit
            import __main__ as this

            class Desk(progkit.Module):
                def __init__(self):
                    self.f = lambda: this

            try:
                Desk().save("out", save_program=True)
            except progkit.ArtifactError as error:
                print(error)
            """
        )
        assert "the module __main__ is another one wherever the bundle is loaded" in told

    def test_a_directory_of_this_machine_is_told(self, project, tmp_path, monkeypatch):
        """It is the program's own attribute, and so travels; but who saves it should know."""
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        project.write(
            desk="""
                import progkit

                class Desk(progkit.Module):
                    def __init__(self, index):
                        self.index = index
            """
        )
        desk = project.module("desk").Desk(str(tmp_path / "home/index"))

        report = desk.save(tmp_path / "out", save_program=True)

        assert report.notes == ["program.index: names a directory of this machine, and so does program.pkl"]
        assert "note: program.index" in str(report)


class TestSecrets:
    def test_in_source(self, project, tmp_path):
        """A key written into a module ends the save, with its line."""
        project.write(
            desk="""
                import progkit

                KEY = "sk-proj-abcdefghijklmnop1234567890"

                class Desk(progkit.Module):
                    pass
            """
        )
        with pytest.raises(UnsavableError, match=r"src/desk.py, line 3: holds what looks like a secret"):
            project.module("desk").Desk().save(tmp_path / "out", save_program=True)

    def test_of_the_environment(self, monkeypatch):
        """The value of a variable with a secret's name, wherever it turns up; a plain word is none."""
        monkeypatch.setenv("SHOP_API_KEY", "hunter2-hunter2")
        monkeypatch.setenv("SHOP_PASSWORD", "production")
        secrets = Secrets()

        assert secrets.place_in(b"x = 'hunter2-hunter2'") == 5
        assert secrets.in_text("hunter2-hunter2")
        assert not secrets.in_text("production")

    @pytest.mark.parametrize(
        "text", ["skeleton_of_things_2024", "basic questions", "https://host/a@b", "pk_of_the_row_12345"]
    )
    def test_what_only_looks_a_little_like_one(self, text):
        """Names and sentences of ordinary code."""
        assert not Secrets().in_text(text)

    @pytest.mark.parametrize(
        ("name", "value", "is_one"),
        [
            ("api_key", "hunter2", True),
            ("db_password", "hunter2", True),
            ("api_key", "OPENAI_API_KEY", False),
            ("api_key", "", False),
            ("pad_token", "[PAD]", False),
            ("access_token", "abc", True),
            ("password_field", "pw", False),
        ],
    )
    def test_by_name(self, name, value, is_one):
        """A value under a secret's name; but not the name of a variable, nor what stands in a secret's place."""
        assert Secrets().in_name(name, value) is is_one
        assert progkit.__version__

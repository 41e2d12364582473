"""Bundles as they are saved: what is in them, what is not, and that they are the same for the same program."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import pytest

import progkit
from progkit.artifact import trust
from progkit.artifact.bundle.opening import open_bundle
from progkit.errors import ConfigurationError, DocumentError, UnsavableError
from progkit.lm.withheld import WithheldLM

DESK = '''
    import progkit
    from tools import search


    class QA(progkit.Signature):
        """Answer in one word."""

        question: str = progkit.InputField()
        answer: str = progkit.OutputField(desc="no hedging")


    class Desk(progkit.Module):
        def __init__(self):
            self.plain = progkit.Predict(QA)
            self.think = progkit.ChainOfThought(QA)
            self.agent = progkit.ReAct("query -> report", tools=[search, self.lookup])
            self.k = 5
            self.names = {"b", "a", "c"}
            self.me = self

        def lookup(self, name: str) -> str:
            "Look a name up."
            return f"{name} {self.k}"

        def forward(self, question):
            return self.plain(question=question)
'''
TOOLS = """
    def search(text: str, limit: int = 3) -> list[str]:
        "Search."
        return [text] * limit
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bundles.Project]:
    with bundles.project(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def desk(project: bundles.Project) -> Any:
    project.write(desk=DESK, tools=TOOLS)
    return project.module("desk")


def content(bundle: Path) -> dict[str, bytes]:
    return {str(path.relative_to(bundle)): path.read_bytes() for path in bundle.rglob("*") if path.is_file()}


def manifest(bundle: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle / "MANIFEST.json").read_text())
    return found


class TestWhatIsInIt:
    def test_a_program_loads_where_its_project_does_not_exist(self, desk, tmp_path):
        """State, attributes, tools and references to itself are what they were."""
        program = desk.Desk()
        program.think.predict.demos = [progkit.Example(question="1+1?", reasoning="sums", answer="2")]

        report = program.save(tmp_path / "out", save_program=True)

        told = bundles.load_elsewhere(
            tmp_path / "out",
            """
            import sys
            print(type(program).__module__, program.k, sorted(program.names), program.me is program)
            print(program.think.predict.demos[0].answer, program.plain.signature.__qualname__)
            print(program.agent.tools["lookup"](name="x"), program.agent.tools["search"](text="y"))
            print(sys.modules["desk"].QA is program.plain.signature, "tools" in sys.modules)
            """,
            tmp_path / "elsewhere",
        )
        assert told.splitlines() == ["desk 5 ['a', 'b', 'c'] True", "2 QA", "x 5 ['y', 'y', 'y']", "True True"]
        assert report.portability == "source"
        assert str(report).startswith(f"{tmp_path / 'out'} written\n  digest sha256:")

    def test_files(self, desk, tmp_path):
        """The source is byte for byte the project's; the manifest lists all."""
        desk.Desk().save(tmp_path / "out", save_program=True)

        files = content(tmp_path / "out")
        assert sorted(files) == [
            "MANIFEST.json",
            "program.pkl",
            "requirements.txt",
            "src/desk.py",
            "src/tools.py",
            "state.json",
        ]
        assert files["src/desk.py"] == (tmp_path / "project/desk.py").read_bytes()
        said = manifest(tmp_path / "out")
        assert said["program"] == "desk:Desk"
        assert said["modules"]["tools"] == {"file": "src/tools.py", "package": False}
        assert (said["portability"], said["by_value"], said["left_out"]) == ("source", [], {})
        assert said["interpreter"]["pydantic"] is None

    def test_the_state_is_what_a_state_save_writes(self, desk, tmp_path):
        """The same bytes, the same things dropped."""
        program = desk.Desk()
        program.plain.lm = progkit.LM("openai/x", api_key="sk-secret", temperature=0.5)

        alone = program.save(tmp_path / "alone.json")
        whole = program.save(tmp_path / "out", save_program=True)

        assert (tmp_path / "out/state.json").read_bytes() == (tmp_path / "alone.json").read_bytes()
        assert whole.dropped == alone.dropped != []
        assert b"sk-secret" not in b"".join(content(tmp_path / "out").values())

    def test_a_program_optimised_again_changes_its_state_alone(self, desk, tmp_path):
        """Demos, config, LM, layout, instructions, descriptions: none of it is in the pickle."""
        program = desk.Desk()
        program.save(tmp_path / "out", save_program=True)
        before = content(tmp_path / "out")

        for predictor in program.predictors():
            predictor.demos = [progkit.Example(question="q", answer="a")]
            predictor.config = {"temperature": 0.1}
            predictor.layout = "3.0"
            predictor.lm = progkit.LM("openai/x")
            predictor.signature = predictor.signature.with_instructions("Anew.")
        program.plain.signature = program.plain.signature.with_updated_fields("answer", desc="other")
        program.save(tmp_path / "out", save_program=True)

        after = content(tmp_path / "out")
        assert {name for name in after if after[name] != before[name]} == {"state.json", "MANIFEST.json"}
        assert progkit.load(tmp_path / "out").plain.signature.fields["answer"].desc == "other"

    def test_the_digest_is_trusted_from_then_on(self, desk, tmp_path):
        """Whoever saved it may load it; the digest is that of the manifest's bytes."""
        report = desk.Desk().save(tmp_path / "out", save_program=True)

        assert report.digest == open_bundle(tmp_path / "out").digest
        assert report.digest in trust.listed()

    def test_classes_are_those_of_the_importable_module(self, desk, tmp_path):
        """``isinstance`` holds against what the process imports, and a signature is the class it was."""
        desk.Desk().save(tmp_path / "out", save_program=True)

        program = progkit.load(tmp_path / "out")

        assert type(program) is desk.Desk
        assert program.plain.signature is desk.QA

    def test_recorded_replies_travel(self, desk, tmp_path):
        """What ``progkit cache export`` wrote is in the bundle as it is."""
        progkit.export_cache(tmp_path / "replies.jsonl")

        desk.Desk().save(tmp_path / "out", save_program=True, cache=tmp_path / "replies.jsonl")

        assert (tmp_path / "out/cache.jsonl").read_bytes() == (tmp_path / "replies.jsonl").read_bytes()
        assert manifest(tmp_path / "out")["files"]["cache.jsonl"]["role"] == "cache"


class TestSameBytes:
    def test_saved_twice(self, desk, tmp_path):
        """The directory is left as it was: no file is touched."""
        program = desk.Desk()
        first = program.save(tmp_path / "out", save_program=True)
        before = os.stat(tmp_path / "out").st_ino

        again = program.save(tmp_path / "out", save_program=True)

        assert (first.changed, again.changed, again.digest) == (True, False, first.digest)
        assert os.stat(tmp_path / "out").st_ino == before
        assert "is as it was" in str(again)

    def test_saved_again_after_loading(self, desk, tmp_path):
        """What was loaded is what was saved, also in its bytes."""
        desk.Desk().save(tmp_path / "out", save_program=True)

        told = bundles.load_elsewhere(
            tmp_path / "out",
            f"print(program.save({str(tmp_path / 'out')!r}, save_program=True).changed)",
            tmp_path / "elsewhere",
        )

        assert told == "False\n"

    def test_other_processes(self, project, tmp_path, monkeypatch):
        """Neither the order of sets nor the ids of classes by value differ."""
        script = """
            import sys
            import progkit

            class Desk(progkit.Module):
                kinds = frozenset({"x", "y", "z", "v", "w"})

                def __init__(self):
                    self.names = {"a", "b", "c", "d", "e"}
                    self.rank = lambda text: text in {"k", "l", "m", "n"}
                    self.out = sys.stdout

            print(Desk().save("out", save_program=True).digest)
        """
        digests = set()
        for seed in ("1", "2"):
            monkeypatch.setenv("PYTHONHASHSEED", seed)
            digests.add(project.run(script))

        assert len(digests) == 1

    def test_another_progkit_or_python_makes_no_difference_of_its_own(self, desk, tmp_path):
        """A bundle of source that differs in who wrote it alone stays, whoever wrote it; so does its digest."""
        program = desk.Desk()
        program.save(tmp_path / "out", save_program=True)
        said = manifest(tmp_path / "out")
        said["saved_with"]["python"] = "3.99"
        (tmp_path / "out/MANIFEST.json").write_bytes(bundles.as_json(said))
        digest = open_bundle(tmp_path / "out").digest

        report = program.save(tmp_path / "out", save_program=True)

        assert (report.changed, report.digest) == (False, digest)

    def test_what_is_damaged_is_written_anew(self, desk, tmp_path):
        """A bundle that cannot be read is not the one that would be written."""
        program = desk.Desk()
        program.save(tmp_path / "out", save_program=True)
        (tmp_path / "out/state.json").write_bytes(b"{}")

        assert program.save(tmp_path / "out", save_program=True).changed


class TestValues:
    @pytest.fixture
    def kinds(self, project):
        project.write(
            kinds="""
                import collections, dataclasses, enum, functools, logging, pathlib
                import pydantic
                import progkit


                class Color(enum.Enum):
                    RED = 1


                @dataclasses.dataclass(frozen=True, slots=True)
                class Limits:
                    low: int = 1
                    tags: frozenset = frozenset({"x", "y"})


                class Bill(pydantic.BaseModel):
                    total: int
                    _seen: set = pydantic.PrivateAttr(default_factory=lambda: {"a"})


                Point = collections.namedtuple("Point", "x y")


                class Outer:
                    class Inner(progkit.Module):
                        class QA(progkit.Signature):
                            "Nested."

                            a: str = progkit.InputField()
                            b: Color = progkit.OutputField()

                        def __init__(self):
                            self.ask = progkit.Predict(Outer.Inner.QA)


                class Slotted(progkit.Module):
                    __slots__ = ("z",)

                    def __init__(self):
                        self.z, self.w = 3, 4

                    @property
                    def both(self):
                        return self.z + self.w


                class OwnState(progkit.Module):
                    def __init__(self):
                        self.handle, self.k = open(__file__), 2
                        self.handle.close()

                    def __getstate__(self):
                        return {"k": self.k}

                    def __setstate__(self, state):
                        vars(self).update(state, handle="made anew")


                class Asking(progkit.Predict):
                    def __init__(self, signature):
                        super().__init__(signature)
                        self.extra = [1, 2]


                class Model(progkit.LM):
                    pass


                @functools.lru_cache(maxsize=7)
                def remembered(x):
                    return x * 2


                def plain(x, y=1):
                    return x + y


                class Everything(progkit.Module):
                    def __init__(self):
                        self.color, self.limits, self.bill, self.point = Color.RED, Limits(), Bill(total=1), Point(1, 2)
                        self.inner, self.slotted, self.own, self.asking = (
                            Outer.Inner(), Slotted(), OwnState(), Asking("a -> b"),
                        )
                        self.remembered, self.partial = remembered, functools.partial(plain, y=3)
                        self.bound = self.hello
                        self.log, self.path = logging.getLogger("x"), pathlib.PurePosixPath("a/b")
                        self.adapter, self.kind, self.union = progkit.JSONAdapter(), Limits, int | None
                        self.cached = progkit.cached(Outer.Inner(), ignore=["a", "b", "c"])
                        self.parts = [progkit.Predict("a -> b"), {"k": progkit.Predict("c -> d")}]
                        self.shared = self.parts[0]
                        self.example = progkit.Example(a=1).with_inputs("a")
                        self.judge = Model("openai/x", api_key="sk-hidden", temperature=0.5, unheard_of=1)
                        self.none, self.dots, self.not_done = type(None), ..., NotImplemented
                        self.module, self.bytes = functools, (b"abc" * 20, bytes(bytearray(b"abc" * 20)))
                        self.tool = progkit.Tool(plain, arg_types={"x": list[int]})

                    def hello(self):
                        return "hello"
            """
        )
        return project.module("kinds")

    def test_they_survive(self, kinds, tmp_path):
        """Enums, dataclasses, models, nested classes, slots, partials, methods, caches, LMs: all as they were."""
        program = kinds.Everything()
        program.tool.arg_types["x"], program.tool._adapters["x"] = int, object()

        report = program.save(tmp_path / "out", save_program=True)
        again = progkit.load(tmp_path / "out")

        for name in ("color", "limits", "bill", "point", "path", "kind", "union", "example", "none", "dots", "bytes"):
            assert getattr(again, name) == getattr(program, name), name
        assert (again.slotted.both, again.own.k, again.own.handle) == (7, 2, "made anew")
        assert (again.bound(), again.partial(1), again.remembered(2)) == ("hello", 4, 4)
        assert again.inner.ask.signature is kinds.Outer.Inner.QA
        assert again.shared is again.parts[0]
        assert again.asking.extra == [1, 2]
        assert again.tool(x=1, y=2) == 3
        assert type(again.judge) is kinds.Model
        assert dict(again.judge.kwargs) == {"temperature": 0.5}
        assert report.portability == "source"
        assert [each for each in report.dropped if "judge" in each] == [
            "program.judge.api_key: a secret; {'env': 'NAME'} may be saved in its place",
            "program.judge.unheard_of: not a setting that a file may hold",
        ]
        assert program.save(tmp_path / "out", save_program=True).changed is False
        assert again.save(tmp_path / "out", save_program=True).changed is False

    def test_a_dependency_of_the_pickle_is_told(self, kinds, tmp_path):
        """A model is pydantic's, and its version is in the manifest."""
        kinds.Everything().save(tmp_path / "out", save_program=True)

        named = {each["name"]: each for each in manifest(tmp_path / "out")["dependencies"]}
        assert named["pydantic"]["direct"] is True
        assert named["litellm"]["direct"] is False
        assert "pydantic==" in (tmp_path / "out/requirements.txt").read_text().partition("# What these need.")[0]


class TestLMs:
    @pytest.fixture
    def judged(self, project):
        project.write(
            judged="""
                import progkit

                class Judged(progkit.Module):
                    def __init__(self, judge):
                        self.judge = judge
            """
        )
        return project.module("judged").Judged

    def test_an_endpoint_has_to_be_allowed(self, judged, tmp_path):
        """Also that of an LM which is no predictor's: the caller says where prompts may go."""
        judged(progkit.LM("openai/x", api_base="http://10.0.0.7/v1")).save(tmp_path / "out", save_program=True)

        assert progkit.load(tmp_path / "out").judge.withheld == "http://10.0.0.7/v1"
        assert progkit.load(tmp_path / "out", allow_hosts=["10.0.0.7"]).judge.withheld is None

    def test_one_that_is_withheld_is_saved_as_what_it_was(self, judged, tmp_path):
        """What stands in for it is of this process alone; of another's LM, the user's class says how."""
        judged(WithheldLM(progkit.LM("openai/x"), {"api_base": "http://10.0.0.7"})).save(
            tmp_path / "out", save_program=True
        )
        judged(WithheldLM(None, {})).save(tmp_path / "other", save_program=True)

        assert progkit.load(tmp_path / "out").judge.model == "openai/x"
        assert progkit.load(tmp_path / "other").judge.lm is None


class TestPredictorsApart:
    def test_one_that_no_path_leads_to_keeps_what_it_learned(self, project, tmp_path):
        """It is not in the state, so it is in the pickle; without secrets, and told."""
        project.write(
            hidden="""
                import progkit

                class Box:
                    def __init__(self):
                        self.ask = progkit.Predict("a -> b", temperature=0.5, api_key="sk-hidden")
                        self.ask.demos = [progkit.Example(a="1", b="2")]

                class Hiding(progkit.Module):
                    def __init__(self):
                        self.box = Box()
            """
        )
        report = project.module("hidden").Hiding().save(tmp_path / "out", save_program=True)

        box = progkit.load(tmp_path / "out").box
        assert (box.ask.demos[0].b, box.ask.config) == ("2", {"temperature": 0.5})
        assert report.notes == [
            "program.box.ask: no path leads to this predictor; what it learned is in program.pkl, unseen by git"
        ]
        assert "program.box.ask.config.api_key" in report.dropped[0]

    def test_defaults_of_fields(self, project, tmp_path):
        """They are the code's, and so in the pickle: values, and what makes them."""
        project.write(
            made="""
                import progkit

                SIGNATURE = progkit.Signature(
                    {
                        "a": (list[str], progkit.InputField(default_factory=list)),
                        "n": (int, progkit.InputField(default=3, ge=1)),
                        "b": progkit.OutputField(),
                    }
                )

                class Asking(progkit.Module):
                    def __init__(self):
                        self.ask = progkit.Predict(SIGNATURE)
            """
        )
        project.module("made").Asking().save(tmp_path / "out", save_program=True)

        fields = progkit.load(tmp_path / "out").ask.signature.fields
        assert (fields["a"].make_default(), fields["n"].default, dict(fields["n"].constraints)) == ([], 3, {"ge": 1})

    def test_a_reduce_of_ones_own(self, project, tmp_path):
        """It could hide what was learned anywhere: refused, with what to write instead."""
        project.write(
            own="""
                import progkit

                class Ask(progkit.Predict):
                    def __reduce__(self):
                        return Ask, ("a -> b",)

                class Part(progkit.Module):
                    def __reduce__(self):
                        return Part, ()

                class Holder(progkit.Module):
                    def __init__(self, part):
                        self.part = part
            """
        )
        own = project.module("own")
        with pytest.raises(UnsavableError, match=r"program\.part: has a __reduce__ of its own"):
            own.Holder(own.Ask("a -> b")).save(tmp_path / "out", save_program=True)

        own.Holder(own.Part()).save(tmp_path / "out", save_program=True)
        assert type(progkit.load(tmp_path / "out").part) is own.Part

    def test_a_state_of_ones_own(self, project, tmp_path):
        """A part may be pickled as something else than its attributes, or a predictor without its signature."""
        project.write(
            own="""
                import progkit

                class Part(progkit.Module):
                    def __getstate__(self):
                        return ["no", "dict"]

                    def __setstate__(self, state):
                        self.state = state

                class Ask(progkit.Predict):
                    def __getstate__(self):
                        return {"extra": 1}

                    def __setstate__(self, state):
                        self.__init__("a -> b")
                        vars(self).update(state)

                class Holder(progkit.Module):
                    def __init__(self):
                        self.part, self.ask = Part(), Ask("a -> b")
            """
        )
        project.module("own").Holder().save(tmp_path / "out", save_program=True)

        again = progkit.load(tmp_path / "out")
        assert (again.part.state, again.ask.extra) == (["no", "dict"], 1)


class TestArguments:
    def test_what_makes_no_sense(self, desk, tmp_path):
        """Each with what to do instead."""
        program = desk.Desk()
        with pytest.raises(ConfigurationError, match="a bundle is a directory"):
            program.save(tmp_path / "x.json", save_program=True)
        with pytest.raises(ConfigurationError, match="no format"):
            program.save(tmp_path / "x", save_program=True, format="dspy")
        with pytest.raises(ConfigurationError, match="go with save_program=True"):
            program.save(tmp_path / "x.json", modules_to_serialize=["desk"])
        with pytest.raises(ConfigurationError, match="go with save_program=True"):
            program.save(tmp_path / "x.json", cache=tmp_path / "x")
        with pytest.raises(ConfigurationError, match="a whole program goes into a directory"):
            program.save(tmp_path / "x")

    def test_replies_that_are_none(self, desk, tmp_path):
        """A file that is no export of a cache does not travel as one."""
        (tmp_path / "x").write_text('{"format": "other"}\n')

        with pytest.raises(DocumentError, match="no export of a cache"):
            desk.Desk().save(tmp_path / "out", save_program=True, cache=tmp_path / "x")
        assert not (tmp_path / "out").exists()

"""Parts of a program that travel, and parts that are left out and supplied where it is loaded."""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import pytest

import progkit
from progkit.errors import ConfigurationError, LeftOutError
from progkit.program.bundles.left_out import LeftOut

RAG = '''
    import sqlite3
    import progkit
    import ranks


    class Retriever(progkit.Module):
        """Has a database handle, which no pickle can hold."""

        def __init__(self):
            self.database = sqlite3.connect(":memory:")
            self.rewrite = progkit.Predict("question -> query")

        def forward(self, question):
            return ["found"]


    class Writer(progkit.Module):
        def __init__(self, shared):
            self.draft = progkit.Predict("passages, question -> answer")
            self.shared = shared


    class Rag(progkit.Module):
        def __init__(self):
            shared = progkit.Predict("a -> b")
            self.retriever = Retriever()
            self.retriever.shared = shared
            self.steps = [Writer(shared), {"judge": progkit.Predict("answer -> ok: bool")}]
            self.also = self.retriever

        def forward(self, question):
            return self.retriever(question)
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bundles.Project]:
    with bundles.project(tmp_path, monkeypatch) as made:
        yield made


@pytest.fixture
def rag(project: bundles.Project) -> Any:
    project.write(rag=RAG, ranks="")
    made = project.module("rag")
    return made


@pytest.fixture
def program(rag: Any) -> Iterator[Any]:
    made = rag.Rag()
    yield made
    made.retriever.database.close()


def document(bundle: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundle / name).read_text())
    return found


class TestParts:
    def test_a_program_with_a_database_is_saved_without_it(self, rag, program, tmp_path):
        """The part that is left out is supplied at load; everything else is what it was."""
        program.steps[0].draft.demos = [progkit.Example(passages="p", question="q", answer="a")]
        program.save(tmp_path / "out", save_program=True, modules_to_serialize=["steps[0]", 'steps[1]["judge"]'])

        assert document(tmp_path / "out", "MANIFEST.json")["left_out"] == {"retriever": "rag:Retriever"}
        assert sorted(document(tmp_path / "out", "state.json")["state"]["predictors"]) == [
            "steps[0].draft",
            "steps[0].shared",
            'steps[1]["judge"]',
        ]
        mine = rag.Retriever()
        again = progkit.load(tmp_path / "out", parts={"retriever": mine})
        assert again.retriever is again.also is mine
        assert again("q") == ["found"]
        assert again.steps[0].draft.demos[0].answer == "a"
        mine.database.close()

    def test_what_is_left_out_says_so_when_it_is_used(self, program, tmp_path):
        """However it is used: with its path, its class, and how to supply it."""
        program.save(tmp_path / "out", save_program=True, modules_to_serialize=["steps[0]", 'steps[1]["judge"]'])
        again = progkit.load(tmp_path / "out")

        told = r"retriever: this part \(rag:Retriever\) was left out .* load\(path, parts=\{'retriever': \.\.\.\}\)"
        with pytest.raises(LeftOutError, match=told):
            again("q")
        with pytest.raises(LeftOutError, match=told):
            again.retriever.database  # noqa: B018
        assert isinstance(again.retriever, LeftOut)
        assert not hasattr(again.retriever, "demos")
        assert repr(again.also) == "LeftOut('retriever', 'rag:Retriever')"
        assert [path for path, _ in again.named_predictors()] == [
            "steps[0].draft",
            "steps[0].shared",
            'steps[1]["judge"]',
        ]

    def test_the_parts_around_and_below_what_is_named_travel(self, program, tmp_path):
        """A path may lead into a part: its other parts stay."""
        program.save(tmp_path / "out", save_program=True, modules_to_serialize=["steps[0].draft"])

        left_out = document(tmp_path / "out", "MANIFEST.json")["left_out"]
        assert left_out == {
            "retriever": "rag:Retriever",
            "steps[0].shared": "progkit.program.predict:Predict",
            'steps[1]["judge"]': "progkit.program.predict:Predict",
        }
        again = progkit.load(tmp_path / "out")
        assert [path for path, _ in again.named_predictors()] == ["steps[0].draft"]
        assert progkit.load(tmp_path / "out", parts={"steps[0].shared": program.retriever.shared}).steps[0].shared

    def test_the_whole_is_a_part_as_well(self, program, tmp_path):
        """``self`` names all of it."""
        program.steps[0].save(tmp_path / "out", save_program=True, modules_to_serialize=["self"])

        assert document(tmp_path / "out", "MANIFEST.json")["left_out"] == {}

    def test_mixed_with_modules(self, rag, program, tmp_path):
        """Parts say which parts travel, modules whose code does."""
        import ranks  # type: ignore[import-not-found]

        names = ["steps[0]", rag, 'steps[1]["judge"]', ranks]
        program.save(tmp_path / "out", save_program=True, modules_to_serialize=names)

        said = document(tmp_path / "out", "MANIFEST.json")
        assert (sorted(said["modules"]), list(said["left_out"])) == (["rag", "ranks"], ["retriever"])

    def test_a_name_that_is_neither(self, program, tmp_path):
        """With a guess, and all that there is."""
        with pytest.raises(ConfigurationError) as caught:
            program.save(tmp_path / "out", save_program=True, modules_to_serialize=["retreiver"])

        assert str(caught.value) == (
            "modules_to_serialize: 'retreiver' is neither a part of the program nor a module that can be imported "
            "(did you mean 'retriever'?); its parts are self, retriever, retriever.rewrite, retriever.shared, "
            'steps[0], steps[0].draft, steps[1]["judge"]'
        )

    def test_a_program_with_parts_left_out_is_saved_again(self, program, tmp_path):
        """They stay left out, with or without names; what the state said beside them is no trouble."""
        program.save(tmp_path / "out", save_program=True, modules_to_serialize=["steps[0]", 'steps[1]["judge"]'])
        again = progkit.load(tmp_path / "out")
        vars(again)["_unknown"] = [(("state", "predictors", "retriever.rewrite", "kept"), {}), (("note",), 1)][:1]

        assert again.save(tmp_path / "out", save_program=True).changed is False
        report = again.save(tmp_path / "out", save_program=True, modules_to_serialize=["steps[0]"])

        assert report.changed
        assert list(document(tmp_path / "out", "MANIFEST.json")["left_out"]) == ["retriever", 'steps[1]["judge"]']

    def test_the_error_is_an_attribute_error(self):
        """So that ``hasattr`` and ``getattr`` with a default work; and it pickles."""
        part = LeftOut("a", "m:C")

        assert getattr(part, "x", 1) == 1
        assert getattr(part, "__wrapped__", 2) == 2
        assert pickle.loads(pickle.dumps(part)).left_out_path == "a"
        assert part.deepcopy().left_out_kind == "m:C"

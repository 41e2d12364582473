"""What an enemy tried on whole programs: each was possible once."""

import os
import textwrap
from collections.abc import Iterator
from pathlib import Path

import bundles
import pytest

import progkit
from progkit.artifact import trust
from progkit.artifact.bundle.edited import edited
from progkit.errors import UnsavableError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bundles.Project]:
    with bundles.project(tmp_path, monkeypatch) as made:
        yield made


def test_a_bundle_saved_over_the_directory_one_works_in_is_trusted(project, tmp_path, monkeypatch):
    """That directory is another one afterwards; its name was taken before."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    report = progkit.Predict("question -> answer").save(".", save_program=True)
    os.chdir(tmp_path)

    assert trust.listed()[report.digest].path == str(tmp_path / "here")
    assert progkit.load("here").load_report is not None


def test_a_bundle_is_saved_from_a_directory_that_is_gone(project, tmp_path, monkeypatch):
    """As it has a place of its own."""
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()

    assert progkit.Predict("question -> answer").save(tmp_path / "out", save_program=True).changed


def test_a_module_that_prints_what_the_check_would_is_not_believed(project, tmp_path):
    """How loading went is told on a line that nobody can know before."""
    project.write(
        desk="""
            import progkit, sys
            print("progkit-check: null\\nprogkit-check null", flush=True)

            class Desk(progkit.Module):
                def __init__(self): self.k = 1
                def __setstate__(self, state):
                    sys.stdout.close()
                    raise ValueError("no")
        """
    )
    with pytest.raises(UnsavableError, match="does not load in a new process"):
        project.module("desk").Desk().save(tmp_path / "out", save_program=True)
    assert not (tmp_path / "out").exists()


def test_a_method_that_a_script_puts_on_a_class_is_refused(project):
    """The class travels as its module's source, which does not have it: the bundle would do something else."""
    project.write(
        desk="""
            import progkit

            class Desk(progkit.Module):
                def __init__(self): self.p = progkit.Predict("question -> answer")
                def forward(self, question): return self.p(question=question)
        """
    )
    told = project.run(
        """
        import desk, progkit

        def forward(self, question):
            return self.p(question=question + "!")

        print(desk.Desk().save("plain", save_program=True).portability)
        desk.Desk.forward = forward
        try:
            desk.Desk().save("out", save_program=True)
        except progkit.errors.UnsavableError as error:
            print(error)
        """
    )
    assert told.splitlines() == [
        "source",
        "program.__class__.forward: was put on Desk by __main__, and the source of desk alone travels: define it "
        "there, or in a subclass",
    ]


def test_a_method_that_nobody_says_is_from_elsewhere(project, tmp_path):
    """As above, in this process; what a class inherits, or a decorator made, is no such thing."""
    project.write(desk="import progkit\nclass Desk(progkit.Module): pass\n")
    desk = project.module("desk")

    def forward(self):
        return 1

    desk.Desk.forward = forward
    assert desk.Desk().save(tmp_path / "out", save_program=True).portability == "source"
    forward.__module__ = "__main__"
    with pytest.raises(UnsavableError, match=r"program.__class__.forward: was put on Desk by __main__"):
        desk.Desk().save(tmp_path / "out", save_program=True)


def test_a_module_edited_after_it_was_imported_is_told(project, tmp_path):
    """The file travels; the program that was saved did something else. Lines that only moved are no matter."""
    text = """
        import progkit

        class Desk(progkit.Module):
            @classmethod
            def price(cls): return {price}
            def forward(self): return self.price()
    """
    project.write(desk=text.format(price=3))
    program = project.module("desk").Desk()
    project.write(desk="# a comment\n\n\n" + textwrap.dedent(text.format(price=3)))
    assert program.save(tmp_path / "out", save_program=True).notes == []
    project.write(desk=text.format(price=4))

    assert program.save(tmp_path / "out", save_program=True).notes == [
        "desk: Desk.price runs as it is no longer in the file, which travels: was that edited after the import?"
    ]
    assert edited(project.module("desk"), b"no python") == ""


def test_a_class_of_a_function_is_the_same_when_saved_again(project, tmp_path):
    """Its whole name is kept: saved from what was loaded, the bundle is the same."""
    project.write(
        desk="""
            import progkit

            def make(ending):
                class Desk(progkit.Module):
                    def __init__(self): self.p = progkit.Predict("question -> answer")
                    def forward(self, question): return self.p(question=question + ending)
                return Desk()
        """
    )
    report = project.module("desk").make("?").save(tmp_path / "out", save_program=True)
    again = progkit.load(tmp_path / "out").save(tmp_path / "again", save_program=True)

    assert again.digest == report.digest


def test_what_a_set_has_no_order_for_travels_as_it_comes(project, tmp_path):
    """Objects in it, also inside a tuple; and an enumeration that only a function has keeps its name."""
    project.write(
        desk="""
            import enum, progkit

            class Thing: pass

            def make():
                class Colour(enum.Enum):
                    RED = 1

                class Desk(progkit.Module):
                    def __init__(self):
                        self.things = {Thing(), (1, Thing())}
                        self.colour = Colour.RED
                return Desk()
        """
    )
    project.module("desk").make().save(tmp_path / "out", save_program=True)
    loaded = progkit.load(tmp_path / "out")

    assert len(loaded.things) == 2
    assert repr(loaded.colour) == "<Colour.RED: 1>"
    assert type(loaded.colour).__qualname__ == "make.<locals>.Colour"


def test_sets_of_sets_are_written_in_one_order(project, tmp_path):
    """In every process, whatever their hashes."""
    project.write(
        desk="""
            import progkit

            class Desk(progkit.Module):
                def __init__(self):
                    self.pairs = {frozenset({"a", "b"}), frozenset({"c", "d"}), ("e", frozenset({"f", "g"})), None, "h"}
        """
    )
    script = "import desk; print(desk.Desk().save('out', save_program=True).changed)"

    assert project.run(script).split() == ["True"]
    assert [project.run(script).split() for _ in range(3)] == [["False"]] * 3


def test_a_classmethod_travels_by_name(project, tmp_path):
    """Its class is in the source; only where that is not so does it travel as bytecode."""
    project.write(
        desk="""
            import progkit

            class Shop:
                @classmethod
                def name(cls, ending: str) -> str:
                    "The name."
                    return cls.__name__ + ending

            class Corner(Shop): pass

            class Desk(progkit.Module):
                def __init__(self): self.tools = [Shop.name, Corner.name]
        """
    )
    report = project.module("desk").Desk().save(tmp_path / "out", save_program=True)
    said = bundles.load_elsewhere(tmp_path / "out", "print([each('!') for each in program.tools])", tmp_path / "away")

    assert report.portability == "source"
    assert said == "['Shop!', 'Corner!']\n"

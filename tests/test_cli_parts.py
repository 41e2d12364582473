"""Parts that a bundle left out, on the command line: supplied, or told before the first call."""

import bundles
import pytest

import progkit
from progkit import Module, Prediction
from progkit.cli import leftovers, main
from progkit.program.bundles.left_out import LeftOut

RAG = """
import progkit


class Retriever(progkit.Module):
    def __init__(self, text="found"):
        self.text = text

    def forward(self, question):
        return f"{self.text} {question}"


def other():
    return Retriever("other")


class Writer(progkit.Module):
    def forward(self, question):
        return question


class Needs(progkit.Module):
    def __init__(self):
        self.retriever, self.writer = Retriever(), Writer()

    def forward(self, question):
        return self.writer(self.retriever(question))


class Perhaps(Needs):
    def forward(self, question):
        if question == "nothing":
            return "nothing"
        return self.writer(self.retriever(question))
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    with bundles.project(tmp_path, monkeypatch) as made:
        made.write(rag=RAG)
        yield made


@pytest.fixture
def shipped(project, tmp_path):
    """Saves a program without its retriever."""

    def ship(name):
        program = getattr(project.module("rag"), name)()
        program.save(tmp_path / "shipped", save_program=True, modules_to_serialize=["writer"])
        return str(tmp_path / "shipped")

    return ship


@pytest.fixture
def command(capsys):
    def run(*words):
        status = main([str(word) for word in words])
        return (status, *capsys.readouterr())

    return run


def test_a_part_is_supplied(shipped, command, tmp_path):
    """By a class or a function, to run, batch and warm."""
    bundle = shipped("Needs")
    (tmp_path / "rows.jsonl").write_text('{"question": "x"}\n')
    part = ("--part", "retriever=rag:Retriever")

    assert command("run", bundle, *part, "question=x") == (0, "answer: found x\n", "")
    assert command("run", bundle, "--part", "retriever=rag:other", "question=x")[1] == "answer: other x\n"
    assert command("batch", bundle, *part, "--input", tmp_path / "rows.jsonl")[1] == (
        '{"id": 0, "outputs": {"answer": "found x"}}\n'
    )
    assert command("warm", bundle, *part)[0] == 0


def test_one_that_is_needed_is_missed_before_the_first_call(shipped, command, tmp_path):
    """run and batch refuse; warm calls nothing, and tells."""
    bundle = shipped("Needs")
    (tmp_path / "rows.jsonl").write_text('{"question": "x"}\n')
    told = "the bundle left out retriever (rag:Retriever), and the program needs retriever: --part PATH=MODULE:CALLABLE"

    for words in (("run", bundle, "question=x"), ("batch", bundle, "--input", tmp_path / "rows.jsonl")):
        status, out, err = command(*words)
        assert (status, out) == (2, "")
        assert told in err
    status, _, err = command("warm", bundle)
    assert status == 0
    assert err.startswith("progkit: left out and not supplied: retriever (rag:Retriever)")


def test_one_that_may_be_needed_is_told(shipped, command):
    """What does without it goes on; what does not, says how to supply it."""
    bundle = shipped("Perhaps")

    status, out, err = command("run", bundle, "question=nothing")
    missed = command("run", bundle, "question=x")

    assert (status, out) == (0, "answer: nothing\n")
    assert err.startswith("progkit: left out and not supplied: retriever (rag:Retriever); --part")
    assert missed[0] == 2
    assert missed[2].endswith("on the command line: --part retriever=MODULE:CALLABLE supplies it\n")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--part", "retriever"], "--part is PATH=MODULE:CALLABLE"),
        (["--part", "=rag:X"], "--part is PATH=MODULE:CALLABLE"),
        (["--part", "retriever=rag"], "--part retriever is MODULE:CLASS"),
        (["--part", "retriver=rag:other"], "did you mean 'retriever'?"),
        (["--part", "retriever=rag:other", "--program", "rag:Needs"], "--part is for a bundle"),
    ],
)
def test_parts_that_cannot_be_meant(shipped, command, words, told):
    """Nothing is called."""
    status, out, err = command("run", shipped("Needs"), *words, "question=x")

    assert (status, out) == (2, "")
    assert told in err


class Whole(Module):
    """Whose ways to its part are told apart."""

    def __init__(self):
        self.part = LeftOut("part", "m:C")


class AtOnce(Whole):
    def forward(self, x):
        return Prediction(a=self.part(x))


class Guarded(Whole):
    def forward(self, x):
        try:
            return self.part(x)
        except AttributeError:
            return x


class Async(Whole):
    def forward(self, x):
        return self.part(x)

    async def aforward(self, x):
        return await self.part.acall(x)


class Generating(Whole):
    def forward(self, x):
        yield self.part(x)


class Unbound(Whole):
    @staticmethod
    def forward():
        return 1


class BuiltIn(Whole):
    forward = len


class Straight(Whole):
    def forward(self, x):
        return x.part


class Below(Whole):
    def __init__(self):
        self.inner = AtOnce()

    def forward(self, x):
        return self.inner(x)


@pytest.mark.parametrize(
    ("kind", "is_known"),
    [
        (AtOnce, True),
        *((kind, False) for kind in (Async, Guarded, Generating, Unbound, BuiltIn, Straight, Below)),
    ],
)
def test_what_is_surely_needed(kind, is_known, capsys):
    """What every call comes to before it can branch, and nothing else: a wrong refusal would help nobody."""
    program = kind()

    if is_known:
        with pytest.raises(progkit.ConfigurationError, match="needs part"):
            leftovers.require(program, calls=True)
    else:
        leftovers.require(program, calls=True)
    leftovers.require(program, calls=False)

    assert capsys.readouterr().err.count("not supplied: part (m:C)") == 2 - is_known

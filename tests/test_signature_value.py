"""Signature classes as values: equality, hash, copies, pickles, repr."""

import copy
import pickle
from typing import Literal

import pytest

from progkit.signature import Field, InputField, OutputField, Signature, SignatureMeta


class QA(Signature):
    """Answer the question.

    Use the context.
    """

    question: str = InputField(desc="what is asked", min_length=3)
    context: list[str] = InputField(default_factory=list)
    answer: Literal["yes", "no"] = OutputField()
    mood: str | None = OutputField(default=None)


class TestValue:
    def test_equality_is_of_content(self):
        """Name and module do not count; instructions, fields and their order do."""
        one = Signature("a, b: int -> c", "Do.", name="One")
        same = Signature("a, b: int -> c", "Do.", name="Other")

        assert one == same
        assert hash(one) == hash(same)
        assert one.equals(same)
        assert one.equals(one)
        assert len({one, same}) == 1
        for other in ("b: int, a -> c", "a, b -> c", "a, b: int -> c, d", "a -> b: int, c"):
            assert Signature(other, "Do.") != one
        assert Signature("a, b: int -> c", "Do it.") != one
        assert not one.equals("a, b: int -> c")
        assert one != Field

    def test_fields_are_read_only(self):
        """Nor can content be assigned."""
        with pytest.raises(TypeError):
            QA.fields["x"] = Field("x", "input")  # type: ignore[index]
        with pytest.raises(AttributeError):
            QA.instructions = "Other."

    def test_copies_are_itself(self):
        """It never changes."""
        made = Signature("a -> b")

        assert copy.copy(made) is copy.deepcopy(made) is made
        assert copy.deepcopy({"signature": QA})["signature"] is QA

    @pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
    def test_pickles(self, protocol: int):
        """By name where it can be imported from, else by content."""

        class Local(QA):
            """Local one."""

            extra: int = OutputField(default=3)

        for made in (Local, Signature("a -> b: list[int]", "Do."), QA.with_instructions("Other."), QA.delete("mood")):
            again = pickle.loads(pickle.dumps(made, protocol))
            assert again == made
            assert (again.name, again.__module__, again.instructions) == (made.name, made.__module__, made.instructions)
            assert again.append("z", OutputField()) == made.append("z", OutputField())
        for made in (QA, Signature):
            assert pickle.loads(pickle.dumps(made, protocol)) is made

    def test_pickles_when_its_module_is_gone(self):
        """A module that nobody can import is no obstacle."""
        made = SignatureMeta("Gone", (Signature,), {"__module__": "no_such_module", "a": InputField()})

        assert pickle.loads(pickle.dumps(made)) == made

    def test_repr_is_readable(self):
        """One line for each field, with what its author said."""
        assert repr(QA.delete("mood").delete("context")) == (
            "QA(question -> answer: Literal['yes', 'no']\n"
            "    instructions='Answer the question.\\n\\nUse the context.'\n"
            "    question = InputField(question: str, desc='what is asked', min_length=3)\n"
            "    answer = OutputField(answer: Literal['yes', 'no'])\n"
            ")"
        )
        assert "SignatureMeta" not in repr(Signature)

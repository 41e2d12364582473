"""Signature classes: made from a class body, text or a dict."""

import datetime
import enum
import pickle
import subprocess
import sys
from typing import Annotated, Any, ClassVar, Literal

import pytest

from progkit.errors import SignatureError, SignatureSyntaxError
from progkit.signature import InputField, OutputField, Signature, SignatureMeta, signature_of


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


class QA(Signature):
    """Answer the question.

    Use the context.
    """

    question: str = InputField(desc="what is asked", min_length=3)
    context: list[str] = InputField(default_factory=list)
    answer: Literal["yes", "no"] = OutputField()
    mood: Mood | None = OutputField(default=None)


class TestClassForm:
    def test_reads_fields_and_instructions(self):
        """Annotations are the types, the docstring without its indentation is the instructions."""
        assert list(QA.fields) == ["question", "context", "answer", "mood"]
        assert list(QA.input_fields) == ["question", "context"]
        assert list(QA.output_fields) == ["answer", "mood"]
        assert QA.fields["context"].type == list[str]
        assert QA.fields["question"].desc == "what is asked"
        assert QA.fields["answer"].desc == "${answer}"
        assert QA.fields["answer"].prefix == "Answer:"
        assert QA.instructions == QA.__doc__ == "Answer the question.\n\nUse the context."
        assert QA.name == "QA"

    def test_puts_inputs_first(self):
        """The order within inputs and outputs is that of the body."""

        class Mixed(Signature):
            answer: str = OutputField()
            question: str = InputField()
            score: float = OutputField()
            context: str = InputField()

        assert list(Mixed.fields) == ["question", "context", "answer", "score"]

    def test_has_default_instructions(self):
        """They name the fields."""

        class Plain(Signature):
            a = InputField()
            b: int = InputField()
            c: str = OutputField()

        class Blank(Signature):
            """ """  # noqa: D419

            a: str = InputField()

        assert Plain.instructions == "Given the fields `a`, `b`, produce the fields `c`."
        assert Plain.fields["a"].type is str
        assert Blank.instructions == "Given the fields `a`, produce the fields ."

    def test_keeps_indentation_that_is_meant(self):
        """Only what all lines share goes."""

        class Listed(Signature):
            """
            Do:
              - a
              - b
            """  # noqa: D212, D415

            a: str = InputField()
            b: str = OutputField()

        assert Listed.instructions == "Do:\n  - a\n  - b"
        assert Listed.append("c", OutputField()).instructions == Listed.instructions
        assert pickle.loads(pickle.dumps(Listed)).instructions == Listed.instructions

    def test_inherits_and_extends(self):
        """Fields of the bases come first, a field of the same name takes the place of the old one."""

        class Scored(QA):
            question: int = InputField()
            score: float = OutputField()

        class Other(Scored):
            """Do otherwise."""

        assert list(Scored.fields) == ["question", "context", "answer", "mood", "score"]
        assert Scored.fields["question"].type is int
        assert Scored.instructions == QA.instructions
        assert Other.instructions == "Do otherwise."
        assert list(Other.fields) == list(Scored.fields)
        assert list(QA.fields) == ["question", "context", "answer", "mood"]

    def test_inherits_from_several(self):
        """The first base wins, as in Python."""

        class Tone(Signature):
            """Mind the tone."""

            question: bytes = InputField()
            tone: str = InputField()

        class Empty(Signature):
            pass

        class Both(Empty, QA, Tone):
            pass

        assert list(Both.fields) == ["question", "tone", "context", "answer", "mood"]
        assert Both.fields["question"].type is str
        assert Both.instructions == QA.instructions
        assert Empty.instructions == ""
        assert repr(Empty).startswith("<class ")

    def test_lets_fields_bear_the_names_of_its_own_members(self):
        """A field is not an attribute of the class, so ``name`` and ``append`` may be fields."""

        class Person(Signature):
            name: str = InputField()
            append: str = InputField()
            fields: str = OutputField()

        assert Person.name == "Person"
        assert list(Person.append("x", OutputField()).fields) == ["name", "append", "fields", "x"]
        assert not hasattr(QA, "question")

    def test_may_hold_methods_classes_and_private_names(self):
        """What can be no field by mistake stays where it is."""

        class Rich(Signature):
            class Kind(enum.Enum):
                A = "a"

            _note = 3
            kind: Kind = InputField()

            def method(self):
                return 1

            @staticmethod
            def helper():
                return 2

            @classmethod
            def made(cls):
                return cls._note

            @property
            def shown(self):
                return 4

        assert list(Rich.fields) == ["kind"]
        assert Rich.fields["kind"].type is Rich.Kind
        assert Rich.helper() == 2
        assert Rich.made() == 3

    def test_refuses_an_annotation_without_a_field(self):
        """The error says what to write."""
        with pytest.raises(SignatureError, match=r"Bad\.question: .*question: \.\.\. = InputField\(\)"):

            class Bad(Signature):
                question: str

    @pytest.mark.parametrize("value", [3, "what is asked", None, [1]])
    def test_refuses_a_value_that_is_no_field(self, value: Any):
        """Annotated or not."""
        with pytest.raises(SignatureError, match=r"Bad\.question: .*InputField\("):

            class Bad(Signature):
                question = value

        with pytest.raises(SignatureError, match=r"Bad\.question: .*InputField\("):

            class Bad(Signature):
                question: str = value

    def test_refuses_an_annotation_that_is_no_type(self):
        """With the name of class and field."""
        with pytest.raises(SignatureError, match="Bad: field 'question': 3 is not a type"):

            class Bad(Signature):
                question: 3 = InputField()

        with pytest.raises(SignatureError, match=r"Bad: field 'question': .*ClassVar.* is not a type"):

            class Bad(Signature):
                question: ClassVar[int] = InputField()

    @pytest.mark.skipif(
        sys.version_info >= (3, 14), reason="annotations are read after the body there, and find the type"
    )
    def test_says_when_a_field_hides_its_type(self):
        """In a class body, ``date: date = ...`` finds the field, not the type."""
        date = datetime.date
        with pytest.raises(SignatureError, match="the field's name hides the type 'date'"):

            class Bad(Signature):
                date: date = InputField()

        assert date is datetime.date

    def test_refuses_a_field_as_a_type(self):
        """On every Python; of a field that hides its type, the newer ones find the type."""
        with pytest.raises(SignatureError, match=r"Bad: .*'date'.* a field stands where its type should be"):

            class Bad(Signature):
                date: InputField() = InputField()

    def test_resolves_text_in_annotations(self):
        """From the module and from the function that the class stands in."""

        class Local:
            pass

        class Later(Signature):
            mood: "Mood" = InputField()
            moods: list["Mood"] = InputField()
            local: "list[Local] | None" = OutputField()
            noted: Annotated[int, "metres"] = OutputField()

        assert Later.fields["mood"].type is Mood
        assert Later.fields["moods"].type == list[Mood]
        assert Later.fields["local"].type == list[Local] | None
        assert Later.fields["noted"].type == Annotated[int, "metres"]

    @pytest.mark.parametrize("text", ["Unheard", "list[Unheard]", "3 +", "Mood.UGLY", "int[3]"])
    def test_names_the_field_whose_type_cannot_be_read(self, text: str):
        """Whatever is wrong with the text."""
        body = {"__module__": __name__, "__annotations__": {"mood": text}, "mood": InputField()}
        with pytest.raises(SignatureError, match=r"Bad\.mood: the type .* cannot be read"):
            SignatureMeta("Bad", (Signature,), body)

    def test_is_not_called(self):
        """Calling one is a mistake that the error corrects."""
        with pytest.raises(SignatureError, match=r"Predict\(QA\)"):
            QA(question="why?")


class TestOtherForms:
    def test_text_makes_a_class(self):
        """With instructions, custom types and a name if wanted."""
        plain = Signature("question, context: list[str] -> answer")
        named = Signature("mood: Mood -> ok: bool", "Look\n  closely.", custom_types={"Mood": Mood}, name="Look")

        assert plain.name == "StringSignature"
        assert plain.instructions == "Given the fields `question`, `context`, produce the fields `answer`."
        assert named.name == named.__name__ == "Look"
        assert named.instructions == "Look\nclosely."
        assert named.fields["mood"].type is Mood

    @pytest.mark.parametrize("instructions", [None, "", "  \n "])
    def test_no_instructions_are_the_default_ones(self, instructions: str | None):
        """In every form in which there may be none."""
        assert Signature("a -> b", instructions).instructions == "Given the fields `a`, produce the fields `b`."

    def test_a_dict_makes_a_class(self):
        """Fields alone, fields with types, and the fields of another signature."""
        made = Signature({"question": InputField(desc="asked"), "score": (float, OutputField(ge=0))}, "Score.")

        assert made.signature == "question -> score: float"
        assert made.fields["question"].desc == "asked"
        assert made.fields["score"].constraints == {"ge": 0}
        assert Signature(made.fields, "Score.") == made
        assert Signature({}).fields == {}

    @pytest.mark.parametrize(
        "fields",
        [{"q": str}, {"q": (str, None)}, {"q": (int,)}, {3: InputField()}, {"my q": InputField()}]
        + [
            {"q": ("int", InputField())},
            {"class": InputField()},
            {"ﬁeld": InputField()},
            {"1a": InputField()},
            3,
            None,
        ],
    )
    def test_refuses_what_is_no_dict_of_fields(self, fields: Any):
        """Names that could not be written in a call included."""
        with pytest.raises(SignatureError):
            Signature(fields)

    def test_refuses_instructions_that_are_no_text(self):
        """A field given in their place, for one."""
        with pytest.raises(SignatureError, match="instructions are text"):
            Signature("a -> b", InputField())

    def test_signature_of_takes_text_and_classes(self):
        """A class is itself."""
        assert signature_of(QA) is QA
        assert signature_of("a -> b") == Signature("a -> b")
        with pytest.raises(SignatureSyntaxError):
            signature_of("a b -> c")
        for wrong in (Signature, int, 3, None):
            with pytest.raises(SignatureError, match="'question -> answer'"):
                signature_of(wrong)

    def test_the_text_form_parses_back(self):
        """Types of the program's own must be given."""
        assert (
            QA.signature == "question, context: list[str] -> answer: Literal['yes', 'no'], mood: Union[Mood, NoneType]"
        )
        again = Signature(QA.signature, custom_types={"Mood": Mood})
        assert [each.type for each in again.fields.values()] == [each.type for each in QA.fields.values()]

    def test_importing_the_room_does_not_import_pydantic(self):
        """Nor does making, changing and printing a signature."""
        code = (
            "import sys; from progkit.signature import Signature, InputField\n"
            "made = Signature('a: list[int] -> b: bool').append('c', InputField(ge=3), int); repr(made)\n"
            "assert made == made.with_instructions(made.instructions)\n"
            "sys.exit('pydantic' in sys.modules)"
        )

        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

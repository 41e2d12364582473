"""Fields: what can be said about one, its default, its equality."""

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progkit.errors import SignatureError
from progkit.signature import MISSING, Field, InputField, OutputField, Signature
from progkit.signature.field import infer_prefix


class TestArguments:
    def test_constraints_keep_their_order(self):
        """It is the order that the prompt has them in; None says nothing."""
        field = OutputField(lt=5, desc="x", ge=1, gt=None, multiple_of=2)

        assert list(field.constraints.items()) == [("lt", 5), ("ge", 1), ("multiple_of", 2)]
        assert (field.role, field.desc) == ("output", "x")

    @pytest.mark.parametrize("made", [InputField, OutputField])
    def test_refuses_unknown_arguments(self, made: Any):
        """With advice where the mistake is a known one."""
        with pytest.raises(
            SignatureError, match=rf"{made.__name__} has no argument 'defualt' \(did you mean 'default'"
        ):
            made(defualt=3)
        with pytest.raises(SignatureError, match="no argument 'description': write desc="):
            made(description="x")
        with pytest.raises(SignatureError, match="no argument 'format': leave it out"):
            made(format=str)
        with pytest.raises(SignatureError, match="no argument 'parser': leave it out"):
            made(parser=int)

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ({"desc": 3}, "desc is text, not 3"),
            ({"prefix": ["x"]}, "prefix is text"),
            ({"default": 1, "default_factory": list}, "default and default_factory exclude each other"),
            ({"default_factory": []}, r"default_factory cannot be called: \[\]"),
            ({"min_length": -1}, "min_length is a number"),
            ({"max_length": 1.5}, "max_length is a number"),
            ({"max_length": True}, "max_length is a number"),
            ({"allow_inf_nan": 1}, "allow_inf_nan is True or False"),
        ],
    )
    def test_refuses_values_that_make_no_sense(self, arguments: Any, reason: str):
        """The error says which and why."""
        with pytest.raises(SignatureError, match=f"input field: {reason}"):
            InputField(**arguments)

    def test_a_field_by_hand_is_checked_too(self):
        """As documents make them."""
        with pytest.raises(SignatureError, match="field 'x': the role is 'input' or 'output', not 'inputs'"):
            Field("x", "inputs")  # type: ignore[arg-type]
        with pytest.raises(SignatureError, match=r"field 'x': no constraint 'min'"):
            Field("x", "input", constraints={"min": 3})

    def test_its_constraints_are_its_own(self):
        """A dict that was given can change, the field does not."""
        given_ones = {"ge": 1}
        field = Field("x", "input", constraints=given_ones)

        given_ones["ge"] = 2

        assert field.constraints == {"ge": 1}


class TestDefault:
    def test_may_be_anything(self):
        """None is a default like any other."""
        assert InputField(default=None).has_default
        assert InputField(default=None).make_default() is None
        assert InputField(default_factory=dict).has_default
        assert not InputField().has_default
        assert InputField().default is MISSING

    def test_is_the_callers_own(self):
        """What is done to it does not come back."""
        for field in (InputField(default=[1]), InputField(default_factory=lambda: [1])):
            field.make_default().append(2)
            assert field.make_default() == [1]

    def test_is_not_made_up(self):
        """Without one there is an error."""
        with pytest.raises(SignatureError, match="field 'x' has no default"):
            Field("x", "input").make_default()

    def test_missing_is_one_and_the_same(self):
        """After a pickle and a copy too."""
        assert pickle.loads(pickle.dumps(MISSING)) is copy.deepcopy(MISSING) is MISSING
        assert repr(MISSING) == "MISSING"


class TestPrefix:
    @pytest.mark.parametrize(
        ("name", "prefix"),
        [
            ("question", "Question:"),
            ("question_text", "Question Text:"),
            ("questionText", "Question Text:"),
            ("HTMLPage", "HTML Page:"),
            ("some_HTML_thing", "Some HTML Thing:"),
            ("id3_of", "Id 3 Of:"),
            ("a1b", "A 1 B:"),
            ("café_crème", "Café Crème:"),
            ("_x", "X:"),
        ],
    )
    def test_is_the_name_as_a_title(self, name: str, prefix: str):
        """As DSPy 3.4.1 infers it, but for white space at the ends."""
        assert infer_prefix(name) == prefix

    @given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_]*", fullmatch=True))
    def test_keeps_every_letter(self, name: str):
        """Only underscores go, only spaces and capitals come."""
        assert infer_prefix(name).replace(" ", "").casefold() == name.replace("_", "").casefold() + ":"


class TestValue:
    ONE = Field("x", "input", int, "d", "P:", {"ge": 1, "le": 5}, 3)

    def test_equal_fields_are_equal(self):
        """However they were made; a hash follows."""
        again = Field("x", "input", int, "d", "P:", {"ge": 1, "le": 5}, 3)

        assert again == self.ONE
        assert hash(again) == hash(self.ONE)
        assert pickle.loads(pickle.dumps(self.ONE)) == self.ONE
        assert copy.copy(self.ONE) is copy.deepcopy(self.ONE) is self.ONE

    @pytest.mark.parametrize(
        "other",
        [
            Field("y", "input", int, "d", "P:", {"ge": 1, "le": 5}, 3),
            Field("x", "output", int, "d", "P:", {"ge": 1, "le": 5}, 3),
            Field("x", "input", str, "d", "P:", {"ge": 1, "le": 5}, 3),
            Field("x", "input", int, "e", "P:", {"ge": 1, "le": 5}, 3),
            Field("x", "input", int, "d", "Q:", {"ge": 1, "le": 5}, 3),
            Field("x", "input", int, "d", "P:", {"le": 5, "ge": 1}, 3),
            Field("x", "input", int, "d", "P:", {"ge": 1.0, "le": 5}, 3),
            Field("x", "input", int, "d", "P:", {"ge": 1, "le": 5}, 3.0),
            Field("x", "input", int, "d", "P:", {"ge": 1, "le": 5}, None),
            Field("x", "input", int, "d", "P:", {"ge": 1, "le": 5}),
            Field("x", "input", int, "d", "P:", {"ge": 1, "le": 5}, MISSING, int),
            "x",
        ],
    )
    def test_every_difference_counts(self, other: Any):
        """Those that a prompt shows: 1 is not 1.0, order is order."""
        assert other != self.ONE

    def test_defaults_differ_in_depth(self):
        """[1] and [True] are equal to Python and read differently."""
        assert Field("x", "input", default=[1]) != Field("x", "input", default=[True])
        assert Field("x", "input", default=[1]) == Field("x", "input", default=[1])

    def test_repr_shows_what_was_said(self):
        """Placeholder and inferred prefix are left out."""
        made = Signature(
            {"x": (list[int], InputField(desc="d", prefix="P:", default=[], min_length=1)), "y_z": OutputField()}
        )
        factory = OutputField(default_factory=list)

        assert repr(made.fields["x"]) == "InputField(x: list[int], desc='d', prefix='P:', default=[], min_length=1)"
        assert repr(made.fields["y_z"]) == "OutputField(y_z: str)"
        assert repr(factory) == "OutputField(default_factory=list)"

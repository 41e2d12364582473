"""Changes to a signature: each makes a new one."""

from typing import Any

import pytest

from progkit.errors import SignatureError
from progkit.signature import MISSING, InputField, OutputField, Signature

BASE = Signature("a, b -> c, d", "Do.", name="Base")


@pytest.fixture(autouse=True)
def base_stays_as_it_is():
    """No change touches the signature that it starts from."""
    before = repr(BASE)
    yield
    assert repr(BASE) == before


class TestInstructions:
    def test_are_replaced(self):
        """Fields and name stay."""
        made = BASE.with_instructions("Do otherwise.")

        assert made.instructions == made.__doc__ == "Do otherwise."
        assert made.fields == BASE.fields
        assert made.name == "Base"
        assert made is not BASE

    def test_are_read_as_a_docstring(self):
        """Indentation that all lines share, and blank lines around, go."""
        assert BASE.with_instructions("\n    Do:\n      - this\n    ").instructions == "Do:\n  - this\n"[:-1]

    def test_are_kept_exactly_when_asked(self):
        """A signature's own instructions come back as they were; cleaned once more they would not."""
        text = "Do:\n  - this"

        assert BASE.with_instructions(text, exact=True).instructions == text
        assert BASE.with_instructions(text).instructions == "Do:\n- this"

    @pytest.mark.parametrize("exact", [True, False])
    @pytest.mark.parametrize("text", ["", None])
    def test_none_are_the_default_ones(self, text: str | None, exact: bool):
        """They name the fields of now."""
        default = "Given the fields `a`, `b`, produce the fields `d`."

        assert BASE.delete("c").with_instructions(text, exact=exact).instructions == default

    @pytest.mark.parametrize("exact", [True, False])
    def test_are_text(self, exact: bool):
        """Anything else is refused."""
        with pytest.raises(SignatureError, match="instructions are text"):
            BASE.with_instructions(3, exact=exact)


class TestUpdatedFields:
    def test_replaces_type_and_arguments(self):
        """What is not named stays, the order too."""
        made = BASE.with_updated_fields("a", int, desc="a number", ge=0, default=3)
        again = made.with_updated_fields("a", prefix="The A:", ge=1, lt=9)

        assert made.signature == "a: int, b -> c, d"
        field = again.fields["a"]
        assert (field.type, field.desc, field.prefix) == (int, "a number", "The A:")
        assert field.constraints == {"ge": 1, "lt": 9}
        assert field.default == 3
        assert made.fields["a"].constraints == {"ge": 0}
        assert made.instructions == "Do."

    def test_takes_away(self):
        """None is no description, prefix or constraint; MISSING is no default."""
        made = BASE.with_updated_fields("a", desc="x", prefix="X:", ge=0, default=3)

        plain = made.with_updated_fields("a", desc=None, prefix=None, ge=None, default=MISSING)

        assert plain == BASE

    def test_one_kind_of_default_takes_the_place_of_the_other(self):
        """There is at most one."""
        valued = BASE.with_updated_fields("a", default=[1])
        made = valued.with_updated_fields("a", default_factory=list)

        assert made.fields["a"].make_default() == []
        assert made.with_updated_fields("a", default=[1]) == valued
        with pytest.raises(SignatureError, match="exclude each other"):
            BASE.with_updated_fields("a", default=1, default_factory=list)

    def test_refuses_unknown_fields_and_arguments(self):
        """With what was meant, perhaps."""
        with pytest.raises(SignatureError, match=r"Base has no field 'aa' \(did you mean 'a'\?\); it has 'a', 'b'"):
            BASE.with_updated_fields("aa", desc="x")
        with pytest.raises(SignatureError, match=r"field 'a' has no argument 'dessc' \(did you mean 'desc'\?\)"):
            BASE.with_updated_fields("a", dessc="x")
        with pytest.raises(SignatureError, match="field 'a': 'int' is not a type"):
            BASE.with_updated_fields("a", "int")


class TestNewFields:
    def test_append_puts_last(self):
        """Among the fields of its role."""
        assert BASE.append("z", InputField(), list[int]).signature == "a, b, z: list[int] -> c, d"
        assert BASE.append("z", OutputField(desc="last")).signature == "a, b -> c, d, z"

    def test_prepend_puts_first(self):
        """Among the fields of its role; the instructions stay."""
        made = BASE.prepend("reasoning", OutputField())

        assert made.signature == "a, b -> reasoning, c, d"
        assert made.instructions == "Do."
        assert BASE.prepend("z", InputField(), type_=int).signature == "z: int, a, b -> c, d"

    @pytest.mark.parametrize(
        ("index", "order"),
        [(0, "zab"), (1, "azb"), (2, "abz"), (-1, "abz"), (-2, "azb"), (-3, "zab")],
    )
    def test_insert_counts_within_the_role(self, index: int, order: str):
        """From behind too, -1 being the last place (measured: DSPy 3.4.1)."""
        assert list(BASE.insert(index, "z", InputField()).input_fields) == list(order)
        assert list(BASE.insert(index, "z", OutputField()).output_fields) == list(
            order.translate(str.maketrans("ab", "cd"))
        )

    @pytest.mark.parametrize("index", [3, -4, 100])
    def test_insert_refuses_other_places(self, index: int):
        """And names those that there are."""
        with pytest.raises(
            SignatureError, match=rf"2 input fields: 'z' cannot be inserted at {index}, only at -3 to 2"
        ):
            BASE.insert(index, "z", InputField())

    def test_a_field_of_another_signature_follows_its_new_name(self):
        """Placeholder and inferred prefix do; what an author wrote stays."""
        told = Signature({"x": InputField(desc="told", prefix="Told:")}).fields["x"]

        made = BASE.append("my_field", BASE.fields["a"]).append("other", told)

        assert (made.fields["my_field"].desc, made.fields["my_field"].prefix) == ("${my_field}", "My Field:")
        assert (made.fields["other"].desc, made.fields["other"].prefix) == ("told", "Told:")

    @pytest.mark.parametrize("name", ["a", "d"])
    def test_a_name_is_taken_once(self, name: str):
        """Whatever the role."""
        with pytest.raises(SignatureError, match=f"already has a field '{name}': use with_updated_fields"):
            BASE.append(name, InputField())

    @pytest.mark.parametrize(
        ("name", "field", "type_"),
        [("z", int, None), ("z", "InputField()", None), ("a b", InputField(), None), ("z", InputField(), 3)]
        + [(3, InputField(), None)],
    )
    def test_refuses_what_is_no_field(self, name: Any, field: Any, type_: Any):
        """Name, field and type are checked."""
        with pytest.raises(SignatureError):
            BASE.append(name, field, type_)


class TestDelete:
    def test_takes_a_field_away(self):
        """The instructions stay."""
        assert BASE.delete("b").delete("c").signature == "a -> d"
        assert BASE.delete("b").instructions == "Do."
        assert BASE.delete("a").delete("b").signature == "-> c, d"

    def test_refuses_an_unknown_name(self):
        """An unhashable one is a mistake of another kind."""
        with pytest.raises(SignatureError, match=r"Base has no field 'e'"):
            BASE.delete("e")
        with pytest.raises(SignatureError, match="it has none"):
            Signature({}).delete("e")

"""Positions become names: what a DSPy file tells of its fields, held against the program. Drift is told."""

import json
from typing import Any

import pytest
from dspy_states import FILES, VERSIONS, path_of, raw_of
from hypothesis import given
from hypothesis import strategies as st

import progkit
from progkit import InputField, Module, OutputField, Predict, ReAct, Signature
from progkit.artifact.dspy import names, paths
from progkit.errors import ProgramNeededError, StateMismatchError

UNSAID = "the file does not say which DSPy saved it: its prompts are laid out as the newest one's"


def field(prefix: str, description: str = "said by its author") -> dict[str, str]:
    return {"prefix": prefix, "description": description}


def named(name: str) -> dict[str, str]:
    """A field that its author did not describe."""
    return field(f"{name.title()}:", f"${{{name}}}")


def raw_with(*fields: dict[str, str], instructions: str = "Do it.", demos: Any = ()) -> dict[str, Any]:
    """A file of one predictor."""
    signature = {"instructions": instructions, "fields": list(fields)}
    return {**raw_of("3.4.1", "flat"), "signature": signature, "demos": list(demos)}


# --- recovered names ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "instructions", "demos", "expected", "guessed"),
    [
        ([named("a"), named("b")], "Do it.", [], ["a", "b"], []),
        ([field("A B:"), named("c")], "Do it.", [], ["a_b", "c"], ["a_b"]),
        ([field("By him:"), field("!"), named("c")], "Do it.", [], ["field_1", "field_2", "c"], ["field_1", "field_2"]),
        ([field("By:"), named("field_1")], "Do it.", [], ["by", "field_1"], ["by"]),
        ([field("!"), named("field_1")], "Do it.", [], ["field_2", "field_1"], ["field_2"]),
        ([field("A:"), field("A:")], "Do it.", [], ["a", "field_2"], ["a", "field_2"]),
        ([named("a"), named("a")], "Do it.", [], ["a", "field_2"], ["a", "field_2"]),
        ([field("Text:"), named("b")], "Given the fields `x`, produce the fields `b`.", [], ["x", "b"], []),
        ([field("Text:"), named("b")], "Given the fields `x`, produce the fields `c`.", [], ["text", "b"], ["text"]),
        (
            [named("q"), named("reasoning"), named("a")],
            "Given the fields `q`, produce the fields `a`.",
            [],
            ["q", "reasoning", "a"],
            [],
        ),
        (
            [named("q"), field("Why:"), named("a")],
            "Given the fields `q`, produce the fields `a`.",
            [],
            ["q", "why", "a"],
            ["why"],
        ),
        ([field("The Text:"), named("b")], "Do it.", [{"theText": 1}], ["theText", "b"], []),
        ([field("!"), named("b")], "Do it.", [{"augmented": True, "x": 1, "b": 2}], ["x", "b"], []),
        ([field("!"), named("b")], "Do it.", [{"x": 1, "b": 2}], ["field_1", "b"], ["field_1"]),
        ([field("!"), named("b")], "Do it.", [{"augmented": True, "x": 1, "y": 2}], ["field_1", "b"], ["field_1"]),
        ([field("A B:")], "Do it.", [{"a_b": 1, "aB": 2}], ["a_b"], ["a_b"]),
    ],
)
def test_what_a_file_tells_of_names(fields: Any, instructions: str, demos: Any, expected: Any, guessed: Any) -> None:
    """Placeholders, default instructions and demos tell names; a title is worth a guess, which is called one."""
    found = names.recover(instructions, fields, demos)

    assert found.names == expected
    assert found.guessed == guessed


def test_default_instructions_tell_roles() -> None:
    """Of a ChainOfThought's fields, too."""
    given = "Given the fields `a`, `b`, produce the fields `c`."

    assert names.recover(given, [named("a"), named("b"), named("c")], []).roles == ["input", "input", "output"]
    assert names.recover(given, [named(n) for n in ("a", "b", "reasoning", "c")], []).roles == [
        *("input", "input", "output", "output")
    ]
    assert names.recover("Given the fields , produce the fields `c`.", [named("c")], []).roles == ["output"]
    assert names.recover("Other.", [named("a"), named("c")], []).roles == ["", ""]


# --- held against a program -----------------------------------------------------------------------


def loaded(raw: dict[str, Any], signature: Any, **options: Any) -> tuple[Predict, Any]:
    predict = Predict(signature)
    return predict, predict.load_state(raw, **options)


def test_a_described_field_is_matched_by_its_place_and_its_title_or_description() -> None:
    """Either of the two is the live field's."""
    live = Signature(
        {
            "text": InputField(desc="the text", prefix="Read this:"),
            "hint": InputField(desc="a hint"),
            "answer": OutputField(),
        }
    )
    raw = raw_with(field("Or This:", "the text"), field("Hint:", "another hint"), named("answer"))

    predict, report = loaded(raw, live)

    assert report.ok
    assert report.notes == []
    assert predict.signature.fields["text"].prefix == "Or This:"
    assert predict.signature.fields["hint"].desc == "another hint"


def test_a_field_that_nothing_speaks_for_is_a_difference() -> None:
    """The count is right, and still it may be another field: DSPy would give it the wrong description."""
    raw = raw_with(named("question"), field("About:", "what it is about"), named("answer"))

    with pytest.raises(StateMismatchError) as caught:
        loaded(raw, "question, context -> answer")
    predict, report = loaded(raw, "question, context -> answer", strict=False)

    assert "field 'about' is in the file alone" in str(caught.value)
    assert report.fields["self"].added == ["context"]
    assert report.notes == [
        "self: field 2 of the file (titled 'About:') is not named there, and nothing says that it is the program's"
    ]
    assert predict.signature.fields["context"].desc == "${context}"
    assert predict.signature.instructions == "Do it."


def test_a_field_more_gives_no_field_another_ones_description() -> None:
    """``question, extra -> answer, more`` from a file of ``question -> answer``: DSPy gets this wrong in silence."""
    raw = raw_with(field("Question:", "asked"), named("answer"))

    with pytest.raises(StateMismatchError) as caught:
        loaded(raw, "question, extra -> answer, more")
    predict, report = loaded(raw, "question, extra -> answer, more", strict=False)

    assert "field 'extra' is in the program alone" in str(caught.value)
    assert report.fields["self"].added == ["extra", "more"]
    assert [each.desc for each in predict.signature.fields.values()] == ["asked", "${extra}", "${answer}", "${more}"]


def test_fields_in_another_order_keep_their_own_texts() -> None:
    """By the names that the file gives away."""
    raw = raw_with(field("B:", "second"), field("A:", "first"), named("answer"))

    predict, report = loaded(raw, "a, b -> answer")

    assert report.ok
    assert report.fields["self"].reordered
    assert (predict.signature.fields["a"].desc, predict.signature.fields["b"].desc) == ("first", "second")


def test_a_renamed_field_is_told() -> None:
    """A sure name that the program has not is never taken for the field at its place."""
    with pytest.raises(StateMismatchError, match="field 'questions' is now 'question'"):
        loaded(raw_with(named("questions"), named("answer")), "question -> answer")


def test_a_field_that_became_an_output_is_told() -> None:
    """Default instructions name the roles."""
    raw = raw_with(named("a"), named("b"), instructions="Given the fields `a`, `b`, produce the fields .")

    with pytest.raises(StateMismatchError, match="was an input and is an output"):
        loaded(raw, "a -> b")


def test_keys_of_a_dict_that_are_no_text_are_found() -> None:
    """DSPy writes 7 as it writes "7"; where the program has both, the text is meant."""
    raw = {f"parts['{key}']": raw_of("3.4.1", "flat") for key in ("7", "True", "x")}
    for each in raw.values():
        del each["metadata"]
    program = Module()
    program.parts = {key: Predict("question -> answer") for key in (7, True, "x")}
    both = Module()
    both.parts = {7: Predict("question -> answer"), "7": Predict("question -> answer")}

    report = program.load_state(raw)
    with pytest.raises(StateMismatchError) as caught:
        both.load_state(raw)

    assert report.applied == ["parts[7]", "parts[True]", 'parts["x"]']
    assert caught.value.report.missing == ["parts[7]"]


def test_parts_that_were_frozen_are_missing_by_name() -> None:
    """DSPy leaves a part out that is ``_compiled``, and fails on it with a KeyError."""
    program = Module()
    program.part = progkit.ChainOfThought("question -> answer")

    with pytest.raises(StateMismatchError, match=r"part\.predict is in the program alone"):
        program.load(path_of("3.4.1", "all_frozen"))
    assert program.load(path_of("3.4.1", "all_frozen"), strict=False).missing == ["part.predict"]


def test_a_part_under_its_old_name_is_told() -> None:
    """ProgramOfThought's third predictor had another name up to 3.0."""
    program = Module()
    for name in ("code_generate", "code_regenerate", "generate_output"):
        setattr(program, name, progkit.ChainOfThought("question -> answer"))

    report = program.load(path_of("2.6.27", "program_of_thought"), strict=False)

    assert report.renamed == [("generate_answer.predict", "generate_output.predict")]


def search(query: str, limit: int = 3) -> str:
    """Search the corpus."""
    return f"{limit} results for {query}"


@pytest.mark.parametrize("version", VERSIONS)
def test_our_react_takes_dspys(version: str) -> None:
    """The instructions with the tools come from the file."""
    agent = ReAct("question -> answer: int", tools=[search])

    report = agent.load(path_of(version, "react"))

    assert report.ok
    assert report.applied == ["react", "extract.predict"]
    assert agent.react.signature.instructions == raw_of(version, "react")["react"]["signature"]["instructions"]


# --- what a file says of itself -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "note", "layout"),
    [
        ({}, UNSAID, None),
        ({"dspy": "main"}, UNSAID, None),
        ({"dspy": "3.9.0"}, "saved by DSPy 3.9; progkit knows 2.6 to 3.4", "3.4"),
        ({"dspy": "2.5.43"}, "saved by DSPy 2.5; progkit knows 2.6 to 3.4", "2.6"),
        ({"dspy": "3.0.4", "cloudpickle": 3}, None, "3.0"),
    ],
)
def test_the_version_of_dspy_decides_the_layout(versions: Any, note: str | None, layout: str | None) -> None:
    """As far as the file says it."""
    raw = {**raw_of("3.4.1", "flat"), "metadata": {"dependency_versions": versions}}

    predict, report = loaded(raw, "question -> answer")

    assert report.notes == ([note] if note else [])
    assert predict.layout == layout


@pytest.mark.parametrize("metadata", [None, 3, {}, {"dependency_versions": 3}])
def test_metadata_may_be_anything(metadata: Any) -> None:
    """A state that was dumped by hand has none."""
    raw = {**raw_of("3.4.1", "flat"), "metadata": metadata}

    assert loaded(raw, "question -> answer")[1].ok


def test_settings_of_decisions_and_traces_are_kept(tmp_path: Any) -> None:
    """3.4 saves them beside the signature; they go back to DSPy through our own file."""
    raw = {**raw_of("3.4.1", "flat"), "fields": {"answer": {"threshold": 0.25}}, "train": [{"a": 1}]}
    predict, report = loaded(raw, "question -> answer")
    predict.save(tmp_path / "ours.json")
    again = Predict("question -> answer")

    again.load(tmp_path / "ours.json")
    again.save(tmp_path / "back.json", format="dspy")

    back = json.loads((tmp_path / "back.json").read_text())
    assert "settings of decisions" in report.notes[0]
    assert (back["fields"], back["train"], back["traces"]) == (raw["fields"], raw["train"], [])


def test_a_file_without_its_program_asks_for_the_signature() -> None:
    """It names no types; what it tells of the fields is in the error."""
    with pytest.raises(ProgramNeededError, match="--program 'question -> answer'"):
        progkit.load(path_of("3.4.1", "flat"))
    with pytest.raises(ProgramNeededError, match="--program module:Class"):
        progkit.load(path_of("3.4.1", "instructed"))


@pytest.mark.parametrize("version", [each for each in VERSIONS if (each, "lm_reasoning") in FILES])
def test_reasoning_models_load(version: str) -> None:
    """Also the states that the DSPy that wrote them cannot load (3.0 to 3.2: two values for one setting)."""
    predict = Predict("question -> answer")

    predict.load(path_of(version, "lm_reasoning"))

    params = predict.ask({"question": "Why?"}).params
    assert (params.pop("max_completion_tokens", None) or params.pop("max_tokens", None)) == 20000
    assert params == {"model": "openai/o3-mini", "temperature": 1.0}


# --- paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("self", "self"),
        ("a.b", "a.b"),
        ("hops[0].predict", "hops[0].predict"),
        ("by['en'].predict", 'by["en"].predict'),
        ("by['it's']", 'by["it\'s"]'),
        ("by['a.b[0]']", 'by["a.b[0]"]'),
        ("by['größe \"x\"'].p", 'by["größe \\"x\\""].p'),
        ("odd name.p", '"odd name".p'),
        ("no]path", "no]path"),
    ],
)
def test_paths_go_both_ways(theirs: str, ours: str) -> None:
    """DSPy quotes keys and escapes nothing."""
    assert paths.ours(theirs) == ours
    assert paths.theirs(ours) == theirs or theirs == "no]path"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(0, 20) | st.text()), min_size=1, max_size=3))
def test_any_key_goes_back_to_dspy_as_it_came(steps: list[tuple[str, Any]]) -> None:
    """Through our spelling of the path."""
    path = ".".join(n if k is None else f"{n}[{k}]" if isinstance(k, int) else f"{n}['{k}']" for n, k in steps)

    assert paths.theirs(paths.ours(path)) == path


def test_an_index_may_be_meant_as_a_key() -> None:
    """A list's index stays what it is unless a key is asked for."""
    assert paths.loose('a[0].b["x[1]"][True]') == 'a["0"].b["x[1]"]["True"]'

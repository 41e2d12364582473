"""Three documents merged by meaning; nothing here touches a file."""

import json
from typing import Any

import pytest
from repositories import LINES, Document, changed, demos, document, field, predictor, require_marked

from progkit import artifact, schema
from progkit.artifact import merging
from progkit.artifact.encoding import encode
from progkit.artifact.merging import Conflict, marked, merge
from progkit.errors import DocumentError

BASE = document(
    answer=predictor("a", "b", "c", temperature=0.0, n=2),
    triage=predictor("x", instructions=("Sort it.",)),
)


def merged(ours: Document, theirs: Document, base: Document | None = BASE) -> Document:
    """The clean merge; the other way round is as clean, and differs in the order of what was added alone."""
    result = merge(base, ours, theirs)
    assert result.conflicts == []
    assert merge(base, theirs, ours).conflicts == []
    return result.document


def conflicts(ours: Document, theirs: Document, base: Document | None = BASE) -> list[str]:
    """What conflicts, in words; the other way round it conflicts in as many places."""
    found = merge(base, ours, theirs)
    assert len(merge(base, theirs, ours).conflicts) == len(found.conflicts)
    require_marked(found.document)
    return [str(each) for each in found.conflicts]


def questions(node: Document, path: str = "answer") -> list[str]:
    return [each["values"]["question"] for each in node["state"]["predictors"][path]["demos"]]


def with_demos(*names: str) -> Document:
    return changed(BASE, lambda all_: all_["answer"].update(demos=demos(*names)))


# --- demos ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ("abcd", "abce", "abcde"),
        ("dabc", "eabc", "deabc"),
        ("abdc", "abec", "abdec"),
        ("abc", "ab", "ab"),
        ("ac", "ab", "a"),
        ("acd", "abce", "acde"),
        ("aXc", "abcd", "aXcd"),
        ("Xbc", "abY", "XbY"),
        ("aXYc", "abcd", "aXYcd"),
        ("aXc", "aXc", "aXc"),
        ("abcd", "abcd", "abcd"),
        ("abcde", "abcd", "abcde"),
        ("abcXd", "abcdY", "abcXdY"),
        ("cba", "abc", "cba"),
        ("cba", "abcd", "cdba"),
        ("cba", "cba", "cba"),
        ("cba", "ab", "ba"),
        ("abXYc", "abYXc", "abXYc"),
        ("", "abcd", "d"),
        ("", "", ""),
        ("XYZ", "abcd", "XYZd"),
        ("aabc", "abcd", "aabcd"),
    ],
)
def test_demos_that_merge(ours: str, theirs: str, expected: str) -> None:
    """Each letter is a demo, the base is abc: what both added comes ours first, edits and removals are kept."""
    result = merged(with_demos(*ours), with_demos(*theirs))

    assert "".join(questions(result)) == expected
    assert result["state"]["predictors"]["answer"]["demos"] == demos(*expected)


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ("aXc", "aYc", "changed by both, differently"),
        ("aXc", "ac", "deleted by them, changed by us"),
        ("ac", "aXc", "deleted by us, changed by them"),
        ("cba", "bac", "reordered by both, differently"),
        ("XYZ", "xyz", "changed by both, differently"),
    ],
)
def test_demos_that_clash(ours: str, theirs: str, reason: str) -> None:
    """Two edits of one demo, an edit and a removal, two orders."""
    found = conflicts(with_demos(*ours), with_demos(*theirs))

    assert all(each.startswith("state.predictors.answer.demos") and each.endswith(reason) for each in found)
    assert len(found) == (3 if ours == "XYZ" else 1)


def test_an_id_that_a_person_left_is_made_anew() -> None:
    """Edited by hand, the demo bears its old id: the values count, and the merged file has the right one."""
    by_hand = changed(BASE, lambda all_: all_["answer"]["demos"][1]["values"].update(answer="better"))
    result = merged(by_hand, with_demos(*"abcd"))

    nodes = result["state"]["predictors"]["answer"]["demos"]
    assert [each["id"] for each in nodes] == artifact.demo_ids(each["values"] for each in nodes)
    assert [each["values"]["answer"] for each in nodes] == ["a!", "better", "c!", "d!"]
    assert conflicts(by_hand, with_demos(*"aYc")) != []


def test_the_inputs_of_a_demo_belong_to_it() -> None:
    """Named otherwise, it is another; values and inputs changed apart clash, as nobody has seen the two together."""
    marked_ = changed(BASE, lambda all_: all_["answer"]["demos"][0].update(inputs=["question"]))

    assert merged(marked_, with_demos(*"abcd"))["state"]["predictors"]["answer"]["demos"][0]["inputs"] == ["question"]
    assert conflicts(marked_, with_demos(*"Xbc")) != []


# --- signatures and settings ----------------------------------------------------------------------


def instructed(*lines: str) -> Document:
    return changed(BASE, lambda all_: all_["answer"]["signature"].update(instructions=list(lines)))


def test_instructions_merge_by_line() -> None:
    """Where the lines that either side changed do not touch."""
    one, empty, two, _, three = LINES

    result = merged(instructed("New.", empty, two, "", three), instructed(one, empty, two, "", three, "", "More."))

    assert result["state"]["predictors"]["answer"]["signature"]["instructions"] == [
        "New.",
        "",
        two,
        "",
        three,
        "",
        "More.",
    ]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (("A.", *LINES[1:]), ("B.", *LINES[1:])),
        (("A.", *LINES[1:]), (LINES[0], "-", *LINES[2:])),
        ((*LINES, "A."), (*LINES, "B.")),
        (LINES[1:], ("B.", *LINES[1:])),
        (("A.",), ("B.",)),
    ],
    ids=["same line", "adjoining lines", "both at the end", "delete against edit", "all anew"],
)
def test_instructions_that_clash(ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    """As in git: the same line, or lines that touch. A prompt is read in order, so two additions clash, too."""
    assert conflicts(instructed(*ours), instructed(*theirs)) == [
        "state.predictors.answer.signature.instructions: changed by both, differently"
    ]


def test_fields_merge_by_name_and_part() -> None:
    """A description here, a prefix there; a field added by each side, ours first."""
    ours = changed(
        BASE,
        lambda all_: all_["answer"]["signature"]["fields"]["answer"].update(desc="short"),
        lambda all_: all_["answer"]["signature"]["fields"].update(mood=field("output", "mood")),
        lambda all_: all_["answer"]["signature"]["order"].append("mood"),
    )
    theirs = changed(
        BASE,
        lambda all_: all_["answer"]["signature"]["fields"]["answer"].update(prefix="A:"),
        lambda all_: all_["answer"]["signature"]["fields"].update(source=field("output", "source")),
        lambda all_: all_["answer"]["signature"]["order"].append("source"),
    )

    signature = merged(ours, theirs)["state"]["predictors"]["answer"]["signature"]

    assert signature["fields"]["answer"] == field("output", "answer", desc="short", prefix="A:")
    assert signature["order"] == ["question", "answer", "mood", "source"]


def test_fields_that_clash() -> None:
    """Two descriptions of one; one removed and edited, which then stands in the order of one side alone; two orders."""

    def without(all_: Document) -> None:
        del all_["answer"]["signature"]["fields"]["question"]
        all_["answer"]["signature"]["order"].remove("question")

    def describe(text: str) -> Document:
        return changed(BASE, lambda all_: all_["answer"]["signature"]["fields"]["question"].update(desc=text))

    where = "state.predictors.answer.signature.fields.question"
    assert conflicts(describe("A"), describe("B")) == [f"{where}.desc: changed by both, differently"]
    assert conflicts(changed(BASE, without), describe("B")) == [f"{where}: deleted by us, changed by them"]
    assert conflicts(describe("B"), changed(BASE, without)) == [f"{where}: deleted by them, changed by us"]


def test_orders_of_fields_that_clash() -> None:
    """Each side has its own; the order of prompts is nothing to guess."""
    names = ["question", "answer", "third"]
    base = changed(
        BASE,
        lambda all_: all_["answer"]["signature"]["fields"].update(third=field("output", "third")),
        lambda all_: all_["answer"]["signature"].update(order=names),
    )
    ours, theirs = (
        changed(base, lambda all_, order=order: all_["answer"]["signature"].update(order=order))
        for order in ([names[1], names[0], names[2]], [names[0], names[2], names[1]])
    )

    assert conflicts(ours, theirs, base) == ["state.predictors.answer.signature.order: changed by both, differently"]


def test_settings_merge_by_key() -> None:
    """Of config, of the LM, of what is kept for another library; the same key clashes."""

    def config(**given: Any) -> Document:
        return changed(BASE, lambda all_: all_["answer"]["config"].update(given))

    def lm(**given: Any) -> Document:
        return changed(BASE, lambda all_: all_["answer"].update(lm=given))

    assert merged(config(temperature=1.0), config(n=3, stop=["x"]))["state"]["predictors"]["answer"]["config"] == {
        "temperature": 1.0,
        "n": 3,
        "stop": ["x"],
    }
    assert conflicts(config(n=3), config(n=4)) == ["state.predictors.answer.config.n: changed by both, differently"]
    both = merged(lm(model="m", seed=1), lm(model="m", top_p=0.5))["state"]["predictors"]["answer"]["lm"]
    assert both == {"model": "m", "seed": 1, "top_p": 0.5}
    assert conflicts(lm(model="m"), lm(model="n")) == ["state.predictors.answer.lm.model: added by both, differently"]
    with_lm = lm(model="m")
    assert conflicts(BASE, changed(with_lm, lambda all_: all_["answer"]["lm"].update(seed=1)), with_lm) == [
        "state.predictors.answer.lm: changed by both, differently"
    ]


def test_one_and_true_are_no_equals() -> None:
    """A setting that became true is changed; to Python it is still equal to 1."""
    ours = changed(BASE, lambda all_: all_["answer"]["config"].update(n=True))
    one = changed(BASE, lambda all_: all_["answer"]["config"].update(n=1))

    assert merge(one, ours, one).document["state"]["predictors"]["answer"]["config"]["n"] is True
    assert conflicts(ours, changed(BASE, lambda all_: all_["answer"]["config"].update(n=1.0)), one) != []


# --- predictors -----------------------------------------------------------------------------------


def move(old: str, new: str) -> Any:
    return lambda all_: all_.update({new: all_.pop(old)})


def test_predictors_come_and_go() -> None:
    """One that either side added is there, one that either side took out is not; edits elsewhere do not matter."""
    ours = changed(BASE, lambda all_: all_.pop("triage"))
    theirs = changed(BASE, lambda all_: all_.update(judge=predictor("j")), lambda all_: all_["answer"].update(lm=None))

    assert sorted(merged(ours, theirs)["state"]["predictors"]) == ["answer", "judge"]
    same = changed(BASE, lambda all_: all_.update(judge=predictor("j")))
    assert merged(same, theirs)["state"]["predictors"]["judge"] == predictor("j")


def test_predictors_that_clash() -> None:
    """Taken out here and edited there; added by both, with other words."""
    gone = changed(BASE, lambda all_: all_.pop("answer"))
    judge = (changed(BASE, lambda all_, q=q: all_.update(judge=predictor(q, instructions=[q]))) for q in "jk")

    assert conflicts(gone, with_demos(*"abcd")) == ["state.predictors.answer: deleted by us, changed by them"]
    assert conflicts(*judge) == ["state.predictors.judge.signature.instructions: added by both, differently"]


def test_a_moved_predictor_takes_the_other_sides_changes_along() -> None:
    """A part of the program was renamed, and somebody else has optimised it."""
    moved = changed(BASE, move("answer", "writer.answer"))

    result = merged(moved, with_demos(*"abcd"))

    assert sorted(result["state"]["predictors"]) == ["triage", "writer.answer"]
    assert "".join(questions(result, "writer.answer")) == "abcd"
    assert merged(moved, moved) == moved
    assert merged(moved, changed(BASE, lambda all_: all_["triage"].update(lm={"model": "m"}))) != moved


def test_a_move_to_where_the_other_side_put_another_one() -> None:
    """Both stand at one path, and neither is taken for the other."""
    moved = changed(BASE, move("answer", "writer.answer"))
    added = changed(BASE, lambda all_: all_.update({"writer.answer": {**all_["triage"], "config": {"n": 2}}}))

    told = conflicts(moved, added)

    assert told
    assert all("writer.answer" in each for each in told)


def test_a_move_that_clashes() -> None:
    """With a removal, and with a move to another place."""
    moved = changed(BASE, move("answer", "writer.answer"))

    assert conflicts(moved, changed(BASE, lambda all_: all_.pop("answer"))) == [
        'state.predictors["writer.answer"]: moved from answer by us, deleted or moved elsewhere on the other side'
    ]
    assert len(conflicts(moved, changed(BASE, move("answer", "other")))) == 2


def test_equal_predictors_are_not_told_apart() -> None:
    """Two that are the same, both moved: which went where is anybody's guess, so an edit of one clashes."""
    base = document(a=predictor("q"), b=predictor("q"))
    moved = changed(base, move("a", "c"), move("b", "d"))

    assert conflicts(moved, changed(base, lambda all_: all_["a"].update(lm={"model": "m"})), base) == [
        "state.predictors.a: deleted by us, changed by them"
    ]
    assert merged(moved, base, base) == moved


# --- the head -------------------------------------------------------------------------------------


def test_who_saved_is_never_a_conflict() -> None:
    """Each of the sides has its own Python: ours is told."""
    ours, theirs = ({**with_demos(*"abc", each), "saved_with": {"progkit": "9", "python": each}} for each in "de")

    assert merged(ours, theirs)["saved_with"] == {"progkit": "9", "python": "d"}


def test_the_program_can_clash() -> None:
    """It is shown and never imported, and still two names are two claims."""
    ours, theirs = ({**BASE, "program": each} for each in ("a:A", "b:B"))

    assert conflicts(ours, theirs) == ["program: changed by both, differently"]


def test_the_newer_version_is_taken() -> None:
    """With what only that knows; both sides' features are required."""
    newer = {
        **with_demos(*"abcd"),
        "$schema": schema.urn((1, 7)),
        "version": [1, 7],
        "new": {"key": 1},
    }

    result = merged(newer, with_demos(*"abce"))

    assert (result["version"], result["$schema"], result["new"]) == ([1, 7], schema.urn((1, 7)), {"key": 1})
    assert "".join(questions(result)) in ("abcde", "abced")
    union = merging.documents._union
    assert union([], ["b", "a"], ["c", "a"], merging.threeway.Place()) == ["a", "b", "c"]


def test_what_both_added_is_merged_without_a_base() -> None:
    """The same file on two branches: what is alike in both stays, what is not clashes."""
    assert merged(BASE, BASE, None) == BASE
    assert "".join(questions(merged(with_demos(*"abcd"), with_demos(*"abce"), None))) == "abcde"
    origin = {**BASE, "origin": {"dspy": "3.4.1"}}
    assert merged(origin, {**BASE, "origin": {"python": "3.11"}})["origin"] == {"dspy": "3.4.1", "python": "3.11"}
    assert conflicts(instructed("A."), instructed("B."), None) == [
        "state.predictors.answer.signature.instructions: added by both, differently"
    ]
    assert conflicts(with_demos(*"ab"), with_demos(*"ba"), None) == []


def test_what_is_merged_must_be_valid() -> None:
    """Each side is, and together they are not: that is an error, and no document."""
    ours = changed(BASE, lambda all_: all_["answer"]["signature"].update(guessed=["question"]))
    base = changed(ours, lambda all_: all_["answer"]["signature"]["fields"]["answer"].update(role="", type=""))
    theirs = changed(base, lambda all_: all_["answer"]["signature"].pop("guessed"))
    theirs = changed(
        theirs, lambda all_: all_["answer"]["signature"]["fields"]["answer"].update(role="output", type="str")
    )
    ours = changed(base, lambda all_: all_["answer"].update(layout="3.4"))
    broken = changed(base, lambda all_: all_["answer"]["signature"].pop("guessed"))

    assert merged(ours, theirs, base)["state"]["predictors"]["answer"]["layout"] == "3.4"
    with pytest.raises(DocumentError, match="the merged document"):
        merge(base, ours, broken)


# --- text -----------------------------------------------------------------------------------------


def test_a_conflict_is_marked_where_it_is() -> None:
    """Between git's markers, with their names and length; the rest is as it always is."""
    ours, theirs = (changed(BASE, lambda all_, n=n: all_["answer"]["config"].update(n=n)) for n in (3, 4))
    text = marked(merge(BASE, ours, theirs).document, ("HEAD", "topic"), 9).decode()

    same = encode(BASE).decode()
    assert text == same.replace(
        '     "n": 2,\n',
        '<<<<<<<<< HEAD\n     "n": 3,\n=========\n     "n": 4,\n>>>>>>>>> topic\n',
    )
    with pytest.raises(DocumentError, match="line 2"):
        artifact.decoding.decode(text.encode(), "x")
    seven = marked(merge(BASE, ours, theirs).document)
    with pytest.raises(DocumentError, match="an unresolved merge conflict"):
        artifact.decoding.decode(seven, "x")


def test_a_container_that_one_side_emptied() -> None:
    """It is one line there and many here."""
    alone = document(answer=predictor("a"))
    gone = changed(alone, lambda all_: all_["answer"].update(demos=[]))
    edited = changed(alone, lambda all_: all_["answer"].update(demos=demos("X")))

    assert conflicts(gone, edited, alone) == [
        f"state.predictors.answer.demos[{json.dumps(demos('a')[0]['id'])}]: deleted by us, changed by them"
    ]


def test_conflicts_say_where() -> None:
    """A place, and a reason."""
    assert str(Conflict("program", "changed by both, differently")) == "program: changed by both, differently"

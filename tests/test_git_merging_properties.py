"""Properties of every merge: nothing that a side did is lost, whatever the other did."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from repositories import Document, document, field, predictor, require_marked

from progkit.artifact.encoding import alike, encode
from progkit.artifact.merging import marked, merge

LETTERS = st.lists(st.sampled_from("abcdefgh"), max_size=6, unique=True)
TEXTS = st.lists(st.sampled_from(["One.", "Two.", "Three.", ""]), min_size=1, max_size=5)
CONFIGS = st.dictionaries(
    st.sampled_from(["n", "temperature", "stop"]), st.sampled_from([0, 0.0, False, "x"]), max_size=3
)
LMS = st.none() | st.builds(lambda model, **more: {"model": model, **more}, st.sampled_from("mn"))


@st.composite
def predictors(draw: Any) -> Document:
    """A predictor of few possible parts, so that two have some in common."""
    node = predictor(*draw(LETTERS), instructions=draw(TEXTS), **draw(CONFIGS))
    node["lm"] = draw(LMS)
    names = draw(st.permutations(["question", "answer", "mood"]))[: draw(st.integers(1, 3))]
    desc = draw(st.sampled_from(["", "short", "long"]))
    node["signature"]["fields"] = {name: field("output", name, desc=desc) for name in names}
    node["signature"]["order"] = list(names)
    return node


DOCUMENTS = st.dictionaries(st.sampled_from(["a", "b.c", "d[0]"]), predictors(), max_size=3).map(
    lambda nodes: document(**nodes)
)


@st.composite
def edits(draw: Any, base: Document) -> Document:
    """*base* with a few of its parts replaced."""
    nodes = {}
    for path, node in base["state"]["predictors"].items():
        new, parts = draw(predictors()), draw(st.sets(st.sampled_from(["demos", "config", "lm", "signature", "gone"])))
        if "gone" in parts and draw(st.booleans()):
            continue
        nodes[draw(st.sampled_from([path, path, path, "e"]))] = {
            **node,
            **{key: new[key] for key in parts - {"gone"}},
        }
    return document(**nodes)


@st.composite
def merges(draw: Any) -> tuple[Document, Document, Document]:
    """A base and two edits of it."""
    base = draw(DOCUMENTS)
    return base, draw(edits(base)), draw(edits(base))


@settings(max_examples=100, deadline=None)
@given(merges())
def test_a_merge_conflicts_or_has_both_sides_changes(sides: tuple[Document, Document, Document]) -> None:
    """Whole and valid, the same every time, and as clean the other way round."""
    base, ours, theirs = sides
    result = merge(base, ours, theirs)

    assert merge(base, ours, theirs) == result
    assert len(merge(base, theirs, ours).conflicts) == len(result.conflicts)
    if result.conflicts:
        require_marked(result.document)
        assert b"<<<<<<< ours\n" in marked(result.document)
    else:
        assert encode(result.document)
        require_changes(base, ours, theirs, result.document)


@settings(max_examples=40, deadline=None)
@given(merges())
def test_a_side_that_changed_nothing_has_no_say(sides: tuple[Document, Document, Document]) -> None:
    """Nor has one that changed the same."""
    base, ours, _ = sides

    for result in (merge(base, ours, base), merge(base, base, ours), merge(base, ours, ours)):
        assert (result.document, result.conflicts) == (ours, [])


def require_changes(base: Document, ours: Document, theirs: Document, result: Document) -> None:
    """What a side changed and the other did not touch is in *result* as that side has it."""
    nodes = [each["state"]["predictors"] for each in (base, ours, theirs, result)]
    for path in {*nodes[0], *nodes[1], *nodes[2]}:
        old, mine, others, made = (each.get(path) for each in nodes)
        for side, other in ((mine, others), (others, mine)):
            if alike(other, old) and side is not None and old is not None:
                assert alike(made, side)
        if made is None or not (old and mine and others):
            continue
        for side, other in ((mine, others), (others, mine)):
            require_demos(
                *(["".join(d["values"]["question"] for d in node["demos"]) for node in (old, side, other, made)])
            )
            for key in {*old["config"], *side["config"]}:
                before, now = old["config"].get(key), side["config"].get(key)
                if not alike(before, now):
                    assert alike(made["config"].get(key), now)


def require_demos(old: str, side: str, other: str, made: str) -> None:
    """What *side* added is there; what it took out is not, unless the other side added it anew."""
    assert set(side) - set(old) <= set(made)
    assert not (set(old) - set(side)) & set(made)
    assert other is not None

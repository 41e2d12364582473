"""The fast way to read a state file: it takes exactly the canonical ones, and gives what the slow way gives."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from progkit import Example, Module, Predict, artifact, schema
from progkit.artifact import reading
from progkit.artifact.counting import BLOCK, counts
from progkit.artifact.decoding import decode
from progkit.artifact.proving import is_whole
from progkit.errors import DocumentError
from progkit.program.held import Held
from progkit.schema.lean import Words


class Pair(Module):
    """Two predictors."""

    def __init__(self):
        super().__init__()
        self.one = Predict("question -> answer")
        self.two = Predict("question -> answer")


def saved(path, demos, **more):
    """A state file of a predictor with *demos*, and what is in it."""
    predict = Predict("question -> answer", **more)
    predict.demos = demos
    predict.save(path)
    return path.read_bytes()


COLUMNS = (("answer", str), ("question", str))


def lean(path):
    received = artifact.receive(path, lean=lambda: (("self", COLUMNS),))
    return received.document["state"]["predictors"]["self"]["demos"]


@pytest.fixture(params=[reading._MANY, 0], ids=["by name", "records"], autouse=True)
def how(request, monkeypatch):
    """Each test twice: as files of a few demos are read, and as those of many."""
    monkeypatch.setattr(reading, "_MANY", request.param)
    return request.param


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.booleans() | st.none()


@given(st.lists(st.dictionaries(st.sampled_from(["question", "answer", "x", "\0demos"]), words), max_size=5))
def test_every_canonical_text_is_proven(tmp_path_factory, values):
    """Whatever the words are."""
    path = tmp_path_factory.mktemp("lean") / "x.json"
    data = saved(path, [Example(each) for each in values])

    assert is_whole(schema.read_lean(data), data)


@pytest.mark.parametrize("word", ["a", "a:", "\\:", '"a"', 'a: "b"'])
@pytest.mark.parametrize("count", [0, 1, 255, 256, 257, 600])
def test_any_number_of_demos(tmp_path, count, word):
    """Across the pieces in which they are written again, which are none if no word holds a colon."""
    demos = [Example(question=f"q{each}", answer=f"{word}{each}") for each in range(count)]
    saved(tmp_path / "x.json", demos)
    fresh = Predict("question -> answer")

    fresh.load(tmp_path / "x.json")

    assert [dict(each) for each in fresh.demos] == [dict(each) for each in demos]
    assert schema.are_lean(lean(tmp_path / "x.json")) == bool(count)


def test_inputs_of_their_own_stay(tmp_path):
    """A demo that names its inputs has those, the others have the predictor's."""
    demos = [Example(question="a", answer="b"), Example(question="c", answer="d").with_inputs("answer")]
    demos.append(Example(question="e", answer="f").with_inputs())
    saved(tmp_path / "x.json", demos)
    fresh = Predict("question -> answer")

    fresh.load(tmp_path / "x.json")

    assert schema.are_lean(lean(tmp_path / "x.json"))
    assert [each.input_keys for each in fresh.demos] == [{"question"}, {"answer"}, set()]


@pytest.mark.parametrize("value", [1, 1.5, ["a"], {"a": "b"}, (1,)])
def test_other_values_take_the_slow_way(tmp_path, value):
    """They may need decoding."""
    saved(tmp_path / "x.json", [Example(question="a", answer=value)])
    fresh = Predict("question -> answer")

    fresh.load(tmp_path / "x.json")

    assert not schema.are_lean(lean(tmp_path / "x.json"))
    assert fresh.demos[0].answer == value


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"answer": "b"', b'"answer": "x", "answer": "b"'),
        (b'       "answer": "b"', b'"answer":"x","answer":"b"'),  # as long as without, but for the indent
        (b'      "id"', b'      "more": 1,\n      "id"'),
        (b'  "self": {', b'  "self": {"config": {}, '),
    ],
)
def test_what_is_there_twice_or_unknown_is_noticed(tmp_path, old, new):
    """The program stays as it was."""
    data = saved(tmp_path / "x.json", [Example(question="a", answer="b")])
    assert old in data
    (tmp_path / "x.json").write_bytes(data.replace(old, new))
    fresh = Predict("question -> answer")

    with pytest.raises(DocumentError):
        fresh.load(tmp_path / "x.json")

    assert fresh.demos == []


HIDDEN = [  # what was there, what is; as long as before or not, with and without a colon more or less
    (b'"answer": "a7"', b'"answer": "x", "answer": "a7"'),
    (b'      "values": {\n       "answer": "a7"', b'"values":{"answer":"x","answer":"a7"'),
    (b'"id": "d-', b'"id": "", "id": "d-'),
    (b"     {\n", b'     {"values": {},\n'),
    (b"     {\n", b'     {"more": 1,\n'),
    (b"     {\n", b'     {"inputs": [], "inputs": [],\n'),
    (b'    "demos": [\n', b'    "demos": [\n],"demos": [\n'),
    (b'"demos": [\n', b'"demos": [], "demos": [\n'),
    (b'\n    ],\n    "lm"', b'\n    ], "demos": [\n    ],\n    "lm"'),
    (b'\n    ],\n    "lm"', b'\n    ],\n    "lm": null,\n    "lm"'),
    (b'\n    ],\n    "lm"', b'\n    ],\n    "more": null,\n    "lm"'),
    (b'"answer": "a7"', b'"answer": "\\ud800"'),
    (b'"answer": "a7"', b'"answer": "\xed\xa0\x80"'),
]


@pytest.mark.parametrize(("old", "new"), HIDDEN)
@pytest.mark.parametrize("word", ["a", "a:", "a\\u003a", '\\"', 'a: \\"', "a: \\u0022"])
@pytest.mark.parametrize("since", [0, 17])
def test_nothing_hides_behind_words(tmp_path, old, new, word, since):
    """Neither colons in words, nor escaped ones, nor spaces saved elsewhere stand in for a key that was lost."""
    demos = [Example(question=f"{'colon' if each >= since else 'q'}{each}", answer=f"a{each}") for each in range(20)]
    data = saved(tmp_path / "x.json", demos).replace(b"colon", word.encode()).replace(b'": "a8"', b'":"a8"')
    assert old in data
    (tmp_path / "x.json").write_bytes(data.replace(old, new, 1))
    fresh = Predict("question -> answer")

    with pytest.raises(DocumentError):
        fresh.load(tmp_path / "x.json")

    assert fresh.demos == []


@pytest.mark.parametrize("counts", [(3, 3), (0, 3), (3, 0), (300, 300)])
@pytest.mark.parametrize("word", ["a", "a:", 'a: "'])
def test_two_predictors(tmp_path, counts, word):
    """What stands between their demos is looked for."""
    program, fresh = Pair(), Pair()
    for part, count in zip((program.one, program.two), counts, strict=True):
        part.demos = [Example(question=f"q{each}", answer=f"{word}{each}") for each in range(count)]
    program.save(tmp_path / "x.json")
    data = (tmp_path / "x.json").read_bytes()

    fresh.load(tmp_path / "x.json")

    assert (fresh.one.demos, fresh.two.demos) == (program.one.demos, program.two.demos)
    assert is_whole(schema.read_lean(data), data)
    twice = data.replace(b"     {\n", b'     {"id": "",\n', 1)
    assert not is_whole(schema.read_lean(twice), twice)


def test_a_colon_that_comes_late(tmp_path):
    """After demos without any: they are written again after all."""
    demos = [Example(question="q", answer="a: b" if each == 90 else "a") for each in range(100)]
    data = saved(tmp_path / "x.json", demos)

    assert is_whole(schema.read_lean(data), data)


def test_colons_by_block():
    """As ``bytes.count`` counts, across the ends of blocks."""
    text = b":a;" * BLOCK

    assert list(counts(text, (b":",), 0, len(text))) == [
        text.count(b":", at, at + BLOCK) for at in range(0, len(text), BLOCK)
    ]
    assert sum(counts(text, (b":", b";"), 5, 100_000)) == text.count(b":", 5, 100_000) + text.count(b";", 5, 100_000)


@pytest.mark.parametrize("indent", [None, 2])
def test_another_layout_takes_the_slow_way(tmp_path, indent):
    """It is as good."""
    data = saved(tmp_path / "x.json", [Example(question="a", answer="b")])
    (tmp_path / "x.json").write_text(json.dumps(json.loads(data), indent=indent), "utf-8")
    fresh = Predict("question -> answer")

    fresh.load(tmp_path / "x.json")

    assert not schema.are_lean(lean(tmp_path / "x.json"))
    assert dict(fresh.demos[0]) == {"question": "a", "answer": "b"}


def test_a_text_that_looks_like_the_gap_is_no_gap(tmp_path):
    """The rest of a document is written around a word; somebody else may use that word."""
    data = saved(tmp_path / "x.json", [Example(question="a", answer="b")], stop="\0demos")

    assert not is_whole(schema.read_lean(data), data)
    Predict("question -> answer").load(tmp_path / "x.json")


def test_more_after_the_document(tmp_path):
    """And less."""
    data = saved(tmp_path / "x.json", [Example(question="a", answer="b")])
    document = schema.read_lean(data)

    assert not is_whole(document, data + b"\n")
    assert not is_whole(document, data[:-1])


def test_too_deep_beside_the_demos(tmp_path):
    """The depth of the rest is looked at as ever."""
    data = saved(tmp_path / "x.json", [Example(question="a", answer="b")])
    deep = b"[" * 70 + b"]" * 70
    (tmp_path / "x.json").write_bytes(data.replace(b'"config": {}', b'"config": {"x": ' + deep + b"}"))

    with pytest.raises(DocumentError, match="deeper than 64"):
        Predict("question -> answer").load(tmp_path / "x.json")


SNIPPETS = [
    b'"',
    b":",
    b",",
    b"{",
    b"}",
    b"[",
    b"]",
    b" ",
    b"\n",
    b"\\",
    b"\\u003a",
    b"\\u0022",
    b"null",
    b"true",
    b'""',
]
SNIPPETS += [
    b'"answer": "x",',
    b'"answer":"x",',
    b'"id": "",',
    b'"more": 1,',
    b'"inputs": [],',
    b'"values": {},',
    b'     {"id": "d-000000000000", "values": {}},\n',
]


@given(st.data(), st.sampled_from(["a", "a:", '"', 'a: "', "\n", "\u00e9:"]))
def test_what_is_read_fast_is_read_slowly_too(tmp_path_factory, data, word):
    """And it is the same, whatever somebody does to a file: pieces put in, pieces cut out."""
    path = tmp_path_factory.mktemp("lean") / "x.json"
    text = saved(path, [Example(question=f"q{each}", answer=f"{word}{each}") for each in range(3)])
    start = text.index(b'"demos"')
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(start, len(text)))
        upto = at + data.draw(st.sampled_from([0, 0, 1, 5, 20]))
        text = text[:at] + data.draw(st.sampled_from(SNIPPETS)) + text[upto:]

    try:
        fast = reading.understand(text, "x", lean=lambda: (("self", COLUMNS),)).document
    except DocumentError:
        return  # the slow way has refused it
    assert to_builtins(fast) == decode(text, "x")


@pytest.mark.parametrize(
    ("columns", "demos"),
    [
        ((("answer", str), ("question", bool)), [{"question": True, "answer": "b"}]),
        ((("answer", str), ("question", bool)), [{"question": "text", "answer": "b"}]),
        (COLUMNS, [{"question": None, "answer": "b"}]),
        (COLUMNS, [{"question": "a", "answer": True}]),
        (COLUMNS, [{"question": "a"}]),
        (COLUMNS, [{"question": "a", "answer": "b"}, {"question": "a", "answer": "b", "augmented": True}]),
        ((("class", str), ("id", str)), [{"class": "a", "id": "b"}]),
        ((("__class__", str), ("question", str)), [{"__class__": "a", "question": "b"}]),
        ((("answer", str), ("no name", str)), [{"no name": "a", "answer": "b"}]),
        ((), [{}]),
        ((), [{"question": "a"}]),
    ],
)
def test_demos_of_another_kind_than_the_signature(tmp_path, columns, demos):
    """They come as they are."""
    saved(tmp_path / "x.json", demos)

    received = artifact.receive(tmp_path / "x.json", lean=lambda: (("self", columns), ("gone", COLUMNS)))

    nodes = received.document["state"]["predictors"]["self"]["demos"]
    assert schema.are_lean(nodes)
    assert [to_builtins(each.values) for each in nodes] == demos


def test_a_program_that_lacks_a_predictor_of_the_file(tmp_path):
    """Nothing of it is passed over."""
    program = Pair()
    program.one.demos = [Example(question="a", answer="b")]
    program.save(tmp_path / "x.json")

    received = artifact.receive(tmp_path / "x.json", lean=lambda: (("one", COLUMNS),))

    assert list(received.document["state"]["predictors"]) == ["one", "two"]
    assert schema.are_lean(received.document["state"]["predictors"]["one"]["demos"])


def test_records_are_of_a_file_with_many_demos_alone(tmp_path):
    """To make them takes longer than a few demos."""
    saved(tmp_path / "few.json", [Example(question="a", answer="b")])
    saved(tmp_path / "many.json", [Example(question="a" * 300, answer=f"b{each}") for each in range(1000)])
    kinds = [type(lean(tmp_path / name)[0].values) for name in ("few.json", "many.json")]

    assert issubclass(kinds[1], Words)
    assert kinds[0] is dict or reading._MANY == 0


class Judges(Module):
    """Two predictors, whose demos have unlike numbers of colons and quotes."""

    def __init__(self):
        super().__init__()
        self.a = Predict("x: bool, y: bool -> z: bool")
        self.b = Predict("p -> q")


def swapped(text, names, strings):
    """*text* of a and b, with what it says of each where the other stands, and that in objects which nobody reads.

    Words are stretched with colons and quotes until the demos of a seem to have *names* keys, those of b *strings*.
    """
    start, lists = '"demos": [', "\n    ],"
    one = text.index(start) + len(start) - 1
    one_ends = text.index(lists, one)
    two = text.index(start, one_ends) + len(start) - 1
    two_ends = text.index(lists, two)
    between, after = text[one_ends:two], text[two_ends:]
    head, demos = text[:one], (text[one:one_ends], text[two:two_ends])
    tails = between[: between.index('"b": {')], after[: after.index("\n  }\n }")]
    heads = head[head.index('"a": {') :], between[between.index('"b": {') :]
    flat = [" ".join(each.split()) for each in (*tails, *heads)]

    def regions(colons, quotes):
        first = f'[{flat[0]}{flat[3]}{demos[1]}{flat[1]}, "junk": {{"k": "{":" * colons}", "y": {{"x": ['
        last = f'[{flat[1]}}}, {flat[2]}{demos[0]}{flat[0].rstrip(",")}, "more": {{"n": "{quotes}", "x": ['
        return first, last

    first, last = regions(0, "")
    first, last = regions(names - first.count(":"), r"\"" * (strings - last.count('"')))
    return (head + first + between + last + after).encode()


def test_what_hides_in_one_predictor_is_not_made_up_for_in_another(tmp_path):
    """Colons counted in the demos of one, quotes in those of the other: both come out right, and the text is wrong."""
    program = Judges()
    count = 200
    program.a.demos = [Example(x=bool(each % 2), y=True, z=True) for each in range(count)]
    program.b.demos = [Example(p=f"p{each}", q=f"q{each}") for each in range(count)]
    program.save(tmp_path / "x.json")
    text = (tmp_path / "x.json").read_text("utf-8")
    data = swapped(text, 5 * count, 2 * 7 * count)
    json.loads(data)

    with pytest.raises(DocumentError, match="there twice"):
        decode(data, "x")
    (tmp_path / "x.json").write_bytes(data)
    with pytest.raises(DocumentError, match="there twice"):
        Judges().load(tmp_path / "x.json")


@pytest.mark.parametrize("word", ["a", "a:", '"', 'a: "'])
@pytest.mark.parametrize("other", ["b", "b:", '"', 'b: "'])
def test_words_of_one_kind_here_and_another_there(tmp_path, word, other):
    """They are read fast, and whole."""
    program, fresh = Pair(), Pair()
    program.one.demos = [Example(question=f"q{each}", answer=word) for each in range(30)]
    program.two.demos = [Example(question=f"q{each}", answer=other) for each in range(30)]
    program.save(tmp_path / "x.json")
    data = (tmp_path / "x.json").read_bytes()
    columns = (("one", COLUMNS), ("two", COLUMNS))

    fresh.load(tmp_path / "x.json")

    assert is_whole(schema.read_lean(data), data)
    assert is_whole(schema.read_typed(data, columns), data)
    assert (fresh.one.demos, fresh.two.demos) == (program.one.demos, program.two.demos)


@pytest.mark.parametrize("name", ["__x", "__getattribute__", "__del__", "__slots__", "_x", "id", "values", "é", "self"])
def test_names_that_python_has_a_use_for(tmp_path, name):
    """Are names of values like any other."""
    predict, fresh = Predict(f"{name} -> answer"), Predict(f"{name} -> answer")
    predict.demos = [Example({name: f"q{each}", "answer": "a"}) for each in range(3)]
    predict.save(tmp_path / "x.json")

    fresh.load(tmp_path / "x.json")

    assert [dict(each) for each in fresh.demos] == [dict(each) for each in predict.demos]
    assert schema.are_lean(lean(tmp_path / "x.json"))


@pytest.mark.parametrize("path", ["é", "", 'a"b', "a:b", "\0demos", "日本語"])
def test_paths_of_any_kind(tmp_path, path):
    """The demos are read fast, and where they belong."""
    program, fresh = Pair(), Pair()
    for each in (program, fresh):
        each.more = {path: Predict("question -> answer"), "other": Predict("question -> answer")}
    program.more[path].demos = [Example(question="a", answer="b")]
    program.save(tmp_path / "x.json")

    fresh.load(tmp_path / "x.json")

    assert isinstance(fresh.more[path].shown, Held)
    assert fresh.more[path].demos == program.more[path].demos
    assert fresh.more["other"].demos == []

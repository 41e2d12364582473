"""Files read strictly; the same rules whichever of the two ways a text is read."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from progkit import artifact
from progkit.artifact.decoding import decode
from progkit.artifact.reading import MAX_BYTES
from progkit.errors import DocumentError

FIXTURES = Path(__file__).parent.parent / "fixtures" / "state"

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)


def refused(data: bytes) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        decode(data, "x.json")
    assert caught.value.source == "x.json"
    return caught.value


@given(plain, st.booleans(), st.sampled_from([None, 0, 1, 2, "\t"]))
@example(1e5, True, None)
@example(10**20, True, None)
def test_any_layout_and_any_spelling_reads_the_same(value: Any, ascii_only: bool, indent: Any) -> None:
    """Escapes, spaces and the order of keys are the writer's; what is read is the same value, of the same class."""
    data = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()

    assert repr(decode(data, "x.json")) == repr(value)


@given(plain, text)
def test_a_key_that_is_there_twice_is_never_passed_over(value: Any, key: str) -> None:
    """Not even with equal values, and not if one is spelled with escapes."""
    once = json.dumps({key: value})
    other_spelling = f"{json.dumps(key, ensure_ascii=False)}: {json.dumps(value)}"

    for data in (f"{once[:-1]}, {once[1:]}", f'[{once[:-1]}, "other": 1, {other_spelling}}}]'):
        assert "twice" in refused(data.encode()).reason or key == "other"


@pytest.mark.parametrize(
    ("data", "where", "reason"),
    [
        (b"", "", "is empty"),
        (b" \n\t", "", "is empty"),
        (b'{"a": 1,\n "a": 2}', "line 2, column 2", "the key 'a' is there twice in one object"),
        (b'{"a": 1, "\\u0061": 2}', "line 1, column 10", "the key 'a' is there twice in one object"),
        (b'["a", "a", {"a": "a"}, {"a": 1, "b": NaN}]', "line 1, column 38", "NaN is not JSON"),
        (b"[-Infinity]", "line 1, column 2", "-Infinity is not JSON"),
        (b"[1e400]", "line 1, column 2", "1e400 is beyond any float"),
        (b"[-1e400, 1e-400]", "line 1, column 2", "-1e400 is beyond any float"),
        (b"[" + b"7" * 4301 + b"]", "line 1, column 2", "an integer of more than 4300 digits"),
        (b"\xef\xbb\xbf{}", "line 1, column 1", "begins with a byte order mark"),
        ("{}".encode("utf-16-be"), "line 1, column 1", "is UTF-16 or UTF-32"),
        ("{}".encode("utf-32"), "line 1, column 1", "is UTF-16 or UTF-32"),
        ('["é", "'.encode() + b'\xe9"]', "line 1, column 8", "is not UTF-8 text"),
        (b'["\xed\xa0\x80"]', "line 1, column 3", "is not UTF-8 text"),
        (b'["\\ud83d \\ude00"]', "line 1, column 2", "holds a lone surrogate"),
        (b'{"\\udc00": 1}', "line 1, column 2", "holds a lone surrogate"),
        (b"{} {}", "line 1, column 4", "more follows the document"),
        (b"{}\x00", "line 1, column 1", "is UTF-16 or UTF-32"),
        (b"[" * 65 + b"1" + b"]" * 65, "line 1, column 66", "nested deeper than 64"),
        (b"[" * 100_000, "line 1, column 66", "nested deeper than 64"),
        (b'["a\tb"]', "line 1, column 4", "not JSON: Invalid control character at"),
        (b'["\\q"]', "line 1, column 3", "not JSON: Invalid \\escape"),
        (b"[01]", "line 1, column 3", "not JSON: Expecting ',' delimiter"),
        (b"]]", "line 1, column 1", "not JSON: Expecting value"),
        (b"[1, x]", "line 1, column 5", "not JSON: Expecting value"),
        (b'{"a": "b}', "line 1, column 7", "not JSON: Unterminated string starting at"),
        (b"{'a': 1}", "line 1, column 2", "not JSON: Expecting property name enclosed in double quotes"),
        (b"\x80\x04\x95\x10", "line 1, column 1", "is a pickle, which runs code when it is read"),
        (b"{\n<<<<<<< HEAD\n}", "line 2, column 1", "an unresolved merge conflict"),
    ],
    ids=lambda each: str(each)[:30],
)
def test_what_readers_differ_on_is_refused_with_its_place(data: bytes, where: str, reason: str) -> None:
    """Line and column, counted in characters from 1."""
    error = refused(data)

    assert error.where == where
    assert reason in error.reason


@pytest.mark.parametrize("opening", ["[", ' [ "\\u00e9",'])
def test_the_deepest_nesting_is_the_same_on_both_ways(opening: str) -> None:
    """Sixty-four containers around a value pass, plain text or not."""
    deepest = (opening * 64 + "1" + "]" * 64).encode()
    deeper = (opening * 65 + "1" + "]" * 65).encode()

    assert decode(deepest, "x.json")
    assert "nested deeper" in refused(deeper).reason


def test_a_file_with_other_layout_loads(tmp_path: Path) -> None:
    """What a person or another tool reformatted is still the document."""
    document = artifact.read(FIXTURES / "1.0" / "full.json")
    path = tmp_path / "x.json"
    path.write_text(json.dumps(document, indent="\t").replace("\n", "\r\n"), "utf-8", newline="")

    assert artifact.read(path) == document


def test_what_is_no_file_is_an_error_and_not_a_wait(tmp_path: Path) -> None:
    """A directory, a pipe, nothing at all: told at once."""
    os.mkfifo(tmp_path / "pipe")

    for path, reason in ((tmp_path, "is a directory"), (tmp_path / "pipe", "is not a regular file")):
        with pytest.raises(DocumentError, match=reason):
            artifact.read(path)
    with pytest.raises(DocumentError, match=r"nothing\.json: cannot be read: No such file or directory"):
        artifact.read(tmp_path / "nothing.json")


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    """Its size alone refuses it."""
    path = tmp_path / "large.json"
    path.touch()
    os.truncate(path, MAX_BYTES + 1)

    with pytest.raises(DocumentError, match="is larger than"):
        artifact.read(path)

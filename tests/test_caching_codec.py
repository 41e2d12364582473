"""The entry: what goes in comes out, and nothing else is taken for one."""

import pickle
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progkit.caching.codec import VERSION, decode, encode, open_entry
from progkit.errors import EntryError
from progkit.lm.response import Completion, Response

text = st.text()
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | text,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(text, each, max_size=3),
    max_leaves=6,
)
completions = st.builds(
    Completion,
    text=st.none() | text,
    finish_reason=st.none() | st.sampled_from(["stop", "length", "tool_calls"]),
    tool_calls=st.lists(st.dictionaries(text, plain, max_size=2), max_size=2).map(tuple),
    reasoning=st.none() | text,
    logprobs=plain,
)
responses = st.builds(
    Response,
    completions=st.lists(completions, min_size=1, max_size=3).map(tuple),
    model=text,
    usage=st.dictionaries(text, plain, max_size=3),
    cost=st.none() | st.floats(0, 10),
    source=st.sampled_from(["lm", "demo"]),
)


@given(responses, st.text())
def test_gives_back_what_was_kept(response, key):
    """Every field, to the type."""
    again = decode(key, encode(key, response))

    assert again == response
    assert repr(again) == repr(response)


@given(responses)
def test_a_hit_is_kept_as_what_it_was(response):
    """Put again, it has not lost what it had been billed."""
    assert decode("k", encode("k", response.as_hit())) == response


def test_what_comes_out_is_the_callers_own():
    """Nothing that is done to it shows the next time."""
    response = Response((Completion("a", tool_calls=({"args": "{}"},), logprobs=[1]),), usage={"deep": {"n": 1}})
    entry = encode("k", response)

    mine = decode("k", entry)
    mine.usage["deep"]["n"] = 2
    mine.completions[0].tool_calls[0]["args"] = "!"
    mine.completions[0].logprobs.append(2)

    assert decode("k", entry) == response


BODY = {"completions": [{"text": "hi", "finish_reason": "stop"}], "model": "m", "usage": {"n": 1}, "cost": 1}
WHEN = b"\xcb\x41\xd9\x00\x00\x00\x00\x00\x00"


@pytest.mark.parametrize(
    ("head", "tail", "times", "tags"),
    [
        (b"\x94\x01\xa2k1" + WHEN, b"", (None, None), ()),
        (b"\x97\x02\xa2k1" + WHEN, b"\xc0" + WHEN + b"\x91\xa1t", (None, 1677721600.0), ("t",)),
    ],
)
def test_is_frozen(head, tail, times, tags):
    """Entries of every version still read: here they are, written out."""
    entry = open_entry("k1", head + msgspec.msgpack.encode(BODY) + tail)

    assert VERSION == 2
    assert entry.response == replace(Response.of("hi", model="m", usage={"n": 1}), cost=1.0)
    assert (entry.created, (entry.soft, entry.expires), entry.tags) == (1677721600.0, times, tags)


def test_carries_times_and_tags():
    """All of it comes back."""
    entry = open_entry("k", encode("k", Response.of("a"), created=1.0, soft=2.0, expires=3.0, tags=("x", "y")))

    assert (entry.version, entry.created, entry.soft, entry.expires, entry.tags) == (2, 1.0, 2.0, 3.0, ("x", "y"))


def test_the_keys_of_a_response_are_kept_if_there_are_others():
    """Its own key an entry has anyway."""
    alone, both = (replace(Response.of("a"), keys=keys) for keys in (("k",), ("k", "other")))

    assert decode("k", encode("k", alone)).keys == ()
    assert decode("k", encode("k", both)).keys == ("k", "other")


@pytest.mark.parametrize(
    "entry",
    [
        b"",
        b"\x00",
        b"not msgpack",
        b"\xff" * 40,
        pickle.dumps(Response.of("a")),
        encode("k", Response.of("a"))[:-3],
        encode("k", Response.of("a")) + b"\x00",
        msgspec.msgpack.encode([3, "k", 1.0, {"completions": []}]),
        msgspec.msgpack.encode([True, "k", 1.0, {"completions": []}]),
        msgspec.msgpack.encode([1, "k", 1.0, {"completions": [{"text": 5}]}]),
        msgspec.msgpack.encode([1, "k", 1.0, {}]),
        b"\x91" * 5000,
        "text",
        None,
    ],
)
def test_anything_else_is_refused(entry):
    """Other bytes, other versions, other shapes, halves, and what is not even bytes."""
    with pytest.raises(EntryError):
        decode("k", entry)


def test_an_entry_of_another_key_is_refused():
    """A mixed-up store gives no wrong answers."""
    with pytest.raises(EntryError, match="another key, k1"):
        decode("k2", encode("k1", Response.of("a")))


@pytest.mark.parametrize("thing", [object(), "\ud800", 2**70, {1: {(): object()}}])
def test_what_is_no_plain_data_cannot_be_kept(thing):
    """It is said when it is put, not when it is missed."""
    with pytest.raises(EntryError, match="cannot be kept"):
        encode("k", Response((Completion("a", logprobs=thing),)))

"""Why two requests have different keys."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progkit.caching import cache_key, explain_miss
from progkit.errors import ConfigurationError
from progkit.lm.request import Prefix, Request

MESSAGES = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Why is the sky blue?"}]
A = {"messages": MESSAGES, "model": "openai/x", "temperature": 0.5, "api_key": "sk-aaaaaaaaaaaaaaaaaaaa"}


def found(a, b):
    return [(each.where, each.kind) for each in explain_miss(a, b).differences]


class TestDifferences:
    def test_none(self):
        """Order of names, 1 and 1.0, credentials, transport, user and password in a URL: the same key."""
        a = A | {"n": 1, "api_base": "http://me:secret@here/v1"}
        b = dict(reversed(a.items())) | {"n": 1.0, "api_key": "other", "timeout": 3, "api_base": "http://here/v1"}

        told = explain_miss(a, b)

        assert told.same
        assert told.differences == []
        assert told.left_out == ["api_key", "timeout"]
        assert str(told).splitlines() == [
            "the same key: one finds what the other has kept",
            "  no part of a key, though different: api_key, timeout",
        ]

    def test_of_parameters(self):
        """Changed, added, removed; True is not 1."""
        b = {"messages": MESSAGES, "model": "openai/x", "temperature": 0.7, "seed": True}
        a = A | {"top_p": 1, "seed": 1}

        assert found(a, b) == [
            ("temperature", "changed"),
            ("top_p", "only in A"),
            ("seed", "changed"),
        ]
        assert str(explain_miss(a, b)).splitlines() == [
            "different keys",
            "  temperature: A 0.5, B 0.7",
            "  top_p: only in A: 1",
            "  seed: A 1, B True",
            "  no part of a key, though different: api_key",
        ]

    def test_of_text(self):
        """Where they part, with what stands around it."""
        b = A | {"messages": [MESSAGES[0], {"role": "user", "content": "Why is the sky black?" + "." * 50}]}

        (only,) = explain_miss(A, b).differences

        assert (only.where, only.at) == ("messages[1].content", 17)
        assert str(only).splitlines() == [
            "messages[1].content: from character 17 on",
            "  A 'Why is the sky blue?'",
            "  B 'Why is the sky black?..........................' ...",
        ]

    def test_of_long_text(self):
        """One may be the beginning of the other; what is long is not shown whole."""
        a = A | {"stop": "x" * 200}
        b = A | {"stop": "x" * 201, "note": "y" * 500}

        assert [str(each) for each in explain_miss(a, b).differences] == [
            f"stop: from character 200 on\n  A ... {'x' * 30!r}\n  B ... {'x' * 31!r}",
            f"note: only in B: '{'y' * 119} ... (502 characters)",
        ]

    def test_a_demo_more_is_a_demo_more(self):
        """What follows it is not compared with what it pushed aside."""
        demo = [{"role": "user", "content": "2"}, {"role": "assistant", "content": "4"}]
        b = A | {"messages": [MESSAGES[0], *demo, MESSAGES[1]]}

        assert found(A, b) == [("messages[1]", "only in B"), ("messages[2]", "only in B")]
        assert found(b, A) == [("messages[1]", "only in A"), ("messages[2]", "only in A")]

    def test_deep_inside(self):
        """Tools, response formats: the path goes to the bottom."""
        a = A | {"tools": [{"function": {"name": "f", "strict": True}}]}
        b = A | {"tools": [{"function": {"name": "g", "limit": [1]}}]}

        assert found(a, b) == [
            ("tools[0].function.limit", "only in B"),
            ("tools[0].function.name", "changed"),
            ("tools[0].function.strict", "only in A"),
        ]
        assert found(a, A | {"tools": "auto"}) == [("tools", "changed")]

    def test_no_key_at_all(self):
        """The reason stands there, and the rest is compared all the same."""
        told = explain_miss(A | {"seed": float("nan")}, A | {"temperature": 1})

        assert (told.same, told.keys[0]) == (False, None)
        assert told.uncacheable == ["A is not cacheable: params.seed is nan, which JSON cannot write"]
        assert [each.where for each in told.differences] == ["temperature", "seed"]
        assert "A is not cacheable" in str(told)
        assert not explain_miss(A | {"seed": float("nan")}, A | {"seed": float("nan")}).same

    def test_secrets_are_not_shown(self):
        """By name, however they are called, and by look, in any text; nor in the JSON."""
        key = "sk-" + "b" * 24
        a = A | {"my_secret": "a", "user": f"me {key}", "extra": {"password": "a", "list": [key]}}
        b = A | {"my_secret": "b", "user": f"you {key}"}

        told = explain_miss(a, b)

        shown = str(told) + json.dumps(told.to_dict())
        assert key not in shown
        assert "'a'" not in shown
        assert "holds what looks like a key" in shown
        assert [each.where for each in told.differences] == ["my_secret", "user", "extra"]

    @pytest.mark.parametrize("thing", [[], {}, {"messages": "hi"}, None])
    def test_what_is_no_request(self, thing):
        """It says what one is."""
        with pytest.raises(ConfigurationError, match='B is no request: that is an object with "messages"'):
            explain_miss(A, thing)

    def test_takes_requests(self):
        """As a program makes them."""
        request = Request(Prefix(MESSAGES[:1]), MESSAGES[1:], {"model": "openai/x", "temperature": 0.5})

        assert explain_miss(request, A).same
        assert explain_miss(request, A).to_dict()["differences"] == []


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 0.5, -0.0, "", "a", "ab"]),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.sampled_from("xyz"), each, max_size=2),
    max_leaves=5,
)
requests = st.builds(
    lambda messages, params: {"messages": messages, "model": "m", **params},
    st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": plain}), max_size=4),
    st.dictionaries(st.sampled_from(["seed", "stop", "timeout", "tools"]), plain, max_size=3),
)


@given(requests, requests)
def test_there_is_a_difference_if_and_only_if_the_keys_differ(a, b):
    """Whatever the requests hold."""
    told = explain_miss(a, b)

    assert told.same == (cache_key(a) == cache_key(b)) == (not told.differences)

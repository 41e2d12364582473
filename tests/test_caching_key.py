"""The key: what changes it, what does not, and that the fast one is the whole one."""

import enum
import json
import math
from collections import OrderedDict
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from progkit.caching import KEY_VERSION, cache_key
from progkit.errors import UncacheableError
from progkit.lm.request import CREDENTIALS, TRANSPORT, Prefix, Request

SAY = {"role": "user", "content": "?"}

text = st.text()
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | text
values = st.recursive(
    scalars, lambda each: st.lists(each, max_size=3) | st.dictionaries(text, each, max_size=3), max_leaves=8
)
messages = st.lists(
    st.fixed_dictionaries({"role": st.sampled_from(["system", "user"]), "content": text | values}), max_size=5
)
params = st.dictionaries(st.sampled_from(["model", "temperature", "stop", "tools", "rollout_id", "api_key"]), values)


def key(messages: Any = (SAY,), /, namespace: str = "", **params: Any) -> str:
    return cache_key({"messages": list(messages), **params}, namespace)


def refusal(**params: Any) -> tuple[str, str]:
    with pytest.raises(UncacheableError) as caught:
        key(**params)
    return caught.value.where, caught.value.reason


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()


class Answer(pydantic.BaseModel):
    text: str
    score: float = 0.5


class TestFastKey:
    @given(messages, params, st.data())
    def test_is_the_key_of_the_whole_request(self, messages, params, data):
        """However the messages are parted into prefix and tail, and whether the prefix was hashed before."""
        whole = cache_key({"messages": messages, **params})
        cut = data.draw(st.integers(0, len(messages)))
        prefix = Prefix(messages[:cut])

        assert cache_key(Request(prefix, messages[cut:], params)) == whole
        assert cache_key(Request(prefix, messages[cut:], params)) == whole
        assert cache_key(dict(Request(prefix, messages[cut:], params))) == whole

    def test_hashes_the_prefix_once(self):
        """The second key reads none of its messages."""
        read = []

        class Watched(dict):
            def items(self):
                read.append(self)
                return super().items()

        prefix = Prefix([Watched(SAY)] * 3)
        keys = {cache_key(Request(prefix, [{"role": "user", "content": f"{n}"}], {})) for n in range(5)}

        assert len(keys) == 5
        assert len(read) == 3

    def test_a_prefix_serves_many_namespaces(self):
        """What is remembered in it depends on its messages alone."""
        request = Request(Prefix([SAY]), [SAY], {"model": "m"})

        assert cache_key(request, "a") == key([SAY, SAY], namespace="a", model="m")
        assert cache_key(request, "b") == key([SAY, SAY], namespace="b", model="m")


class TestWhatCounts:
    def test_is_frozen(self):
        """A key that changes without a new KEY_VERSION would empty every cache: this one may not."""
        request = {
            "messages": [{"role": "system", "content": "é\n\u2028😀"}, {"role": "user", "content": [{"n": 1.5}]}],
            "model": "openai/gpt-4o-mini",
            "temperature": 0.0,
            "stop": None,
            "logit_bias": {50256: -100},
        }

        text = (
            '[{"content":"é\\n\u2028😀","role":"system"},{"content":[{"n":1.5}],"role":"user"},'
            '{"key_version":1,"namespace":"","params":{"logit_bias":{"50256":-100},'
            '"model":"openai/gpt-4o-mini","stop":null,"temperature":0}}]'
        )

        assert KEY_VERSION == 1
        assert cache_key(request) == sha256(text.encode()).hexdigest()
        assert cache_key(request) == "15da9f98186cbe05d7c2fbfd18dcc96a4b16cf4ba34638c10cfc2c2cffefbc97"

    @given(messages, params)
    def test_the_order_of_names_does_not(self, messages, params):
        """Of parameters, and inside messages and values."""

        def turned(value):
            if isinstance(value, dict):
                return {name: turned(value[name]) for name in reversed(value)}
            return [turned(each) for each in value] if isinstance(value, list) else value

        assert cache_key(turned({"messages": messages, **params})) == cache_key({"messages": messages, **params})

    @given(values, values)
    def test_equal_keys_mean_equal_json(self, one, other):
        """Different content never shares a key; 1 and 1.0 are the same, 1 and true are not."""

        def canonical(value):
            if isinstance(value, float) and value.is_integer():
                return int(value)
            if isinstance(value, list):
                return [canonical(each) for each in value]
            return {name: canonical(each) for name, each in value.items()} if isinstance(value, dict) else value

        same = json.dumps(canonical(one), sort_keys=True) == json.dumps(canonical(other), sort_keys=True)

        assert (key(seed=one) == key(seed=other)) is same

    def test_the_order_of_messages(self):
        """Turned round, it is another conversation."""
        other = {"role": "assistant", "content": "!"}

        assert key([SAY, other]) != key([other, SAY])

    def test_where_a_text_ends(self):
        """Structure is hashed, not joined text."""
        split = [{"role": "user", "content": 'a"},{"role":"user","content":"b'}]
        two = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]

        assert key(split) != key(two)

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (True, 1),
            (False, 0),
            (None, ""),
            (None, 0),
            ("1", 1),
            ([], {}),
            ([1], 1),
            ("a", ["a"]),
            (1, 1.5),
            ("\u00e9", "e\u0301"),
        ],
    )
    def test_kinds_of_values(self, one, other):
        """What is not the same JSON is not the same."""
        assert key(x=one) != key(x=other)
        assert key(x=one) != key()

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (0, 0.0),
            (0, -0.0),
            (10**22, 1e22),
            ((1, 2), [1, 2]),
            (Colour.RED, "red"),
            (Level.LOW, 1),
            (Text("a"), "a"),
            ({Text("a"): 1}, {"a": 1}),
            ({5: 1}, {"5": 1}),
            (OrderedDict(a=1), {"a": 1}),
            (MappingProxyType({"a": (1,)}), {"a": [1]}),
            (type("Names", (list,), {})([1]), [1]),
            (Answer(text="a"), {"text": "a", "score": 0.5}),
        ],
    )
    def test_values_that_are_sent_alike(self, one, other):
        """They are one value in two forms."""
        assert key(x=one) == key(x=other)

    def test_big_integers(self):
        """Beyond 64 bits, exactly."""
        assert len({key(seed=2**64), key(seed=2**64 + 1), key(seed=-(2**64))}) == 3

    def test_a_response_format_by_its_schema(self):
        """A pydantic class counts with its name and its fields; once worked out, it is remembered."""
        other = pydantic.create_model("Answer", text=(str, ...), score=(int, 1), __module__=__name__)

        assert key(response_format=Answer) == key(response_format=Answer)
        assert key(response_format=Answer) != key(response_format=other)
        assert key(response_format=Answer) != key(response_format=Answer.model_json_schema())

    def test_namespaces(self):
        """They share nothing, and a parameter cannot pass for one."""
        assert len({key(), key(namespace="a"), key(namespace="b"), key(**{"namespace": "a"})}) == 3


class TestWhatDoesNotCount:
    @pytest.mark.parametrize("name", sorted(CREDENTIALS | TRANSPORT))
    def test_credentials_and_transport(self, name):
        """Whatever they hold, even what could not be hashed."""
        assert cache_key({"messages": [SAY], name: object()}) == key()
        assert cache_key(Request(Prefix(), [SAY], {name: "sk-x"})) == key()

    def test_who_asks_an_endpoint(self):
        """User and password in its URL."""
        plain = key(api_base="https://host:1/v1?a=b@c")

        assert key(api_base="https://me:p%40ss@w/rd@host:1/v1?a=b@c") != plain
        assert key(api_base="https://me:p@ss@host:1/v1?a=b@c") == plain
        assert key(api_base="https://other:1/v1") != plain
        assert key(base_url="http://u@h/") == key(base_url="http://h/")
        assert key(user="http://u@h/") != key(user="http://h/")

    def test_no_messages(self):
        """A request may be without; it has a key all the same."""
        assert cache_key({"model": "m"}) == key([], model="m")


class TestUncacheable:
    @pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
    def test_numbers_that_json_has_not(self, number):
        """Named with their place."""
        assert refusal(tools=[{"a": {"b": [0, number]}}]) == (
            "params.tools[0].a.b[1]",
            f"is {number}, which JSON cannot write",
        )

    @pytest.mark.parametrize("value", [object(), {1}, b"", 1j, lambda: 0, int, Colour])
    def test_objects(self, value):
        """They have no content that is the same tomorrow."""
        where, reason = refusal(x=value)

        assert where == "params.x"
        assert "has no stable content" in reason

    def test_in_a_message(self):
        """Counted from the first of all, wherever the prefix ends."""
        bad = {"role": "user", "content": object()}

        for request in (
            Request(Prefix([SAY, bad]), [SAY], {}),
            Request(Prefix([SAY]), [bad], {}),
            {"messages": [SAY, bad]},
        ):
            with pytest.raises(UncacheableError, match=r"messages\[1\].content is an object"):
                cache_key(request)

    @pytest.mark.parametrize("lone", ["\ud800", "a\udfff", {"\ud800": 1}, ["", {"a": "\ud800"}]])
    def test_lone_surrogates(self, lone):
        """UTF-8 has no bytes for them."""
        bad = {"role": "user", "content": lone}
        for request in (
            Request(Prefix([SAY, bad]), [SAY], {}),
            Request(Prefix([SAY]), [bad], {"n": 1}),
            {"messages": [SAY, bad]},
        ):
            with pytest.raises(UncacheableError, match=r"messages\[1\]\.content.*surrogate"):
                cache_key(request)

        where, reason = refusal(stop=lone)
        assert where.startswith("params.stop")
        assert "surrogate" in reason

    def test_names(self):
        """Text, or integers that are not there as text too."""
        assert refusal(x={None: 1}) == ("params.x", "has a name that is no text: NoneType")
        assert refusal(x={True: 1}) == ("params.x", "has a name that is no text: bool")
        assert refusal(x={1: 1, "1": 2}) == ("params.x", "has the name '1' both as text and as a number")

    def test_what_contains_itself(self):
        """Or is nested beyond reason."""
        loop: list[Any] = []
        loop.append(loop)

        assert refusal(x=loop)[1] == "is nested too deeply or contains itself"

    def test_integers_beyond_reason(self):
        """Python would not write them."""
        assert refusal(x=1 << 20_000) == ("params.x", "is an integer of 20001 bits")
        assert refusal(x={1 << 20_000: 1})[0] == "params.x"

    def test_a_class_that_fails(self):
        """A pydantic object that cannot be dumped, or holds what cannot be hashed, or a class without a schema."""

        class Odd(pydantic.BaseModel, arbitrary_types_allowed=True):
            thing: object

        class Number(pydantic.BaseModel):
            number: float

        class Schemaless(pydantic.BaseModel, arbitrary_types_allowed=True):
            thing: Foreign

        assert refusal(x=Odd(thing=object()))[1].startswith("cannot be dumped: PydanticSerializationError")
        assert refusal(x=Number(number=math.nan))[0] == "params.x.number"
        assert refusal(x=Schemaless)[1].startswith("cannot be dumped: PydanticInvalidForJsonSchema")


class Foreign:
    pass

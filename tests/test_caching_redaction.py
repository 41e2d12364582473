"""Redaction: what is blotted out, where, and that a hit still equals a miss."""

import asyncio

import pytest
from caches import ask, told
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedLM

from progkit import Predict, configure_cache, context, warm
from progkit.caching import Cache, DiskTier, MemoryTier, Redactor
from progkit.caching.redacting import redacted_request, redacted_response
from progkit.errors import ConfigurationError
from progkit.lm.request import Prefix, Request
from progkit.lm.response import Completion, Response

redact = Redactor()


class TestPatterns:
    @pytest.mark.parametrize(
        ("text", "clean"),
        [
            ("write to ada.l+x@mail.example.co.uk, now", "write to [email], now"),
            ("<jürgen@büro.de>", "<[email]>"),
            ("card 4111 1111 1111 1111.", "card [card]."),
            ("4111-1111-1111-1111 and 378282246310005", "[card] and [card]"),
            ("call +44 20 7946 0958 or +1 (415) 555-2671", "call [phone] or [phone]"),
            ("(415) 555-2671, 415-555-2671, 415.555.2671", "[phone], [phone], [phone]"),
            ("030/1234567, 06 12 34 56 78, (020) 7946 0958", "[phone], [phone], [phone]"),
            ("+4915112345678", "[phone]"),
            ("key sk-abcdefghijkl0123456789", "key [key]"),
            ("ghp_abcdefghij0123456789abcdefghij012345", "[key]"),
            ("AKIAABCDEFGHIJKLMNOP", "[key]"),
            ("BASIC abcdefghijklmnop1234", "[key]"),
            ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: [key]"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2ln", "[key]"),
            ("a\n-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----\nb", "a\n[key]\nb"),
            ("-----BEGIN PRIVATE KEY-----\nMIIE and then it is cut off", "[key]"),
        ],
    )
    def test_what_is_found(self, text, clean):
        """In its place stands what it was."""
        assert redact(text) == clean

    @pytest.mark.parametrize(
        "text",
        ["", "plain words", "2024-01-31 10:15:00", "31-01-2024", "01/02/2024", "3.14159265358979", "1234567890123456"]
        + [
            "version 10.0.22631.4460",
            "127.0.0.1:6379",
            "me@home",
            "a@b",
            "risk-averse people",
            "sk-8",
            "0000 0000 0000 0000",
        ]
        + ["[[ ## answer ## ]]", "1,234,567.89", "page 12 of 345", "f47ac10b-58cc-4372-a567-0e02b2c3d479", "+1 and -1"]
        + ["a basic explanation", "[email] [phone] [card] [key]"],
    )
    def test_what_is_left(self, text):
        """Dates, numbers, versions, markers of a layout."""
        assert redact(text) == text

    @given(st.text() | st.from_regex(r"([\w.+-]+@[\w.-]+|[\d +()./-]{5,30}|sk-\w+| ){1,6}"))
    def test_twice_is_once(self, text):
        """Applied to what it gave, it changes nothing."""
        assert redact(redact(text)) == redact(text)

    def test_what_stands_beside_a_replacement(self):
        """It is looked at again; patterns that find what they make come to an end all the same."""
        assert redact("0@0.AA.@0.AA") == "[email][email]"
        assert "x" in Redactor("card", x=r"\]x|x\[")("[x]x")

    @pytest.mark.parametrize(
        "text", ["a" * 50_000, "1" * 50_000, "1 " * 25_000, "a@" * 25_000, "+1(" * 20_000, "0-" * 20_000]
    )
    def test_long_texts_take_no_long_time(self, text):
        """Nothing here makes a pattern go back and forth; the test would hang."""
        redact(text)

    def test_some_kinds(self):
        """Those named, and one's own before them."""
        some = Redactor("email", ticket=r"TCK-\d+")

        assert some("TCK-12 by a@b.de, 415-555-2671") == "[ticket] by [email], 415-555-2671"
        assert repr(some) == "Redactor(ticket, email)"

    @pytest.mark.parametrize(
        ("kinds", "own", "said"),
        [
            (["emial"], {}, "did you mean 'email'"),
            ([], {"x": "("}, "is no pattern"),
            ([], {"email": "x"}, "is a kind already"),
            ([], {"ticket": r"t\w+"}, r"finds a replacement, \[ticket\]"),
            ([], {"x": "mail"}, r"finds a replacement, \[email\]"),
        ],
    )
    def test_what_cannot_be(self, kinds, own, said):
        """The error says which, and why."""
        with pytest.raises(ConfigurationError, match=said):
            Redactor(*kinds, **own)


class TestPlaces:
    def test_every_text_of_the_messages(self):
        """In blocks and tool calls too; pictures, roles and ids stay as they are."""
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,sk-abcdefghijkl0123456789"}}
        call = {"id": "a@b.de", "function": {"name": "a@b.de", "arguments": '{"to": "a@b.de"}'}}
        messages = [
            {"role": "user", "content": [{"type": "text", "text": "a@b.de"}, picture]},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "a@b.de", "tool_call_id": "a@b.de"},
        ]

        found = redacted_request(Request.of(messages, model="a@b.de"), redact)

        assert found.messages == [
            {"role": "user", "content": [{"type": "text", "text": "[email]"}, picture]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [call | {"function": call["function"] | {"arguments": '{"to": "[email]"}'}}],
            },
            {"role": "tool", "content": "[email]", "tool_call_id": "a@b.de"},
        ]
        assert found.model == "a@b.de"

    def test_the_prefix_once(self):
        """What a predictor always sends is looked through at its first call; another hook looks for itself."""
        seen = []

        def hook(text):
            seen.append(text)
            return text.upper()

        prefix = Prefix([{"role": "system", "content": "system"}])
        for number in range(3):
            request = redacted_request(Request(prefix, [{"role": "user", "content": f"{number}"}], {}), hook)
            assert redacted_request(request, hook) is request

        assert seen == ["system", "0", "1", "2"]
        assert request.messages[0]["content"] == "SYSTEM"
        other = redacted_request(Request(prefix, [], {}), lambda text: "other")
        assert other.messages[0]["content"] == "other"

    def test_everything_a_reply_says(self):
        """Text, reasoning, arguments; log probabilities spell out the text, and go."""
        calls = ({"id": "1", "name": "mail", "args": '{"to": "a@b.de"}'}, {"id": "2", "name": "stop"})
        said = Completion("a@b.de", "stop", calls, "is it a@b.de?", [{"token": "a@b"}])
        whole = Completion("plain", logprobs=[1])

        found = redacted_response(Response((said, whole)), redact)

        assert found.completions == (
            Completion("[email]", "stop", (calls[0] | {"args": '{"to": "[email]"}'}, calls[1]), "is it [email]?"),
            whole,
        )
        clean = Response((whole, Completion(None)))
        assert redacted_response(clean, redact) is clean


def reply(text):
    return f"[[ ## answer ## ]]\n{text}\n\n[[ ## completed ## ]]"


class TestInCalls:
    @pytest.fixture
    def predict(self):
        return Predict("question -> answer")

    @pytest.mark.parametrize("way", ["sync", "async"])
    def test_a_hit_equals_a_miss(self, predict, way):
        """The LM is asked without the address, and what it says of one nobody sees; one call for all who ask that."""
        lm = ScriptedLM(reply("ask bob@x.org"))
        with context(lm=lm, cache=Cache(tiers=[MemoryTier()], redact=redact)):
            call = predict if way == "sync" else lambda **inputs: asyncio.run(predict.acall(**inputs))
            miss, hit = call(question="who is eve@y.org?"), call(question="who is mallory@z.org?")

        assert miss.answer == hit.answer == "ask [email]"
        assert (miss.get_lm_responses()[0].cache_hit, hit.get_lm_responses()[0].cache_hit) == (False, True)
        assert len(lm.requests) == 1
        assert "who is [email]?" in lm.requests[0].messages[-1]["content"]

    def test_nothing_of_it_is_kept(self, predict, tmp_path):
        """Neither in the files."""
        cache = Cache(tiers=[DiskTier(tmp_path)], redact=redact)
        with context(lm=ScriptedLM(reply("ask bob@x.org")), cache=cache):
            predict(question="who is eve@y.org?")
        cache.close()

        files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert b"[email]" in files
        assert b"bob@" not in files

    def test_sent_as_it_is(self, predict):
        """On demand the LM sees everything; key and reply are as before."""
        lm = ScriptedLM(reply("ask bob@x.org"))
        with context(lm=lm, cache=Cache(tiers=[MemoryTier()], redact=redact, redact_sent=False)):
            answers = [predict(question=f"who is {name}@y.org?").answer for name in ("eve", "mallory")]

        assert answers == ["ask [email]"] * 2
        assert "who is eve@y.org?" in lm.requests[0].messages[-1]["content"]

    def test_without_a_cache(self, predict):
        """The hook is the cache's: a call that has nothing to do with it is sent and answered as it is."""
        with context(lm=ScriptedLM(reply("ask bob@x.org")), cache=Cache(tiers=[MemoryTier()], redact=redact)):
            assert predict(question="?", config={"cache": False}).answer == "ask bob@x.org"

    def test_a_warm_up_keeps_what_a_call_would(self, predict):
        """Demos are redacted on their way in, also where a subclass keeps things itself."""

        class Own(Cache):
            def put(self, key, value):
                self._memory_cache[key] = value

        predict.demos = [{"question": "who is eve@y.org?", "answer": "ask bob@x.org"}]
        for kind in (Cache, Own):
            with context(lm=ScriptedLM(), cache=kind(tiers=[MemoryTier()], redact=redact)):
                assert warm(predict).warmed == 1
                assert predict(question="who is mallory@z.org?").answer == "ask [email]"

    def test_a_hook_that_fails(self, predict):
        """Rather no answer than a secret sent; for a key alone, rather no cache."""

        def broken(text):
            raise ZeroDivisionError("oops")

        with (
            context(lm=ScriptedLM(), cache=Cache(tiers=[MemoryTier()], redact=broken)),
            pytest.raises(ZeroDivisionError),
        ):
            predict(question="?")
        cache = Cache(tiers=[MemoryTier()], redact=broken, redact_sent=False)
        assert "oops" in told(lambda: cache.safe_key(ask()))[0]

    def test_configured(self, predict):
        """By the one function for all settings."""
        configure_cache(tiers=[MemoryTier()], redact=redact)
        with context(lm=ScriptedLM(reply("ask bob@x.org"))):
            assert predict(question="?").answer == "ask [email]"

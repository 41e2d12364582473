"""Tags on what a program keeps, and what the figures say of it."""

import asyncio

import pytest
from scripted import ScriptedLM
from test_program import says

import progkit
from progkit import ChainOfThought, Example, Module, Predict, Response
from progkit.caching import current_cache
from progkit.caching.codec import open_entry
from progkit.errors import ConfigurationError

HERE = f"{__name__}:"


class Desk(Module):
    version = "3"

    def __init__(self):
        self.sort = Predict("ticket -> kind")

    def forward(self, ticket):
        return self.sort(ticket=ticket)


class House(Module):
    def __init__(self):
        self.desk = Desk()

    def forward(self, ticket):
        return self.desk(ticket=ticket)


def kept():
    """The tags of each entry."""
    tier = current_cache().tiers[0]
    return [open_entry(key, tier.get(key)).tags for key in list(tier.keys())]


def lm(times=1):
    return ScriptedLM(*[says(kind="bug")] * times)


class TestTags:
    def test_model_program_and_version(self):
        """The outermost module is the program; its version is its attribute."""
        with progkit.context(lm=lm()):
            Desk()(ticket="?")

        assert kept() == [("model:scripted/lm", f"program:{HERE}Desk", "version:3")]

    def test_a_program_without_a_version(self):
        """The modules inside give neither name nor version."""
        with progkit.context(lm=lm()):
            House()(ticket="?")

        assert kept() == [("model:scripted/lm", f"program:{HERE}House")]

    def test_a_predictor_alone_is_no_program(self):
        """Nor is any other module of ours; after an error it is over."""
        with progkit.context(lm=ScriptedLM(progkit.LMError("no"), says(kind="a"), says(reasoning="r", kind="a"))):
            with pytest.raises(progkit.LMError):
                Desk()(ticket="?")
            Predict("ticket -> kind")(ticket="?")
            ChainOfThought("ticket -> kind")(ticket="?")

        assert kept() == [("model:scripted/lm",)] * 2

    def test_the_users_own(self):
        """By settings and by call, each once."""
        with progkit.context(lm=lm(), tags=["tenant:7"]):
            Predict("ticket -> kind")(ticket="?", config={"cache": {"tags": ["mine", "tenant:7"]}})

        assert kept() == [("model:scripted/lm", "tenant:7", "mine")]

    @pytest.mark.parametrize("tags", ["tenant:7", [7], None])
    def test_what_is_no_list_of_tags(self, tags):
        """It is refused where it is set."""
        with pytest.raises(ConfigurationError, match="tags is a list of names"), progkit.context(tags=tags):
            pass

    def test_async(self):
        """Tasks do not mix."""

        async def both():
            await asyncio.gather(Desk().acall(ticket="1"), House().acall(ticket="2"))

        with progkit.context(lm=lm(2)):
            asyncio.run(both())

        assert sorted(tags[1] for tags in kept()) == [f"program:{HERE}Desk", f"program:{HERE}House"]

    def test_warm_up(self):
        """What it keeps bears the program's tags, too."""
        desk = House()
        desk.desk.sort.demos = [Example(ticket="a", kind="b")]
        with progkit.context(lm=lm()):
            assert progkit.warm(desk).warmed == 1

        assert kept() == [("model:scripted/lm", f"program:{HERE}House")]

    def test_warm_up_by_a_program(self):
        """A program that warms another one is still the program."""

        class Start(Module):
            def forward(self):
                desk = House()
                desk.desk.sort.demos = [Example(ticket="a", kind="b")]
                return progkit.warm(desk)

        with progkit.context(lm=lm()):
            Start()()

        assert kept()[0][1].endswith("Start")

    def test_cached_results(self):
        """The models that were asked, and the program seen through."""
        with progkit.context(lm=lm(), tags=("mine",)):
            progkit.cached(Desk())(ticket="?")

        assert kept() == [("model:scripted/lm", f"program:{HERE}Desk", "version:3", "mine")] * 2

    def test_invalidation(self):
        """By any of them; the next call asks."""
        asked = lm(3)
        with progkit.context(lm=asked):
            for tag in (f"program:{HERE}Desk", "version:3", "model:other"):
                Desk()(ticket="?")
                progkit.cache.invalidate(tag)
            Desk()(ticket="?")

        assert asked.count == 3


class TestFigures:
    def test_what_was_saved(self):
        """Tokens and dollars of every hit."""
        reply = Response(Response.of(says(kind="a")).completions, "m", {"total_tokens": 7}, 0.25)
        with progkit.context(lm=ScriptedLM(reply)):
            for _ in "abc":
                Predict("ticket -> kind")(ticket="?")

        stats = progkit.cache.stats()
        assert (stats["saved_tokens"], stats["saved_cost"]) == (14, 0.5)

    def test_why_it_missed(self):
        """By tier."""
        now = [0.0]
        cache = progkit.Cache(enable_disk_cache=False, ttl=10, now=lambda: now[0])
        (tier,) = cache.tiers
        with progkit.context(lm=lm(4), cache=cache):
            desk = Predict("ticket -> kind")
            desk(ticket="?")
            now[0] = 20.0
            desk(ticket="?")
            cache.invalidate("*")
            now[0] = 21.0
            desk(ticket="?")
            tier.read = False
            desk(ticket="?")

        missed = cache.stats()["tiers"]["memory"]["missed"]
        assert {why: missed[why] > 0 for why in ("absent", "expired", "invalidated", "off")} == dict.fromkeys(
            ("absent", "expired", "invalidated", "off"), True
        )

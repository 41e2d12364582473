"""The circuit breaker, by a clock that the test moves."""

import logging
import threading

import pytest

from progkit.caching.breaker import FORGIVEN, LONGEST_REST, REST, Breaker


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker("the server", slow=0.05, clock=clock)


def fail(breaker, times=1):
    for _ in range(times):
        began = breaker.begin()
        assert began is not None
        breaker.failed(began, "no answer")


def answer(breaker, times=1):
    for _ in range(times):
        breaker.answered(breaker.begin())


class TestBreaker:
    def test_opens_after_two_failures(self, breaker):
        """Then nobody asks, and who would is counted."""
        fail(breaker)
        assert breaker.state == "closed"
        fail(breaker)

        assert breaker.state == "open"
        assert [breaker.begin() for _ in range(1000)] == [None] * 1000
        assert breaker.skipped == 1000

    def test_lets_one_try_after_a_while(self, breaker, clock):
        """The others still wait for what that one finds."""
        fail(breaker, 2)
        clock.now += REST
        assert breaker.state == "half-open"

        tries = [breaker.begin() for _ in range(5)]

        assert [each is not None for each in tries] == [True, False, False, False, False]
        breaker.answered(tries[0])
        assert breaker.state == "closed"
        assert breaker.begin() is not None

    def test_rests_twice_as_long_each_time(self, breaker, clock):
        """Up to a minute: a server that is gone for an hour costs sixty tries and a few."""
        fail(breaker, 2)
        tries = 0
        for _ in range(36_000):
            clock.now += 0.1
            began = breaker.begin()
            if began is not None:
                tries += 1
                breaker.failed(began, "no answer")

        assert 60 <= tries <= 70
        clock.now += LONGEST_REST
        assert breaker.begin() is not None

    def test_one_that_never_comes_back_does_not_close_the_way(self, breaker, clock):
        """A caller that was let through and killed is followed by another."""
        fail(breaker, 2)
        clock.now += REST
        assert breaker.begin() is not None
        assert breaker.begin() is None

        clock.now += REST

        assert breaker.begin() is not None

    def test_is_on_probation_when_it_closes(self, breaker, clock):
        """One failure is then enough, until it has answered for a while."""
        fail(breaker, 2)
        clock.now += REST
        answer(breaker)
        fail(breaker)
        assert breaker.state == "open"
        clock.now += REST
        assert breaker.begin() is None  # the second rest is longer

        clock.now += 3 * REST
        answer(breaker, 1 + round(1 / FORGIVEN) + 1)
        fail(breaker)
        assert breaker.state == "closed"
        fail(breaker)
        clock.now += REST
        assert breaker.state == "half-open"  # and all is forgotten

    def test_a_server_that_flaps_costs_little(self, breaker, clock):
        """It fails every other time it is asked, for an hour of ten calls a second."""
        failures = 0
        for number in range(36_000):
            clock.now += 0.1
            began = breaker.begin()
            if began is None:
                continue
            if number % 2:
                breaker.answered(began)
            else:
                failures += 1
                breaker.failed(began, "no answer")

        assert failures <= 70

    def test_bears_a_failure_in_twenty(self, breaker):
        """It takes more than the odd lost packet."""
        for _ in range(100):
            answer(breaker, 20)
            fail(breaker)

        assert breaker.state == "closed"

    def test_slow_is_failing(self, breaker, clock):
        """An answer that takes too long is a strike, though it is an answer."""
        for _ in range(2):
            began = breaker.begin()
            clock.now += 0.06
            breaker.answered(began)

        assert breaker.state == "open"

    def test_those_on_their_way_change_nothing(self, breaker, clock):
        """Sixty callers that asked before it opened come back: no longer rest, and no early end of it."""
        under_way = [breaker.begin() for _ in range(60)]
        clock.now += 0.01
        fail(breaker, 2)

        for began in under_way[:30]:
            breaker.failed(began, "no answer")
        for began in under_way[30:]:
            breaker.answered(began)

        assert breaker.state == "open"
        clock.now += REST
        assert breaker.state == "half-open"

    def test_each_change_is_logged_once(self, breaker, clock, caplog):
        """Not each call that suffers from it."""
        fail(breaker, 2)
        for _ in range(100):
            breaker.begin()
        for _ in range(3):
            clock.now += LONGEST_REST
            fail(breaker)
        clock.now += LONGEST_REST
        answer(breaker, 5)

        assert [each.getMessage() for each in caplog.records] == [
            "the server is left alone for 1 s, then tried again: no answer",
            "the server answers again; 100 calls have done without it so far",
        ]
        assert {(each.name, each.levelno) for each in caplog.records} == {("progkit", logging.WARNING)}

    def test_many_threads(self, clock):
        """Of eight that come to a half-open breaker at once, one goes through; so too if it closes meanwhile."""
        for _ in range(50):
            breaker = Breaker("the server", 1.0, clock)
            fail(breaker, 2)
            clock.now += REST
            barrier, through = threading.Barrier(8), []

            def work(breaker=breaker, barrier=barrier, through=through):
                barrier.wait()
                through.append(breaker.begin())

            threads = [threading.Thread(target=work) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

            assert len([each for each in through if each is not None]) == 1

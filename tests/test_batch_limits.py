"""Rate limits: requests and tokens per minute, and the step back of all after a 429."""

import asyncio
import threading
import time
from itertools import pairwise

import pytest
from batches import QA, EchoLM, rows, said
from servers import ChatServer, Reply

import progkit
from progkit import Module, Predict, Request, Response
from progkit.batch import patience
from progkit.batch.bucket import Bucket
from progkit.batch.limiter import Limiter
from progkit.errors import LMRateLimitError, LMServerError
from progkit.lm import pacing
from progkit.lm.retry import Pace


class Clock:
    """Seconds that pass when they are slept."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def request(characters=0):
    return Request.of([{"role": "user", "content": "x" * characters}], model="m")


def sent(limiter, clock, asked):
    """When *asked* may be sent, its caller sleeping as it is told; and the ticket."""
    pauses = limiter.pauses(asked)
    while True:
        try:
            clock.now += next(pauses)
        except StopIteration as end:
            return clock.now - 1000.0, end.value


def used(tokens):
    return Response.of("yes", usage={"total_tokens": tokens})


class TestBucket:
    def test_lets_a_seconds_worth_through_at_once(self):
        """And then so much a second."""
        bucket = Bucket(120, 0.0)

        assert [bucket.take(1, 0.0) for _ in range(4)] == [0, 0, 0.5, 1.0]
        assert bucket.take(1, 10.0) == 0

    def test_takes_more_than_fits_on_credit(self):
        """From a full bucket, and the next one pays."""
        bucket = Bucket(60, 0.0)

        assert bucket.take(10, 0.0) == 0
        assert bucket.take(1, 0.0) == 10

    def test_takes_back(self):
        """No more than it holds."""
        bucket = Bucket(60, 0.0)
        bucket.take(10, 0.0)

        bucket.give(9, 0.0)
        assert bucket.take(1, 0.0) == 1
        bucket.give(100, 0.0)
        assert [bucket.take(1, 0.0) for _ in range(2)] == [0, 1]


class TestRequests:
    def test_without_limits_nobody_waits(self, clock):
        """Whatever the number."""
        limiter = Limiter(None, None, clock)

        assert [sent(limiter, clock, request())[0] for _ in range(1000)] == [0.0] * 1000

    def test_a_minute_so_many(self, clock):
        """120 a minute: one each half second."""
        limiter = Limiter(120, None, clock)

        assert [sent(limiter, clock, request())[0] for _ in range(5)] == [0.0, 0.0, 0.5, 1.0, 1.5]

    def test_retries_count(self, clock):
        """A request that is sent again is sent."""
        limiter = Limiter(60, None, clock)

        assert [sent(limiter, clock, each)[0] for each in (request(), None, request())] == [0.0, 1.0, 2.0]


class TestTokens:
    def test_are_estimated_before_and_put_right_after(self, clock):
        """A reply that used more makes the next ones wait."""
        limiter = Limiter(None, 60_000, clock)
        asked = request(400)
        at, ticket = sent(limiter, clock, asked)

        limiter.done(asked, ticket, used(3000))

        assert (at, ticket) == (0.0, 200.0)
        assert sent(limiter, clock, request())[0] == pytest.approx(2.38, abs=0.001)

    def test_of_replies_are_learnt(self, clock):
        """After some of them the estimate is what they use."""
        limiter = Limiter(None, 10**9, clock)
        for _ in range(60):
            asked = request(400)
            limiter.done(asked, sent(limiter, clock, asked)[1], used(1100))

        assert sent(limiter, clock, request(400))[1] == pytest.approx(1100, rel=0.01)

    def test_of_what_failed_are_given_back(self, clock):
        """Nothing was billed, as far as anybody knows; nor of what says no usage."""
        limiter = Limiter(None, 60_000, clock)
        for outcome in (LMServerError("down"), asyncio.CancelledError(), Response.of("yes")):
            asked = request(4_000_000)
            at, ticket = sent(limiter, clock, asked)
            limiter.done(asked, ticket, outcome)

        assert at == 0.0

    def test_of_a_prefix_are_counted_once(self, clock):
        """And parts of messages by their text."""
        limiter = Limiter(None, 60_000, clock)
        asked = Request(progkit.lm.Prefix([{"role": "system", "content": "x" * 396}]), [{"content": ["ab"]}], {})

        first = sent(limiter, clock, asked)[1]

        assert asked.prefix.memo["batch.characters"] == 396
        assert first == (396 + 6) / 4 + 100


class TestTooMuch:
    def test_holds_everybody_until_the_provider_says(self, clock):
        """And then lets them go one after the other, at 0.7 of the pace, faster and faster."""
        limiter = Limiter(None, None, clock)
        for _ in range(20):
            sent(limiter, clock, request())
            clock.now += 0.1

        limiter.failed(LMRateLimitError("slow down", retry_after=5.0))
        first = sent(limiter, clock, request())[0]
        times = [first, *(sent(limiter, clock, request())[0] for _ in range(100))]

        assert first == pytest.approx(2.0 + 5.0)
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert gaps[0] == pytest.approx(1 / (0.7 * 10), rel=0.05)
        assert gaps[-1] < 0.8 * gaps[0]

    def test_is_over_at_twice_the_pace(self, clock):
        """Nothing is held back any more."""
        limiter = Limiter(None, None, clock)
        limiter.failed(LMRateLimitError("slow down"))
        clock.now += 60

        sent(limiter, clock, request())

        assert limiter.slowed is None
        assert sent(limiter, clock, request())[0] == 60.0

    def test_said_by_many_at_once_is_one_incident(self, clock):
        """The longest time that any of them was told counts."""
        limiter = Limiter(None, None, clock)
        limiter.failed(LMRateLimitError("slow down", retry_after=1.0))
        pace = limiter.slowed
        limiter.failed(LMRateLimitError("slow down", retry_after=3.0))
        limiter.failed(LMRateLimitError("slow down"))

        assert limiter.slowed is pace
        assert sent(limiter, clock, request())[0] == 3.0

    def test_said_again_without_a_time_pauses_longer(self, clock):
        """Twice as long each time; not after an hour, though."""
        limiter = Limiter(None, None, clock)
        pauses = []
        for _ in range(8):
            limiter.failed(LMRateLimitError("slow down"))
            pauses.append(limiter.slowed.pause)
            clock.now += pauses[-1] + 0.1

        assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]

    @pytest.mark.parametrize("limits", [(60, 6000), (60, None), (None, 6000)])
    def test_who_waits_for_a_turn_meanwhile_takes_another(self, clock, limits):
        """With its requests and tokens given back."""
        limiter = Limiter(*limits, clock)
        for _ in range(3):
            sent(limiter, clock, request())
        waiting = limiter.pauses(request())
        clock.now += next(waiting)
        limiter.done(request(), 0.0, LMRateLimitError("slow down", retry_after=10.0))
        refused = clock.now

        clock.now += next(waiting)

        assert clock.now == refused + 10
        for seconds in waiting:
            clock.now += seconds
        assert clock.now < refused + 12

    def test_is_heard_of_retries_too(self, clock):
        """The LM's own retries wait at the gate, and tell it of each refusal; both ways of asking."""
        heard = []

        class Gate:
            def pauses(self, request):
                heard.append("first" if request else "again")
                yield 0.0

            def done(self, request, ticket, outcome):
                heard.append(type(outcome).__name__)

            def failed(self, error):
                heard.append(type(error).__name__)

        with ChatServer(Reply(said("yes"))) as server:
            lm = progkit.LM("openai/test", api_base=server.url, api_key="sk-test")
            lm.pace = Pace(sleep=lambda seconds: None, asleep=_now)
            progkit.configure(lm=lm)
            token = pacing.gate.set(Gate())
            try:
                server.then(Reply(status=429), Reply(status=500))
                Predict(QA)(question="1")
                server.then(Reply(status=429))
                asyncio.run(Predict(QA).acall(question="2"))
            finally:
                pacing.gate.reset(token)

        once = ["first", "LMRateLimitError", "again"]
        assert heard == [*once, "LMServerError", "again", "Response", *once, "Response"]


async def _now(seconds):
    """Do not wait."""


class TestBatch:
    def test_goes_no_faster_than_it_may(self):
        """Calls wait; hits do not, nor does waiting count as an item's own time."""
        lm = EchoLM({str(number): 0 for number in range(100)})
        progkit.configure(lm=lm)
        predict = Predict(QA)
        predict.batch(rows(50))
        begun = time.monotonic()

        results = predict.batch(rows(54), requests_per_minute=600, timeout=0.1, concurrency=60)
        hits = time.monotonic()
        more = predict.batch(rows(14, 54), requests_per_minute=600, timeout=0.1, concurrency=60)

        assert hits - begun < 1.0
        assert time.monotonic() - hits >= 0.3
        assert results.failures == more.failures == []

    def test_of_a_sync_program_likewise(self):
        """Its threads wait."""

        class Sync(Module):
            def __init__(self):
                self.ask = Predict(QA)

            def forward(self, question):
                return self.ask(question=question)

        progkit.configure(lm=EchoLM())
        begun = time.monotonic()

        results = Sync().batch(rows(14), requests_per_minute=600, tokens_per_minute=10**6, timeout=0.15, concurrency=14)

        assert time.monotonic() - begun >= 0.3
        assert results.failures == []

    def test_a_limit_of_time_that_is_over_is_not_moved(self):
        """The word from a thread may come late."""

        async def main():
            async with asyncio.timeout(5) as limit:
                patience.begin(limit)
            patience.extend(1)
            await asyncio.sleep(0)
            async with asyncio.timeout(None) as none:
                patience.begin(none)
                patience.extend(1)
                await asyncio.sleep(0)
            return limit.when() - asyncio.get_running_loop().time(), none.when()

        left, none = asyncio.run(main())

        assert left < 5
        assert none is None

    def test_all_step_back_when_one_is_refused(self):
        """After a 429 with Retry-After nobody asks before that time; then everything is answered."""
        lock, times = threading.Lock(), []

        def reply(body):
            with lock:
                times.append(time.monotonic())
                if len(times) == 5:
                    return Reply(status=429, headers={"Retry-After": "1"})
            return Reply(said("yes"), delay=0.02)

        with ChatServer(reply) as server:
            progkit.configure(lm=progkit.LM("openai/test", api_base=server.url, api_key="sk-test"))
            results = Predict(QA).batch(rows(16), concurrency=2)

        assert results.failures == []
        assert len(times) == 17
        # One request may have been under way beside the one that was refused.
        after = [each - times[4] for each in times[6:]]
        assert min(after) >= 0.95

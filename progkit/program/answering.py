"""One call of a predictor: cache, LM, adapter, and the one fallback, in this order.

First ``served`` looks into the cache. The rest of the order stands in ``answer``, a generator: ``driving`` does what
it yields. Of those who ask the same at once, in this process or another, one asks the LM (``_led``) and the others
get what it got.
"""

from collections.abc import Generator
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from progkit import runtime
from progkit.adapters import Adapter, read_completion
from progkit.caching import Cache
from progkit.caching.flight import Landing, Seat
from progkit.errors import AdapterParseError, NotCachedError, OfflineMissError
from progkit.example import Prediction
from progkit.lm import Request, Response, history, pacing, usage
from progkit.program.driving import Answering, Step, drive

if TYPE_CHECKING:
    from progkit.program.call import Ask


class Question:
    """*ask* as *adapter* puts it: the request, its key, and the cache it has a place in, if it has one."""

    __slots__ = ("adapter", "ask", "cache", "key", "request")

    def __init__(self, ask: "Ask", adapter: Adapter) -> None:
        self.ask = ask
        self.adapter = adapter
        self.request: Request = ask.request(adapter)
        key = ask.key(self.request)
        self.key: str = key or ""
        self.cache: Cache | None = None if key is None else ask.cache


def served(question: Question) -> Prediction | None:
    """The answer from the cache; one past its soft time is served, and asked for anew in the background."""
    kept, cache = _kept(question), question.cache
    if kept is not None and cache is not None and kept.get_lm_responses()[0].stale and question.ask.may_share:
        _refresh(question, cache)
    return kept


def answer(question: Question, blocking: bool) -> Answering:
    """Answer by the LM what the cache does not; blocking: the thread is held up meanwhile.

    A reply that the adapter cannot read is asked for again in the layout of the adapter's fallback,
    and what then comes is kept for both requests, so that the next call needs neither.
    """
    ask, cache = question.ask, question.cache
    if cache is None or not cache.coalesces or not ask.may_share:
        return (yield from _missed(question))
    seat = cache.flights.board(question.key, blocking)
    try:
        return (yield from _together(question, cache, seat))
    finally:
        seat.leave()


# --- one asks, the others get what it got ---------------------------------------------------------


def _together(question: Question, cache: Cache, seat: Seat) -> Answering:
    if seat.waits:
        yield seat
        prediction = _shared(question, cache, seat.landing)
        if prediction is not None:
            cache.count("coalesced")
            return prediction
    if not seat.leads:
        return (yield from _missed(question))
    seat.lead()
    prediction = yield from _led(question, cache)
    seat.land(prediction.get_lm_responses()[0], question.ask.controls)
    return prediction


def _shared(question: Question, cache: Cache, landing: Landing | None) -> Prediction | None:
    """What the leader got, as a hit; None if it got nothing, or nothing that this call would take."""
    if landing is None or not (landing.asked or landing.controls == question.ask.controls):
        return None
    return _hit(question, cache, landing.copy())


def _led(question: Question, cache: Cache) -> Answering:
    """The answer, once no other process is asking for it, or one has asked for too long."""
    passage = cache.passage(question.key)
    try:
        for seconds in passage.pauses(cache.wait):
            yield seconds
            prediction = _again(question, cache)
            if prediction is not None:
                return prediction
        prediction = _again(question, cache)
        return prediction if prediction is not None else (yield from _missed(question))
    finally:
        passage.leave()


def _again(question: Question, cache: Cache) -> Prediction | None:
    """What another call, here or in another process, has kept since this one looked."""
    kept = cache.look_again(question.key, question.ask.controls)
    prediction = None if kept is None else _hit(question, cache, kept.as_hit(question.key))
    if prediction is not None:
        cache.count("coalesced")
    return prediction


def _refresh(question: Question, cache: Cache) -> None:
    """Ask for the reply again, in the background, unless somebody does."""
    ask = question.ask
    anew = copy(question)
    anew.ask = copy(ask)
    anew.ask.controls = replace(ask.controls, no_cache=True)

    def work() -> None:
        # The settings of the call hold; its usage trackers do not: this is no part of what it used.
        with runtime.context(**{name: getattr(ask.settings, name) for name in ask.settings.__slots__}):
            drive(anew.ask, _refreshed(anew, cache))

    cache.refreshes.start(question.key, work)


def _refreshed(question: Question, cache: Cache) -> Generator[Step, Any, None]:
    seat = cache.flights.board(question.key, True)
    passage = cache.passage(question.key)
    try:
        if not seat.leads or not passage.enter():
            return
        seat.lead()
        kept = cache.look_again(question.key, question.ask.controls)
        if kept is not None and not kept.stale:
            return
        prediction = yield from _missed(question)
        seat.land(prediction.get_lm_responses()[0], question.ask.controls)
        cache.count("refreshed")
    finally:
        passage.leave()
        seat.leave()


# --- the LM asked ---------------------------------------------------------------------------------


def _missed(question: Question) -> Answering:
    """The LM's answer; if it gives none, what has expired, if the call takes that."""
    try:
        return (yield from _new(question))
    except AdapterParseError:
        raise
    except Exception:  # whatever an LM raises: it gives no answer
        late = _late(question)
        if late is None:
            raise
        return late


def _new(question: Question) -> Answering:
    fallback = question.adapter.fallback
    response = yield from _asked(question, question)
    try:
        prediction = _read(question.ask, question.adapter, response)
    except AdapterParseError:
        if fallback is None:
            raise
        return (yield from _fall_back(question, fallback))
    _keep(question.ask, response)
    return prediction


def _fall_back(first: Question, adapter: Adapter) -> Answering:
    question = Question(first.ask, adapter)
    prediction = _kept(question)
    if prediction is None:
        response = yield from _asked(question, first, question)
        prediction = _read(question.ask, adapter, response)
        _keep(question.ask, response)
    return prediction


def _asked(question: Question, *places: Question) -> Generator[Step, Response, Response]:
    """What the LM says; if it is to be kept, it bears the keys of *places*."""
    ask = question.ask
    if ask.settings.is_offline:
        raise OfflineMissError(repr(ask.predict), ask.inputs)
    if ask.controls.only_if_cached:
        raise NotCachedError(repr(ask.predict), ask.inputs)
    response = yield from pacing.asked(question.request)
    if ask.cache is not None:
        response = ask.cache.cleaned(response)
    usage.record(response)
    history.record(ask.lm, question.request, response)
    kept = response.is_whole and not ask.controls.no_store
    keys = tuple(each.key for each in places if each.cache is not None) if kept else ()
    return response if response.keys == keys else response.kept_under(keys)


# --- the cache read and written -------------------------------------------------------------------


def _kept(question: Question) -> Prediction | None:
    """The cached answer; None also for a reply that cannot be read (the signature's types may have changed)."""
    ask, cache = question.ask, question.cache
    if cache is None or ask.controls.no_cache:
        return None
    kept = cache.safe_get(question.key, ask.controls)
    return None if kept is None else _hit(question, cache, kept.as_hit(question.key))


def _late(question: Question) -> Prediction | None:
    """The answer that has expired, if the call takes it."""
    ask, cache = question.ask, question.cache
    if cache is None or ask.controls.no_cache:
        return None
    kept = cache.late(question.key, ask.controls)
    prediction = None if kept is None else _hit(question, cache, kept.as_hit(question.key))
    if prediction is not None:
        cache.count("stale")
    return prediction


def _hit(question: Question, cache: Cache, response: Response) -> Prediction | None:
    ask, adapter = question.ask, question.adapter
    prediction = None
    while prediction is None:
        try:
            prediction = _read(ask, adapter, response)
        except AdapterParseError:
            # What the fallback got is kept for the first request too.
            if adapter.fallback is None:
                return None
            adapter = adapter.fallback
    usage.record(response)
    history.record(ask.lm, question.request, response)
    cache.spare(response)
    return prediction


def _keep(ask: "Ask", response: Response) -> None:
    if ask.cache is not None and response.keys:
        keeping = ask.keeping
        for key in response.keys:
            ask.cache.safe_put(key, response, keeping)


def _read(ask: "Ask", adapter: Adapter, response: Response) -> Prediction:
    if ask.is_plain:
        said = [adapter.parse(ask.signature, each.text or "") for each in response.completions]
    else:
        said = [read_completion(adapter, ask.signature, ask.params, each) for each in response.completions]
    return Prediction.answered(said, (response,))

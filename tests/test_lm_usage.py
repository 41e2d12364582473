"""Usage and history: what calls used, and what they were."""

import io
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import ScriptedLM

from progkit.lm import LM, Completion, Request, Response, history, inspect_history, track_usage, usage
from progkit.lm.usage import UsageTracker, merged
from progkit.runtime import carry

KEY = "sk-fake-key-of-the-tests-0123456789"


def response(total: int = 3, cost: float | None = 0.5, model: str = "m") -> Response:
    return Response((Completion("a"),), model, {"total_tokens": total, "details": {"cached": 1, "audio": None}}, cost)


# --- usage --------------------------------------------------------------------------------------------


def test_bills_and_savings_are_told_apart() -> None:
    """A hit is billed nothing, and saves what its reply once cost."""
    with track_usage() as tracker:
        usage.record(Response.of("without any usage", model="mute"))
        usage.record(response(3))
        usage.record(response(4))
        usage.record(response(5, model="other"))
        usage.record(response(3).as_hit())

    assert tracker.get_total_tokens() == {
        "m": {"total_tokens": 7, "details": {"cached": 2, "audio": None}},
        "other": {"total_tokens": 5, "details": {"cached": 1, "audio": None}},
    }
    assert tracker.saved == {"m": {"total_tokens": 3, "details": {"cached": 1, "audio": None}}}
    assert (tracker.calls, tracker.hits, tracker.unpriced) == (4, 1, 1)
    assert (tracker.cost, tracker.saved_cost) == (1.5, 0.5)
    assert "calls=4, hits=1" in repr(tracker)


def test_the_totals_are_a_copy() -> None:
    """Nobody who reads them can change what was counted."""
    tracker = UsageTracker()
    tracker.add(response(3))

    tracker.get_total_tokens()["m"]["total_tokens"] = 99

    assert tracker.billed["m"]["total_tokens"] == 3


def test_blocks_nest() -> None:
    """The outer block counts what the inner one does; outside of both nobody counts."""
    usage.record(response())
    with track_usage() as outer:
        usage.record(response())
        with track_usage() as inner:
            usage.record(response())
    usage.record(response())

    assert (outer.calls, inner.calls) == (2, 1)


def test_what_was_counted_survives_an_error() -> None:
    """The block raised, the bill stays."""
    trackers = []

    def call() -> None:
        with track_usage() as tracker:
            trackers.append(tracker)
            usage.record(response())
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        call()

    assert trackers[0].calls == 1


def test_threads_count_into_one_tracker() -> None:
    """Carried into threads, a block loses none of their calls."""
    with track_usage() as tracker:
        count = carry(lambda: [usage.record(response(1)) for _ in range(200)])
        threads = [threading.Thread(target=count) for _ in range(8)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()

    assert tracker.calls == 1600
    assert tracker.billed["m"]["total_tokens"] == 1600


@pytest.mark.parametrize(
    ("left", "right", "total"),
    [
        ({"a": 1}, {"a": 2, "b": 3}, {"a": 3, "b": 3}),
        ({"a": None}, {"a": 2}, {"a": 2}),
        ({"a": 2}, {"a": None}, {"a": 2}),
        ({"a": {"x": 1}}, {"a": {"x": 2, "y": 1}}, {"a": {"x": 3, "y": 1}}),
        ({"a": None}, {"a": {"x": 2}}, {"a": {"x": 2}}),
        ({"tier": "one"}, {"tier": "two"}, {"tier": "two"}),
    ],
)
def test_how_usage_adds_up(left: dict[str, Any], right: dict[str, Any], total: dict[str, Any]) -> None:
    """Numbers add, dicts add inside, None is nothing, words are replaced."""
    before = str(left), str(right)

    assert merged(left, right) == total
    assert (str(left), str(right)) == before


by_depth = st.fixed_dictionaries({"x": st.integers(), "y": st.fixed_dictionaries({"z": st.integers() | st.none()})})


@given(by_depth, by_depth, by_depth)
def test_the_order_of_calls_does_not_matter(first: Any, second: Any, third: Any) -> None:
    """Sums are the same whichever call came first."""
    assert merged(merged(first, second), third) == merged(first, merged(third, second))


# --- history ------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _no_history() -> None:
    history.clear()


def test_history_is_printed_to_be_read() -> None:
    """Messages and replies in order, tool calls, several replies, content blocks without their data."""
    request = Request.of(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look:"}, {"type": "image_url", "image_url": {}}]},
            {"role": "assistant", "content": None},
        ],
        model="m",
    )
    called = Completion(None, "tool_calls", ({"id": "1", "name": "look", "args": "{}"},))
    history.record(object(), request, Response((Completion("A cat."), called), "m").as_hit())
    out = io.StringIO()

    inspect_history(file=out)

    stamp, _, rest = out.getvalue().partition("] ")
    assert stamp.startswith("[20")
    assert rest == (
        "m, from the cache\n\nSystem message:\n\nBe brief.\n\nUser message:\n\nLook:\n<image_url>\n\n"
        "Assistant message:\n\n\n\nReply 1 of 2 (no finish reason):\n\nA cat.\n\n"
        "Reply 2 of 2 (tool_calls):\n\n(no text)\nTool call: look({})\n\n"
    )


def test_the_last_calls_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """As many as asked for, on standard output; of the process or of one LM."""
    lm = LM("openai/test")
    for at in range(3):
        history.record(lm, Request.of([{"role": "user", "content": f"question {at}"}]), Response.of(f"answer {at}"))

    inspect_history(2)
    shown = capsys.readouterr().out
    inspect_history(0)
    assert capsys.readouterr().out == ""
    lm.inspect_history(1)

    assert [f"answer {at}" in shown for at in range(3)] == [False, True, True]
    assert "answer 2" in capsys.readouterr().out
    assert [each.messages[0]["content"] for each in lm.history] == ["question 0", "question 1", "question 2"]


def test_history_is_bounded() -> None:
    """The oldest go first; an LM of another kind needs no history of its own."""
    lm, other = LM("openai/test"), ScriptedLM()
    request = Request.of([])
    for _ in range(history.LIMIT + 5):
        history.record(lm, request, response())
        history.record(other, request, response())

    assert len(history.recent()) == history.LIMIT
    assert len(lm.history) == history.LIMIT_PER_LM


def test_history_holds_no_credentials() -> None:
    """What a call brought to authenticate is not remembered."""
    request = Request.of([], model="m", api_key=KEY, temperature=0.5)

    history.record(object(), request, response())

    assert dict(history.recent()[-1].request.params) == {"model": "m", "temperature": 0.5}

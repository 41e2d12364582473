"""Demos that were loaded and not yet looked at: they make prompts, and are Examples for whoever looks."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

import progkit
from progkit import Example, Module, Predict, StateMismatchError
from progkit.artifact import reading
from progkit.program.held import Held
from progkit.program.plan import Plans
from tests.scripted import ScriptedLM

REPLY = "[[ ## answer ## ]]\nyes\n\n[[ ## completed ## ]]"


def learned() -> Predict:
    """A predictor with demos, one of which names its inputs."""
    predict = Predict("question -> answer")
    predict.demos = [Example(question=f"q{each}", answer=f"a{each}").with_inputs("question") for each in range(3)]
    predict.demos.append(Example(question="last", answer="named").with_inputs("answer"))
    return predict


@pytest.fixture(params=["by name", "records"])
def path(request: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A saved predictor, read in either way."""
    predict = learned()
    if request.param == "records":
        monkeypatch.setattr(reading, "_MANY", 0)
        del predict.demos[-1]
    predict.save(tmp_path / "x.json")
    return tmp_path / "x.json"


@pytest.fixture
def loaded(path: Path) -> Predict:
    """A predictor fresh from the file."""
    predict = Predict("question -> answer")
    predict.load(path)
    assert isinstance(predict.shown, Held)
    return predict


def sent(predict: Predict) -> list[dict[str, Any]]:
    """The messages of a call."""
    lm = ScriptedLM(REPLY)
    with progkit.context(lm=lm):
        predict(question="?", config={"cache": False})
    return list(lm.requests[0].messages)


def test_a_call_looks_at_none(loaded: Predict, path: Path) -> None:
    """Its messages are those of examples."""
    same = learned()
    same.demos = same.demos[: len(loaded.shown)]

    assert sent(loaded) == sent(same)
    assert sent(loaded) == sent(same)  # from what was prepared
    assert isinstance(loaded.shown, Held)
    assert repr(loaded) == repr(same)


def test_who_looks_finds_examples(loaded: Predict) -> None:
    """The same ones each time; a change of one shows in the next prompt."""
    before = sent(loaded)

    assert loaded.demos == learned().demos[: len(loaded.demos)]
    assert [each.input_keys for each in loaded.demos[:3]] == [{"question"}] * 3
    assert [each.input_keys for each in loaded.demos[3:]] in ([], [{"answer"}])
    assert loaded.demos is loaded.demos
    assert sent(loaded) == before
    loaded.demos[0]["answer"] = "other"
    loaded.demos.append(Example(question="new", answer="one"))

    assert any("other" in each["content"] for each in sent(loaded))
    assert any(each["content"].startswith("[[ ## question ## ]]\nnew") for each in sent(loaded))


def test_who_looks_at_once_finds_the_same(loaded: Predict) -> None:
    """Whatever one thread adds is not lost to another."""
    start = Barrier(8)

    def look(number: int) -> list[Any]:
        start.wait()
        demos = loaded.demos
        demos.append(Example(question=str(number), answer="late"))
        return demos

    count, held = len(loaded.shown), loaded.shown
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(look, range(8)))

    assert all(each is loaded.demos for each in found)
    assert len(loaded.demos) == count + 8
    assert held.examples() is loaded.demos


def test_who_sets_demos_meanwhile_has_set_them(loaded: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look that was under way changes nothing about that."""
    new = [Example(question="set", answer="meanwhile")]
    made = Held.examples

    def examples(held: Held) -> list[Any]:
        loaded.demos = new
        return made(held)

    monkeypatch.setattr(Held, "examples", examples)

    assert loaded.demos != new
    assert loaded.demos is new


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda predict: predict.deepcopy(), copy.copy])
def test_a_copy_is_its_own(loaded: Predict, copied: Any) -> None:
    """Unless it is a shallow one, which shares the list as ever."""
    other = copied(loaded)
    other.demos[0]["answer"] = "other"

    assert (loaded.demos[0]["answer"] == "other") is (copied is copy.copy)
    assert loaded.demos[1] == other.demos[1]


def test_a_copy_of_a_program_has_not_looked(path: Path) -> None:
    """Nor does a look at the copy change the program."""

    class Pair(Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = Predict("question -> answer")

    program = Pair()
    program.one.load(path)
    other = program.deepcopy()

    assert isinstance(other.one.shown, Held)
    assert other.one.demos == program.one.demos
    assert other.one.demos[0] is not program.one.demos[0]
    assert program.reset_copy().one.demos == []


def test_pickled_they_are_examples(loaded: Predict) -> None:
    """A pickle names nothing of how they were held; one without demos has none."""
    order = list(learned().__getstate__())
    again = pickle.loads(pickle.dumps(loaded))
    bare = Predict.__new__(Predict)
    bare.__setstate__({name: value for name, value in loaded.__getstate__().items() if name != "demos"})

    assert again.demos == loaded.demos
    assert type(again.shown) is list
    assert list(again.__getstate__()) == list(loaded.__getstate__()) == [*order, "_unknown"]
    assert bare.demos == []


def test_a_second_load_looks_at_neither(loaded: Predict, path: Path, tmp_path: Path) -> None:
    """And one that fails leaves what was there as it was."""
    first = loaded.shown
    loaded.load(path)
    second = loaded.shown
    Predict("text -> summary").save(tmp_path / "other.json")
    with pytest.raises(StateMismatchError):
        loaded.load(tmp_path / "other.json")

    assert isinstance(second, Held)
    assert first is not second
    assert loaded.shown is second


def test_saved_again_the_file_is_as_it_was(loaded: Predict, path: Path) -> None:
    """Byte for byte."""
    before = path.read_bytes()

    assert not loaded.save(path).changed
    assert path.read_bytes() == before


# --- what somebody else has made of it ------------------------------------------------------------


class Last(progkit.ChatAdapter):
    """An adapter that shows the last two demos, and asks each what it is."""

    def prefix(self, signature: Any, demos: Any) -> list[dict[str, Any]]:
        assert isinstance(demos, list)
        assert [each.question for each in demos] == [each.inputs().get("question", each.question) for each in demos]
        return super().prefix(signature, demos[-2:])


def test_an_adapter_of_ones_own_is_given_examples(loaded: Predict) -> None:
    """In a list, as ever."""
    with progkit.context(adapter=Last()):
        before = sent(loaded)
    assert isinstance(loaded.shown, Held)
    assert len(loaded.demos) > 2
    with progkit.context(adapter=Last()):
        assert sent(loaded) == before
    assert len(before) == 1 + 2 * 2 + 1


class Constant(Predict):
    """Demos by the class."""

    demos = []  # type: ignore[assignment]


class Logged(Predict):
    """Demos that are its own affair."""

    @property
    def demos(self) -> Any:
        return self.own

    @demos.setter
    def demos(self, demos: Any) -> None:
        self.own = list(demos)


class Plain(Predict):
    """A pickle of what it has, without what cannot be pickled."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("client", "_plans")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, client=None, _plans=Plans())


@pytest.mark.parametrize("kind", [Constant, Logged, Plain])
def test_a_class_of_ones_own(kind: Any, path: Path) -> None:
    """Its demos are sent, copied and pickled, whether they were set or loaded."""
    given, loaded = kind("question -> answer"), kind("question -> answer")
    given.demos = [Example(question="set", answer="here")]
    loaded.load(path)

    assert len(sent(given)) == 4
    for each in (given, loaded):
        before = sent(each)
        copies = [copy.deepcopy(each), copy.copy(each), each.deepcopy(), pickle.loads(pickle.dumps(each))]
        assert [sent(other) for other in copies] == [before] * 4
        assert [other.dump_state() for other in copies] == [each.dump_state()] * 4
        assert repr(each) == f"{kind.__name__}('question -> answer', {len(each.demos)} demos)"
    again = kind("question -> answer")
    again.load_state(loaded.dump_state())
    assert sent(again) == sent(loaded)


def test_demos_of_a_module_are_no_demos() -> None:
    """What a module calls so is its own affair, too."""

    class Shop(Module):
        def __init__(self) -> None:
            super().__init__()
            self.demos = [Predict("question -> answer")]

    assert [path for path, _ in Shop().named_predictors()] == ["demos[0]"]

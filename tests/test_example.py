"""Named values: examples and predictions."""

import copy
import pickle

import pydantic
import pytest

from progkit import Completion, Example, Prediction, Response


class TestExample:
    def test_is_read_by_attribute_and_by_item(self):
        """Both are the same value; names keep their order."""
        example = Example(question="why?", answer="so")

        assert example.question == example["question"] == "why?"
        assert list(example) == list(example.keys()) == ["question", "answer"]
        assert list(example.values()) == ["why?", "so"]
        assert len(example) == 2
        assert "answer" in example
        assert "score" not in example
        assert example.get("score", 1) == 1

    def test_names_what_it_has_when_asked_for_what_it_lacks(self):
        """A wrong name is an AttributeError or a KeyError, as anywhere."""
        example = Example(question="why?")

        with pytest.raises(AttributeError, match="Example has no 'answr'; it has question"):
            _ = example.answr
        with pytest.raises(KeyError):
            _ = example["answr"]
        with pytest.raises(AttributeError):
            del example.answr
        assert not hasattr(example, "__array__")

    def test_method_names_are_reached_by_item(self):
        """A field called items does not break the method."""
        example = Example(items=[1], inputs="x")

        assert example["items"] == [1]
        assert dict(example.items()) == {"items": [1], "inputs": "x"}

    def test_each_change_is_a_new_edition(self):
        """Set, replaced, deleted: by attribute or item, the edition tells."""
        example = Example(a=1)
        editions = [example.edition]

        example.b = 2
        editions.append(example.edition)
        example["b"] = 3
        editions.append(example.edition)
        del example.b
        editions.append(example.edition)
        del example["a"]
        editions.append(example.edition)

        assert len(set(map(id, editions))) == 5
        assert dict(example.items()) == {}

    def test_starts_from_another(self):
        """A mapping, or an example with its inputs."""
        first = Example(a=1, b=2).with_inputs("a")

        assert Example(first, b=3) == Example(a=1, b=3)
        assert Example(first).input_keys == {"a"}
        assert Example({"a": 1}) == Example(a=1)

    def test_parts_inputs_from_labels(self):
        """with_inputs is a copy; both parts are examples."""
        plain = Example(question="why?", answer="so")
        example = plain.with_inputs("question")

        assert example.inputs() == Example(question="why?")
        assert example.inputs().input_keys == {"question"}
        assert example.labels() == Example(answer="so")
        with pytest.raises(ValueError, match="with_inputs"):
            plain.inputs()

    def test_copies_share_nothing_but_values(self):
        """copy() with changes, without() names."""
        example = Example(a=1, b=2).with_inputs("a")

        assert example.copy(b=3) == Example(a=1, b=3)
        assert example.without("b") == Example(a=1)
        assert example == Example(a=1, b=2)
        assert example.copy().input_keys == {"a"}

    def test_is_a_value(self):
        """Equality by content, a hash that agrees, pickle, deepcopy, a readable repr."""
        example = Example(a=[1]).with_inputs("a")

        assert example != {"a": [1]}
        assert hash(example) == hash(Example(a=[2]))
        assert pickle.loads(pickle.dumps(example)).input_keys == {"a"}
        deep = copy.deepcopy(example)
        assert deep == example
        assert deep.a is not example.a
        assert repr(example) == "Example(a=[1]) (inputs: a)"

    def test_todict_is_plain_data(self):
        """Nested examples, models, lists, tuples and dicts become what JSON has."""

        class Point(pydantic.BaseModel):
            x: int

        example = Example(one=Example(a=1), many=[Example(b=2)], pair=(1, {"k": Point(x=3)}))

        assert example.toDict() == {"one": {"a": 1}, "many": [{"b": 2}], "pair": [1, {"k": {"x": 3}}]}


class TestPrediction:
    def response(self, **values):
        return Response((Completion("x"),), model="m", **values)

    def test_says_what_it_was_billed(self):
        """Usage by model; nothing for a hit."""
        billed = self.response(usage={"total_tokens": 3})

        assert Prediction.answered([{"a": 1}], (billed,)).get_lm_usage() == {"m": {"total_tokens": 3}}
        assert Prediction.answered([{"a": 1}], (billed.as_hit(),)).get_lm_usage() == {}
        assert Prediction(a=1).get_lm_usage() == {}

    def test_usage_can_be_replaced(self):
        """A program sums its parts."""
        prediction = Prediction(a=1)

        prediction.set_lm_usage({"m": {"total_tokens": 9}})

        assert prediction.get_lm_usage() == {"m": {"total_tokens": 9}}
        assert prediction.copy(a=2).get_lm_usage() == {"m": {"total_tokens": 9}}

    def test_holds_every_completion(self):
        """The first one is the prediction itself."""
        one = Prediction.answered([{"a": 1}], ())
        two = Prediction.answered([{"a": 1}, {"a": 2}], ())

        assert one.completions == (one,)
        assert [each.a for each in two.completions] == [1, 2]
        assert two.a == 1

    def test_pickles_with_its_responses(self):
        """What came with it comes back."""
        hit = self.response(usage={"total_tokens": 3}).as_hit()

        back = pickle.loads(pickle.dumps(Prediction.answered([{"a": 1}, {"a": 2}], (hit,))))

        assert back == Prediction(a=1)
        assert back.get_lm_responses() == (hit,)
        assert [each.a for each in back.completions] == [1, 2]

"""Nodes of a document that no progkit would write."""

import math
from datetime import date
from typing import Any

import pytest

from progkit import schema
from progkit.content import Content
from progkit.errors import DocumentError

MALFORMED: list[tuple[Any, str, str]] = [
    (math.inf, "v", "inf is not JSON"),
    ((1,), "v", "a Python tuple is not JSON"),
    (date(2024, 1, 1), "v", "a Python date is not JSON"),
    ([2**60], "v[0]", "an integer beyond 2**53"),
    ({1: 2}, "v", "the key 1 is not text"),
    ({"a": {"$x": 1}}, "v.a", "unknown tag '$x'"),
    ({"$tuple": 1}, 'v["$tuple"]', "must be a list"),
    ({"$int": 5}, 'v["$int"]', "must be text"),
    ({"$int": "5"}, 'v["$int"]', "'5' is not an integer beyond 2**53"),
    ({"$int": "+99999999999999999999"}, 'v["$int"]', "is not an integer"),
    ({"$int": "9" * 4302}, 'v["$int"]', "is not an integer"),
    ({"$bytes": "AP8"}, 'v["$bytes"]', "is not base64"),
    ({"$bytes": "A P8="}, 'v["$bytes"]', "is not base64"),
    ({"$decimal": "NaN"}, 'v["$decimal"]', "is not a finite decimal"),
    ({"$decimal": "one"}, 'v["$decimal"]', "is not a finite decimal"),
    ({"$date": "20240101"}, 'v["$date"]', "is not a date"),
    ({"$timedelta": "P1D"}, 'v["$timedelta"]', "is not a duration"),
    ({"$timedelta": "P9999999999DT0.000000S"}, 'v["$timedelta"]', "is not a duration"),
    ({"$set": [[1]]}, 'v["$set"]', "a set cannot hold a list"),
    ({"$set": [1, 1]}, 'v["$set"]', "a set holds nothing twice"),
    ({"$dict": [[1]]}, 'v["$dict"][0]', "must be a list of key and value"),
    ({"$dict": [[[], 1]]}, 'v["$dict"][0]', "a key cannot be a list"),
    ({"$dict": [[1, 1], [1, 2]]}, 'v["$dict"][1]', "a dict holds no key twice"),
    ({"$order": [1], "value": {}}, 'v["$order"][0]', "must be text"),
    ({"$order": ["a"], "value": {}}, "v.value", "must be a dict with exactly the keys"),
    ({"$order": ["a"], "value": "a"}, "v.value", "must be a dict with exactly the keys"),
    ({"$enum": 1, "value": 1}, 'v["$enum"]', "must be text"),
    ({"$enum": "A"}, "v", "a $enum node has the keys $enum, value and no others"),
]


@pytest.mark.parametrize(("node", "where", "reason"), MALFORMED, ids=lambda each: str(each)[:40])
def test_a_malformed_node_says_where_and_why(node: Any, where: str, reason: str) -> None:
    """Nothing is guessed from a node that no progkit would write."""
    with pytest.raises(DocumentError) as caught:
        schema.decode_value(node, where="v")

    assert caught.value.where == where
    assert reason in caught.value.reason


class Own(Content):
    """A content type that is no model."""


@pytest.mark.parametrize("annotation", [str, Own])
def test_parts_of_a_message_stay_plain_where_nothing_can_hold_them(annotation: Any) -> None:
    """What stands in for a content type is looked for beside the live one."""
    node = {"$model": "Blocks", "value": {"blocks": []}}

    assert schema.decode_value(node, annotation, restore=lambda _, plain: plain) == {"blocks": []}

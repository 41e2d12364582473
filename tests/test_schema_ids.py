"""The ids of demos in state 1.0: looked at all at once, judged as one by one."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from progkit import schema
from progkit.errors import DocumentError

ID = re.compile("d-[0-9a-f]{12}(-([2-9]|[1-9][0-9]+))?")
BARE = "d-0123456789ab"


def with_ids(ids):
    """A document whose demos have these *ids*."""
    signature = {"name": "S", "instructions": [""], "order": [], "fields": {}}
    demos = [{"id": each, "values": {}} for each in ids]
    predictor = {"config": {}, "lm": None, "demos": demos, "signature": signature}
    header = {**schema.header(), "saved_with": schema.saved_with(), "program": ""}
    return {**header, "state": {"predictors": {"self": predictor}}}


def first_wrong(ids):
    """The index of the first that is no id, or there before; None if all are well."""
    wrong = (at for at, each in enumerate(ids) if not ID.fullmatch(each) or each in ids[:at])
    return next(wrong, None)


@pytest.mark.parametrize(
    "ids",
    [
        [],
        [BARE],
        [BARE, f"{BARE}-2", f"{BARE}-10"],
        [BARE, BARE],
        [BARE, f"{BARE}-1"],
        ["d-0123456789AB"],
        ["d-0123456789a", "d-0123456789abc"],  # of the right length together
        ["d-0123456789a ", "d-0123456789ac"],
        ["d-0123456789ab\nd-0123456789ac", "d-", "d-0123456789ad"],
        [BARE, "\nd-0123456789ac"],
        ["0123456789abcd", BARE],
        ["\nd-\nd-\nd-\nd-\n", BARE],
        ["", BARE],
        ["d-\u0660123456789ab"],
        ["d-01234567\n89a", BARE],
    ],
)
def test_ids(ids):
    """The first that is wrong is named."""
    at = first_wrong(ids)
    if at is None:
        schema.validate(with_ids(ids))
        return

    with pytest.raises(DocumentError) as caught:
        schema.validate(with_ids(ids))

    assert caught.value.where.endswith(f".demos[{at}].id")


near = st.text("d-019af\nA ", max_size=6)


@given(st.lists(st.from_regex(ID, fullmatch=True), max_size=3), st.lists(st.tuples(st.integers(0, 40), near, near)))
def test_near_ids(ids, changes):
    """A piece of one replaced by a piece as long or not: judged as one by one."""
    text = "\0".join(ids)
    for at, old, new in changes:
        text = text[:at] + new + text[at + len(old) :]
    ids = text.split("\0")
    is_refused = False
    try:
        schema.validate(with_ids(ids))
    except DocumentError:
        is_refused = True

    assert is_refused == (first_wrong(ids) is not None)

"""History: the turns of a conversation so far, as an input."""

from typing import Any

import pydantic

from progkit.content.parts import Turns


class History(Turns, pydantic.BaseModel):
    """Earlier turns, each a dict of the signature's inputs and outputs by name.

    In a request they stand between the demos and the question, a user's and an assistant's message each.

    ::

        history = progkit.History(messages=[{"question": "...", "answer": "..."}])
        chat(question="And now?", history=history)
    """

    messages: list[dict[str, Any]]

    model_config = pydantic.ConfigDict(frozen=True, validate_assignment=True, extra="forbid", str_strip_whitespace=True)

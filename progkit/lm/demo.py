"""The embedded LM, ``progkit/demo``: answers from the demos in the prompt that it is given.

It knows nothing. Of the demos (pairs of a user's and an assistant's message) it repeats the reply of the one whose
question has most in common with the last one; the same prompt gets the same answer, always. It lets a
program run whole without a network, a key or a bill.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from progkit.errors import did_you_mean
from progkit.lm.placeholder import placeholder

PROVIDER = "progkit"
MODELS = ("demo",)

_HEADER = re.compile(r"\[\[ ## \w+ ## \]\]")
_INCOMPLETE = "This is an example of the task, though some input or output fields are not supplied."
_NOT_SUPPLIED = "Not supplied for this particular example."


def answer(messages: Sequence[Mapping[str, Any]], n: int = 1) -> tuple[list[str], dict[str, int]]:
    """*n* replies to *messages*, and what they would have used in tokens (estimated, always alike).

    The second reply is that of the second nearest demo, and so on, round and round.
    """
    asked = _text(messages[-1]) if messages else ""
    demos = _complete_demos(messages)
    if demos:
        nearest = _nearest(asked, [question for question, _ in demos])
        texts = [demos[nearest[at % len(nearest)]][1] for at in range(n)]
    else:
        texts = [placeholder(_system(messages), asked)] * n
    prompt, said = sum(map(_size, map(_text, messages))), sum(map(_size, texts))
    return texts, {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}


def unknown(model: str) -> str:
    """What to say of a model that is not one of ours."""
    known = ", ".join(f"{PROVIDER}/{each}" for each in MODELS)
    return f"no model {PROVIDER}/{model}{did_you_mean(model, MODELS)}; there is {known}"


def _complete_demos(messages: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    pairs = [
        (_text(first), _text(second))
        for first, second in pairwise(messages)
        if first.get("role") == "user" and second.get("role") == "assistant"
    ]
    return [(asked, said) for asked, said in pairs if not asked.startswith(_INCOMPLETE) and _NOT_SUPPLIED not in said]


def _nearest(asked: str, questions: Sequence[str]) -> list[int]:
    """Where the questions are, from the nearest to *asked* to the farthest; the first of equals comes first.

    Words shared, each weighing the more the fewer questions have it (Dice's measure, weighted by inverse document
    frequency).
    """
    bags = [_words(each) for each in questions]
    frequency = Counter(word for bag in bags for word in bag)
    wanted = _words(asked)

    def weight(words: set[str]) -> float:
        return math.fsum(math.log(1 + len(bags) / (1 + frequency[word])) for word in words)

    whole = weight(wanted)
    scores = [1.0 if bag == wanted else 2 * weight(bag & wanted) / (whole + weight(bag)) for bag in bags]
    return sorted(range(len(bags)), key=lambda at: (-scores[at], at))


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", _HEADER.sub(" ", text).casefold()))


def _system(messages: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(_text(each) for each in messages if each.get("role") == "system")


def _text(message: Mapping[str, Any]) -> str:
    """What a message says in words; images and the like are left out."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(each.get("text", "")) for each in content)
    return str(content or "")


def _size(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))

"""What models are known to do beside answering in text, by the families that litellm lists.

A name is asked about without importing litellm: a request is made, and its key, before the first miss. Of a
model of one's own nobody knows; it then answers in text.
"""

import re

_CALLS = re.compile(
    r"(?:^|[/.:])(?:chatgpt-4o|claude-|command-[ar]|deepseek-chat|gemini-|gpt-3\.5-turbo|gpt-[4-9]|grok-|mistral-|o\d(?:-|$))"
)
_CALLS_NOT = re.compile(r"gpt-3\.5-turbo-(?:16k|instruct)|gpt-5-chat|deep-research|-tts|-image|o1-(?:mini|preview)")

_THINKS = re.compile(
    r"(?:^|[/.:])(?:claude-(?:3-7|[a-z]+-\d)|deepseek-(?:r1|reasoner)|gemini-(?:2\.5|[3-9])|gpt-[6-9]|gpt-oss"
    r"|grok-(?:3-mini|[4-9])|magistral|o\d(?:-|$))"
)
_THINKS_NOT = re.compile(r"non-reasoning|-tts|-image|o1-(?:mini|preview)")


def calls_functions(model: str) -> bool:
    """Whether *model* takes functions, and answers with calls of them."""
    return bool(_CALLS.search(model)) and not _CALLS_NOT.search(model)


def tells_its_thoughts(model: str) -> bool:
    """Whether *model* gives an account of its thinking beside its answer.

    Of the GPT-5 family the chat API gives none; DSPy leaves it out for the same reason.
    """
    return bool(_THINKS.search(model)) and not _THINKS_NOT.search(model)

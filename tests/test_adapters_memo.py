"""What an adapter keeps for a signature, and what it does without."""

import gc
import json
import subprocess
import sys
from itertools import count

from progkit.adapters.memo import PerSignature
from progkit.signature import Signature

QA = Signature("question -> answer")


class TestPerSignature:
    def test_makes_once_for_each_class(self) -> None:
        """Equal signatures are not the same one."""
        numbers = count(1)
        kept = PerSignature(lambda signature: next(numbers))
        other = Signature("question -> answer")

        results = [kept(QA), kept(other), kept(QA)]

        assert results == [1, 2, 1]

    def test_forgets_with_the_signature(self) -> None:
        """A process that makes signatures all day does not grow."""
        kept = PerSignature(lambda signature: 1)
        for number in range(20):
            kept(Signature(f"q -> a{number}"))
        gc.collect()

        assert len(kept) == 0

    def test_an_id_that_is_given_out_again_is_no_hit(self) -> None:
        """What a dead signature left behind is not taken for a living one's, nor removed with it."""
        kept = PerSignature(lambda signature: signature.instructions)
        signature = QA.with_instructions("Live.")
        left_behind = kept(QA), kept._kept[id(QA)]
        kept._kept[id(signature)] = left_behind[1]

        assert kept(signature) == "Live."

        kept._forget(id(signature), left_behind[1][0])
        assert len(kept) == 2


def test_plain_fields_need_neither_pydantic_nor_json_repair() -> None:
    """A process whose calls all hit the cache imports neither."""
    program = """
import json, sys
from progkit.adapters import ChatAdapter, JSONAdapter
from progkit.signature import Signature
signature = Signature("q, context: list[str] -> a, n: int, sure: bool, tags: list[str], by: dict[str, Optional[float]]")
outputs = {"a": "x", "n": 1, "sure": True, "tags": ["t"], "by": {"k": None, "m": 1.5}}
for adapter in (ChatAdapter(), JSONAdapter()):
    adapter.format(signature, [{"q": "?", "context": ["a"], **outputs}], {"q": "?", "context": ["b", "c"]})
    assert adapter.parse(signature, adapter.reply(signature, outputs)) == outputs
print(json.dumps([name for name in ("pydantic", "json_repair", "litellm") if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout) == []

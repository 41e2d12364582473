"""State files to attack, programs that must stand it, and ways to spoil a file: for tests and ``fuzz_state.py``."""

import json
import random
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from test_program_state import Reader, learned

import progkit
from progkit import Module, artifact, errors
from progkit.program.state import capture

ROOT = Path(__file__).parent.parent
DOCUMENTED = (errors.ArtifactError, errors.ConfigurationError)
"""What reading and loading may raise, whatever the file."""

Place = tuple[Any, ...]


def a_file() -> bytes:
    """A state file with something of every kind; ``Reader`` is its program."""
    return artifact.encode(capture(learned()).document)


def a_document() -> dict[str, Any]:
    """The same, as data."""
    document: dict[str, Any] = json.loads(a_file())
    return document


def a_program() -> Reader:
    """A program that a load must not spoil: it has learned something else than the file says."""
    program = Reader()
    program.read.demos = [progkit.Example(bill="own", items=[], sure="no").with_inputs("bill")]
    program.read.config = {"n": 1}
    program.steps["en"].predict.layout = "3.0"
    return program


def snapshot(program: Module) -> list[Any]:
    """All that there is of a program: every attribute of every part, the objects themselves, lists and dicts copied."""
    parts = program.named_sub_modules()
    return [(path, id(part), {name: _copied(each) for name, each in vars(part).items()}) for path, part in parts]


def _copied(value: Any) -> Any:
    if isinstance(value, list):
        return ("list", id(value), [*map(id, value)], [deepcopy(each) for each in value])
    return ("dict", id(value), dict(value)) if isinstance(value, dict) else value


def load(program: Module, path: Path) -> "progkit.LoadReport | None":
    """Load the file into *program*; None if that was refused with a documented error, and then nothing changed."""
    before = snapshot(program)
    try:
        return program.load(path)
    except DOCUMENTED as error:
        refused = error
    assert str(refused)
    assert snapshot(program) == before
    return None


# --- ways to spoil it ---------------------------------------------------------------------------------


def places(node: Any, path: Place = ()) -> Iterator[Place]:
    """Every place below *node*."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield (*path, key)
        yield from places(value, (*path, key))


def at(document: Any, place: Place) -> Any:
    """What stands at *place*."""
    for step in place:
        document = document[step]
    return document


def put(document: Any, place: Place, value: Any) -> Any:
    """A copy of *document* with *value* at *place*."""
    new = deepcopy(document)
    at(new, place[:-1])[place[-1]] = value
    return new


def without(document: Any, place: Place) -> Any:
    """A copy of *document* with nothing at *place*."""
    new = deepcopy(document)
    del at(new, place[:-1])[place[-1]]
    return new


NUMBERS = (0, -1, 2**53, 2**53 + 1, 10**400, 1e308, -0.0, 5e-324, 1.5)
WORDS = (
    "",
    "$",
    "$$",
    "$int",
    "__class__",
    "__reduce__",
    "self",
    "\0",
    "\n",
    "é\u202e",
    "a" * 1000,
    "${x}",
    "[[ ## a ## ]]",
)
TAGS = ("$int", "$bytes", "$set", "$dict", "$order", "$tuple", "$enum", "$model", "$decimal", "$datetime", "$new")


def a_value(chance: random.Random) -> Any:
    """Anything that JSON can say, and a bit more."""
    inner = chance.choice((None, True, [], {}, chance.choice(NUMBERS), chance.choice(WORDS)))
    tag = chance.choice(TAGS)
    return chance.choice(
        (inner, [inner], {chance.choice(WORDS): inner}, {tag: inner}, {tag: [inner, inner]}, {tag: "1", "value": inner})
    )


def spoil_tree(document: Any, chance: random.Random) -> Any:
    """A copy of *document*, changed in one place or in a few."""
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        place = chance.choice([*places(document)] or [()])
        if not place:
            return a_value(chance)
        how = chance.randrange(5)
        if how == 0:
            document = without(document, place)
        elif how == 1:
            document = put(document, place, a_value(chance))
        elif how == 2:
            document = put(document, place, at(document, chance.choice([*places(document)])))
        elif how == 3 and isinstance(at(document, place), dict):
            document = put(document, (*place, chance.choice((*WORDS, *TAGS))), a_value(chance))
        elif how == 4 and isinstance(at(document, place), str):
            document = put(document, place, spoil_bytes(at(document, place).encode(), chance).decode(errors="replace"))
    return document


def spoil_bytes(data: bytes, chance: random.Random) -> bytes:
    """*data* cut, changed, doubled or mixed up in one place or in a few."""
    for _ in range(chance.choice((1, 1, 2, 8))):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((0, 1, 1, 2, 16, 200)))
        new = chance.choice(
            (b"", data[start:end] * 2, bytes([chance.randrange(256)]), *PIECES, data[end:start] or data[: end - start])
        )
        data = data[:start] + new + data[end:]
    return data


PIECES = (
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"\\ud800"),
    *(b"true", b"NaN", b"-Infinity", b"1e999", b"9" * 5000, b"[" * 100, b'"__class__": 1, ', b'"$int": "1", '),
    *(b"<<<<<<< ours\n", b">>>>>>> theirs\n"),
)

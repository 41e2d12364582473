"""Bundle 1.0, the first: what stands in MANIFEST.json, the list of everything in a bundle and of what it needs.

The shape is in the classes; ``check`` holds what a shape cannot say. Released, and so frozen: a change of it is a
new version.
"""

from collections.abc import Iterator
from keyword import iskeyword
from typing import Annotated, Any, Literal, TypedDict

from msgspec import Meta

from progkit.errors import DocumentError
from progkit.schema import shape
from progkit.schema.inside import collisions, fault_in
from progkit.schema.paths import Path, show

VERSION = (1, 0)
URN = "urn:progkit:schema:bundle:1.0"
MANIFEST = "MANIFEST.json"
SIGNATURE = "MANIFEST.sig"
PLACES = {"state.json": "state", "program.pkl": "program", "requirements.txt": "requirements", "cache.jsonl": "cache"}
"""The files whose name and role go together; source stands under ``src/``."""
NEEDED = ("program.pkl", "requirements.txt", "state.json")
SOURCE = "src/"
MAX_FILES = 10_000

_Pair = Annotated[list[int], Meta(min_length=2, max_length=2)]


class SavedWith(TypedDict):
    """Who wrote the bundle: shown, never compared."""

    progkit: str
    python: str


class Interpreter(TypedDict):
    """What wrote it: ``python`` is major and minor, ``magic`` the number of its bytecode in hex.

    Bytecode runs there alone; source runs wherever its dependencies do.
    """

    implementation: str
    python: Annotated[str, Meta(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}$", max_length=9)]
    magic: Annotated[str, Meta(pattern="^[0-9a-f]{2,64}$", max_length=64)]
    pydantic: str | None
    cloudpickle: str


class Module(TypedDict):
    """A module that travels as source: its file, and whether it is a package."""

    file: str
    package: bool


class Dependency(TypedDict):
    """A distribution that the program needs, by PEP 508's name: itself (``direct``), or because another one does."""

    name: Annotated[str, Meta(pattern="^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=200)]
    version: Annotated[str, Meta(min_length=1, max_length=200)]
    direct: bool


class File(TypedDict):
    """A file, its length in bytes and its content's SHA-256."""

    role: Literal["state", "program", "source", "requirements", "cache"]
    size: Annotated[int, Meta(ge=0)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$", max_length=64)]


Document = TypedDict(  # by call, as "$schema" is no name
    "Document",
    {
        "$schema": Literal["urn:progkit:schema:bundle:1.0"],
        "format": Literal["progkit.bundle"],
        "version": Annotated[_Pair, Meta(extra_json_schema={"const": [1, 0]})],
        "min_reader": Annotated[_Pair, Meta(extra_json_schema={"const": [1, 0]})],
        "requires": Annotated[list[str], Meta(max_length=0)],
        "saved_with": SavedWith,
        "program": str,
        "portability": Literal["source", "bytecode"],
        "interpreter": Interpreter,
        "modules": dict[str, Module],
        "by_value": list[str],
        "left_out": dict[str, str],
        "dependencies": list[Dependency],
        "files": Annotated[dict[str, File], Meta(max_length=MAX_FILES)],
    },
)
"""The manifest. ``modules``: by dotted name. ``by_value``: what travels as bytecode, each with its path. ``left_out``:
parts of the program that are placeholders, path to class. ``files``: every file but MANIFEST.json and MANIFEST.sig."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of this version."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": URN}
    return head | shape.json_schema(Document, {})


def check(document: dict[str, Any], source: str) -> None:
    """Nothing, if *document*, which has the shape, also makes sense.

    Raises:
        DocumentError: at the first place that does not.
    """
    if document["min_reader"] != list(VERSION):
        raise DocumentError(source, "min_reader", f"must be {list(VERSION)} in this version")
    for faults in (_file_faults, _module_faults, _other_faults):
        for path, reason in faults(document):
            raise DocumentError(source, show(path), reason)


def _file_faults(document: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    files = document["files"]
    for path, file in files.items():
        if reason := fault_in(path):
            yield ("files", path), f"a path {reason}"
        if PLACES.get(path, "source") != file["role"] or (path not in PLACES and not path.startswith(SOURCE)):
            yield ("files", path, "role"), f"{file['role']!r} does not belong to this path"
    for one, other in collisions([*files, MANIFEST, SIGNATURE]):
        yield ("files", other), f"meets {one!r} where a file system tells less apart"
    yield from ((("files",), f"{name} is missing") for name in NEEDED if name not in files)


def _module_faults(document: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    sources = {path for path, file in document["files"].items() if file["role"] == "source"}
    for name, module in document["modules"].items():
        if not is_module_name(name):
            yield ("modules", name), "is no name of a module"
        if module["file"] not in sources:
            yield ("modules", name, "file"), f"{module['file']!r} is no source file of this bundle"
    taken = [module["file"] for module in document["modules"].values()]
    if len(set(taken)) < len(taken) or set(taken) != sources:
        yield ("modules",), "must name every source file exactly once"


def _other_faults(document: dict[str, Any]) -> Iterator[tuple[Path, str]]:
    is_bytecode = document["portability"] == "bytecode"
    if is_bytecode != bool(document["by_value"]):
        yield ("portability",), "must be 'bytecode' where something travels by value, and 'source' where nothing does"
    names = [each["name"] for each in document["dependencies"]]
    if len(set(names)) < len(names):
        yield ("dependencies",), "must name each distribution once"


def is_module_name(name: str) -> bool:
    """Whether *name* can be imported: ``desk.tools``; ``__main__`` cannot, it is another module everywhere."""
    parts = name.split(".")
    return all(each.isidentifier() and not iskeyword(each) for each in parts) and parts[0] != "__main__"

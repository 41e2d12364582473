"""The files of a bundle and the manifest that lists them."""

import hashlib
from collections.abc import Mapping
from typing import Any

from progkit import schema
from progkit.artifact.bundle import environment
from progkit.artifact.bundle.capturing import PLACE, Captured
from progkit.artifact.bundle.pickling import Pickled
from progkit.artifact.encoding import canonical, indented
from progkit.schema import bundles
from progkit.schema.bundle_1_0 import PLACES

_VOLATILE = ("saved_with", "interpreter")


def manifest(files: Mapping[str, bytes], pickled: Pickled, captured: Captured, told: Mapping[str, Any]) -> bytes:
    """The content of MANIFEST.json for *files*. told: ``program``, ``left_out`` and ``dependencies``.

    Raises:
        DocumentError: for what no manifest can say, such as two files that some file system takes for one.
    """
    here = environment.here()
    if not any(module.partition(".")[0] in ("pydantic", "pydantic_core") for module, _ in pickled.named):
        here["pydantic"] = None  # it is not in the pickle, and the source is no matter of its version
    document = {
        **bundles.header(),
        "saved_with": schema.saved_with(),
        "portability": "bytecode" if pickled.by_value else "source",
        "interpreter": here,
        "modules": {
            name: {"file": file, "package": captured.sources[name].is_package}
            for name, file in captured.files().items()
        },
        "by_value": pickled.by_value,
        **told,
        "files": {path: _listed(path, data) for path, data in files.items()},
    }
    bundles.validate(document, bundles.MANIFEST)
    return indented(canonical(document)) + b"\n"


def say_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two manifests differ in who wrote them alone: for bytecode that is all that matters."""
    if one["portability"] == "bytecode" or other["portability"] == "bytecode":
        return one == other
    return {**one, **dict.fromkeys(_VOLATILE)} == {**other, **dict.fromkeys(_VOLATILE)}


def _listed(path: str, data: bytes) -> dict[str, Any]:
    role = "source" if path.startswith(PLACE) else PLACES[path]
    return {"role": role, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}

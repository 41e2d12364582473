"""The manifest of a bundle: its versions, what it may say, and the paths that it may name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bundles
import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from progkit import schema
from progkit.artifact.bundle.opening import Opened, open_bundle
from progkit.errors import DocumentError, VersionError
from progkit.schema import bundles as manifests
from progkit.schema.inside import collisions, fault_in

ROOT = Path(__file__).parent.parent
FILES = bundles.files_of({"desk/__init__": "from desk import tools\n", "desk/tools": "K = 1\n"})
MANIFEST = bundles.manifest_of(FILES)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved"


@pytest.fixture
def saved(path: Path) -> Path:
    bundles.write(path, FILES)
    return path


def refused(path: Path) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        open_bundle(path)
    assert caught.value.source.startswith(str(path))
    return caught.value


def opened_with(path: Path, change: Callable[[dict[str, Any]], object]) -> Opened:
    """Open a bundle whose manifest had *change* done to it."""
    bundles.write(path, FILES, bundles.changed(MANIFEST, change))
    return open_bundle(path)


# --- the manifest -------------------------------------------------------------------------------


def other_head(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda document: document.update(changes)


@pytest.mark.parametrize("version", [[True, 0], "1.0", [1], [1, -1], [1, 0.0], [0, 9], None])
def test_a_version_is_two_whole_numbers(path: Path, version: Any) -> None:
    """``True`` is not 1, and "1" is not."""
    with pytest.raises(DocumentError) as caught:
        opened_with(path, other_head(version=version))

    assert caught.value.where == "version"


def test_what_needs_another_progkit_says_which(path: Path) -> None:
    """A newer major, a newer reader, a feature: never tried all the same."""
    writer = {"progkit": "3.1.4", "python": "3.13"}
    for changes in ({"version": [2, 0]}, {"min_reader": [1, 1], "version": [1, 1]}, {"requires": ["lazy-parts"]}):
        with pytest.raises(VersionError, match=r"progkit 3\.1\.4: use that or a newer one"):
            opened_with(path, other_head(saved_with=writer, **changes))


def test_a_newer_minor_opens_and_keeps_what_it_alone_knows(path: Path) -> None:
    """As long as it says that this reader can."""

    def newer(document: dict[str, Any]) -> None:
        document.update({"$schema": manifests.urn((1, 3)), "version": [1, 3], "lineage": "x"})
        document["files"]["state.json"]["compressed"] = False

    assert opened_with(path, newer).manifest["lineage"] == "x"


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "schema": (other_head(**{"$schema": "urn:x"}), "$schema"),
    "unknown key": (other_head(more=1), ""),
    "min_reader": (other_head(min_reader=[0, 9]), "min_reader"),
    "requires": (other_head(requires="x"), "requires"),
    "size": (lambda document: document["files"]["state.json"].update(size=True), 'files["state.json"].size'),
    "hash": (lambda document: document["files"]["state.json"].update(sha256="0"), 'files["state.json"].sha256'),
    "role": (lambda document: document["files"]["state.json"].update(role="program"), 'files["state.json"].role'),
    "no state": (lambda document: document["files"].pop("state.json"), "files"),
    "no program": (lambda document: document["files"].pop("program.pkl"), "files"),
    "module without file": (lambda document: document["modules"]["desk"].update(file="x"), "modules.desk.file"),
    "file without module": (lambda document: document["modules"].pop("desk"), "modules"),
    "two for a file": (lambda document: document["modules"].update(x=document["modules"]["desk"]), "modules"),
    "no module": (lambda document: document["modules"].update({"a b": document["modules"]["desk"]}), 'modules["a b"]'),
    "main": (lambda document: document["modules"].update(__main__=document["modules"]["desk"]), "modules.__main__"),
    "keyword": (lambda document: document["modules"].update({"a.if": document["modules"]["desk"]}), 'modules["a.if"]'),
    "bytecode": (other_head(portability="bytecode"), "portability"),
    "by value": (other_head(by_value=["rank: <lambda>"]), "portability"),
    "twice": (other_head(dependencies=[{"name": "x", "version": "1", "direct": True}] * 2), "dependencies"),
    "name": (
        other_head(dependencies=[{"name": "../x", "version": "1", "direct": True}]),
        "dependencies[0].name",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_manifest_that_makes_no_sense_is_refused(path: Path, name: str) -> None:
    """At the place that does not."""
    change, where = BROKEN[name]

    with pytest.raises(DocumentError) as caught:
        opened_with(path, change)

    assert caught.value.where == where


PATHS = {
    "/etc/passwd": "absolute",
    "../x.py": "'..'",
    "src/../../x.py": "'..'",
    "src/./x.py": "shortest",
    "src//x.py": "shortest",
    "src/x/": "shortest",
    "src\\x.py": "same on every system",
    "C:x.py": "same on every system",
    "src/x.py:stream": "same on every system",
    "src/a\0b.py": "same on every system",
    "src/a\nb.py": "same on every system",
    "src/x?.py": "same on every system",
    "src/con.py": "device",
    "src/COM1.tar.py": "device",
    "src/lpt².py": "device",
    "src/aux": "device",
    "src/nul .py": "device",
    "src/x.py.": "takes away",
    "src/x.py ": "takes away",
    "src/ x.py": "takes away",
    "src/e\u0301.py": "NFC",
    "src/\ud800.py": "surrogate",
    "": "1 to 1024",
    "src/" + "x" * 1100: "1 to 1024",
    "src/" + "ü" * 600: "longer than",
    "src/" + "x" * 256: "255 bytes",
    "/".join(["src"] * 40): "longer than",
}


@pytest.mark.parametrize("name", PATHS)
def test_a_path_that_is_not_plainly_inside_is_refused(name: str) -> None:
    """Whatever system the bundle is copied to, it means one file, and one inside."""
    assert PATHS[name] in fault_in(name)


def test_a_bad_path_in_a_manifest_is_refused_before_any_file_is_opened(path: Path) -> None:
    """The error names it."""
    for name in ("../x.py", "/etc/passwd", "src/con.py"):
        with pytest.raises(DocumentError, match="a path"):
            opened_with(
                path, lambda document, name=name: document["files"].update({name: document["files"]["state.json"]})
            )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("src/desk.py", "src/Desk.py"),
        ("src/straße.py", "src/STRASSE.py"),
        ("src/\ufb01le.py", "src/file.py"),
        ("src/k.py", "src/\u212a.py"),
        ("src/a", "src/a/b.py"),
        ("src/A", "src/a/b.py"),
        ("src/A/x.py", "src/a/y.py"),
    ],
)
def test_paths_that_are_one_file_somewhere_are_refused(one: str, other: str) -> None:
    """Without case, in another Unicode form, or a file where a directory is."""
    assert len(collisions([one, other, "src/z.py"])) == 1
    assert collisions([one, "src/z.py"]) == []


def test_a_manifest_with_paths_that_collide_is_refused(path: Path) -> None:
    """Also with its own name."""
    for name in ("State.json", "manifest.json", "MANIFEST.SIG"):
        with pytest.raises(DocumentError):
            opened_with(
                path, lambda document, name=name: document["files"].update({name: document["files"]["state.json"]})
            )
    files = bundles.files_of({"desk": "", "DESK": ""})
    bundles.write(path, files)
    assert "tells less apart" in refused(path).reason


# --- versions -----------------------------------------------------------------------------------


def test_the_printed_schema_accepts_what_we_do_and_refuses_what_we_do() -> None:
    """Another validator, given the published schema, agrees as far as a schema can say it."""
    judge = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "bundle-1.0.json").read_text("utf-8")))
    judge.check_schema(judge.schema)
    judge.validate(MANIFEST)

    for name in ("unknown key", "size", "hash", "name"):
        assert not judge.is_valid(bundles.changed(MANIFEST, BROKEN[name][0])), name


def test_a_manifest_is_detected_by_its_head_alone() -> None:
    """Kind and version are known before anything else is looked at."""
    assert manifests.detect({**manifests.header(), "files": 1}) == (1, 0)
    with pytest.raises(DocumentError, match="no manifest"):
        manifests.detect({**schema.header()})


# --- anything at all ------------------------------------------------------------------------------

ODD = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just([]) | st.just({})
FUZZED = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every container in *node* with each of its keys."""
    items = list(node.items() if isinstance(node, dict) else enumerate(node)) if isinstance(node, (dict, list)) else []
    return [(node, key) for key, _ in items] + [each for _, below in items for each in places(below)]


@FUZZED
@given(st.data())
def test_a_manifest_with_anything_in_place_of_a_part_opens_or_is_refused(path: Path, data: st.DataObject) -> None:
    """With an error of ours, and never another."""

    def change(document: dict[str, Any]) -> None:
        container, key = data.draw(st.sampled_from(places(document)))
        if data.draw(st.booleans()):
            container[key] = data.draw(ODD)
        else:
            del container[key]

    try:
        opened = opened_with(path, change)
    except DocumentError:
        return
    assert opened.files == FILES


@FUZZED
@given(st.sampled_from(sorted([*FILES, "MANIFEST.json"])), st.data())
def test_a_bundle_with_any_byte_changed_is_refused_or_another(path: Path, name: str, data: st.DataObject) -> None:
    """What opens has the files that its manifest lists; if the manifest was changed, another digest."""
    digest = bundles.write(path, FILES)
    content = bytearray((path / name).read_bytes())
    if content:
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] ^= data.draw(st.integers(1, 255))
        (path / name).write_bytes(bytes(content))

    try:
        opened = open_bundle(path)
    except DocumentError:
        return
    assert opened.files == FILES
    assert opened.digest != digest or not content


@FUZZED
@given(st.text(max_size=40))
def test_a_path_that_may_be_in_a_bundle_is_below_it(name: str) -> None:
    """Whatever it looks like."""
    if not fault_in(name):
        assert not name.startswith("/")
        assert ".." not in name.split("/")
        assert "\0" not in name
        assert collisions([name]) == []

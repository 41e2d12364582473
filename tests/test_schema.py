"""The schema room: versions, validation, migration, and the frozen files of every version."""

import hashlib
import json
import runpy
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from progkit import artifact, schema
from progkit.errors import DocumentError, VersionError
from progkit.schema import head, steps

ROOT = Path(__file__).parent.parent
STATES = ROOT / "fixtures" / "state"
BROKEN: dict[str, dict[str, str]] = json.loads((STATES / "broken.json").read_text("utf-8"))
GOOD = sorted(STATES.glob("[0-9]*/*.json"))
RELEASED = {
    (1, 0): (
        "154b235f444165e5bf5b66b4939e3e908654222da54ef34626485440332f1e24",
        "b23ab1f3311d3ed3d9475e19b0377348c8f95e2c0820cd13f12b895807b80d3d",
    ),
}
"""SHA-256 of the printed schema of each released version, and of its frozen files: what is released is never edited."""
NOW = "{}.{}".format(*schema.CURRENT)
BEYOND_A_SHAPE = {
    "constraints-list", "date", "demo-id-twice", "guessed", "line-break", "lm-without-model", "order",
    "plain-large-int", "role-unknown",
}  # fmt: skip
"""Broken files of which JSON Schema cannot say what is wrong."""


def load(name: str) -> Any:
    return json.loads((STATES / name).read_text("utf-8"))


def newer() -> dict[str, Any]:
    """The full fixture as a progkit three minor versions on might have written it."""
    document: dict[str, Any] = load(f"{NOW}/full.json")
    version = (schema.CURRENT[0], schema.CURRENT[1] + 3)
    document.update({"$schema": schema.urn(version), "version": [*version], "optimiser": {"name": "MIPRO"}})
    predictor = document["state"]["predictors"]["triage.predict"]
    predictor["score"] = 0.9
    predictor["demos"][1]["weight"] = 2
    predictor["signature"]["fields"]["note"]["examples"] = ["none"]
    return document


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- frozen files -------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GOOD, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_file_ever_written_still_loads(path: Path) -> None:
    """A frozen file reads, and writes the bytes that it has once it is of the current version."""
    document = artifact.read(path)

    assert tuple(document["version"]) == schema.CURRENT
    assert path.parent.name != NOW or artifact.encode(document) == path.read_bytes()


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_broken_file_says_where_and_why(name: str) -> None:
    """The error names the file, the place in it, and the reason."""
    path = STATES / "broken" / f"{name}.json"

    with pytest.raises(DocumentError) as caught:
        artifact.read(path)

    assert type(caught.value).__name__ == BROKEN[name]["error"]
    assert caught.value.source == str(path)
    assert caught.value.where == BROKEN[name]["where"]
    assert BROKEN[name]["reason"] in caught.value.reason


def test_every_broken_file_is_expected() -> None:
    """No broken fixture stands without its expected error."""
    assert {path.stem for path in (STATES / "broken").iterdir()} == set(BROKEN)


@pytest.mark.parametrize("version", schema.VERSIONS)
def test_every_version_has_its_module_its_files_and_its_printed_schema(version: schema.Version) -> None:
    """A version without a frozen file, a printed schema or a held hash is not released."""
    name = f"{version[0]}.{version[1]}"
    printed = (ROOT / "schemas" / f"state-{name}.json").read_bytes()

    frozen = [f"{path.name} {digest(path.read_bytes())}" for path in sorted((STATES / name).glob("*.json"))]

    assert {"empty.json", "full.json", "minimal.json"} <= {line.split()[0] for line in frozen}
    assert json.loads(printed) == schema.json_schema(version)
    assert (digest(printed), digest("\n".join(frozen).encode())) == RELEASED[version]


def test_the_printed_schema_is_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    """``python -m progkit.schema`` prints the published file to the byte."""
    runpy.run_module("progkit.schema", run_name="__main__")

    assert capsys.readouterr().out == (ROOT / "schemas" / f"state-{NOW}.json").read_text("utf-8")


def test_the_printed_schema_accepts_and_refuses_what_we_do() -> None:
    """Another validator, given the published schema, agrees on every frozen file that reads as JSON."""
    judge = jsonschema.Draft202012Validator(schema.json_schema())
    judge.check_schema(judge.schema)

    for path in GOOD:
        judge.validate(artifact.read(path))
    for name, expected in BROKEN.items():
        if NOW == "1.0" and not expected["where"].startswith("line") and name not in BEYOND_A_SHAPE | {"empty"}:
            assert not judge.is_valid(load(f"broken/{name}.json")), name


# --- detect and validate ------------------------------------------------------------------------


def test_detect_looks_at_the_head_alone() -> None:
    """Kind and version are known before anything else is looked at."""
    assert schema.detect({**schema.header(), "state": 1}) == ("progkit.state", schema.CURRENT)


def test_a_dspy_file_is_another_kind() -> None:
    """It is detected by its shape, and is no document of ours to validate or to split."""
    document = {"demos": [], "signature": {}, "metadata": {"dependency_versions": {"dspy": "3.4.1"}}}

    assert schema.detect(document) == ("dspy.state", (3, 4))
    assert schema.detect({"a.b": {"demos": [], "signature": {}}}) == ("dspy.state", (0, 0))
    for use in (schema.validate, schema.migrate, schema.split_unknown):
        with pytest.raises(DocumentError, match="is a DSPy state file"):
            use(document)


def test_a_newer_major_names_the_progkit_that_wrote_it() -> None:
    """The way out is part of the error."""
    document = {
        **load(f"{NOW}/minimal.json"),
        "version": [schema.CURRENT[0] + 1, 0],
        "saved_with": {"progkit": "3.1.4", "python": "3.13"},
    }

    with pytest.raises(VersionError, match=r"It was saved with progkit 3\.1\.4: use that or a newer one"):
        schema.validate(document, "x.json")


@pytest.mark.parametrize("saved_with", [None, {}, {"progkit": 3}])
def test_a_newer_major_that_says_nothing_of_its_writer_is_still_a_version_error(saved_with: Any) -> None:
    """What stands in a document of an unknown version is not trusted to have a shape."""
    with pytest.raises(VersionError) as caught:
        schema.detect({**schema.header(), "version": [schema.CURRENT[0] + 1, 0], "saved_with": saved_with})

    assert caught.value.hint == ""


def test_a_key_that_is_no_text_is_refused() -> None:
    """A document made in memory is held to the same rules as a file."""
    document = load(f"{NOW}/minimal.json")
    document["state"]["predictors"][7] = {}

    with pytest.raises(DocumentError) as caught:
        schema.validate(document)

    assert caught.value.where == "state.predictors[7]"


@pytest.mark.parametrize(
    ("order", "reason"), [(("question", "answer"), "a Python tuple"), ({"question"}, "a Python set")]
)
def test_what_json_does_not_have_is_refused(order: Any, reason: str) -> None:
    """A tuple would come back as a list."""
    document = load(f"{NOW}/minimal.json")
    document["state"]["predictors"]["self"]["signature"]["order"] = order

    with pytest.raises(DocumentError) as caught:
        schema.validate(document)

    assert caught.value.where == "state.predictors.self.signature.order"
    assert caught.value.reason == f"{reason} is not JSON"


MAJOR, MINOR = schema.CURRENT


@pytest.mark.parametrize(
    ("version", "named"),
    [([MAJOR + 1, 0], f"{MAJOR + 1}.0"), ([MAJOR, MINOR + 1], schema.urn((MAJOR, MINOR + 1)))],
)
def test_the_shape_alone_makes_no_version(version: list[int], named: str, tmp_path: Path) -> None:
    """A file of our very shape that claims another version is held to its claim."""
    document = {**load(f"{NOW}/minimal.json"), "version": version}
    (tmp_path / "x.json").write_text(json.dumps(document))

    with pytest.raises(DocumentError, match=named):
        artifact.read(tmp_path / "x.json")


def test_optional_keys_have_their_types_too() -> None:
    """What need not be there must fit if it is."""
    document = load(f"{NOW}/minimal.json")
    document["state"]["predictors"]["self"]["demos"][0]["inputs"] = "question"

    with pytest.raises(DocumentError) as caught:
        schema.validate(document)

    assert caught.value.where == "state.predictors.self.demos[0].inputs"
    assert caught.value.reason == "expected array, got str"


def test_a_place_is_told_so_that_it_can_be_found() -> None:
    """Names that are no identifiers stand in brackets and quotes."""
    path: schema.Path = ("state", "predictors", 'a["0"].b', "demos", 3, "values", "größe")

    assert schema.show(path) == 'state.predictors["a[\\"0\\"].b"].demos[3].values.größe'


# --- newer minors -------------------------------------------------------------------------------


def test_a_newer_minor_that_we_may_read_is_valid_and_stays_what_it_is() -> None:
    """What only the newer version knows is left aside, not refused and not lost."""
    document = newer()

    assert schema.migrate(document) == document
    assert artifact.encode(document)


def test_a_newer_minor_comes_apart_and_together_again() -> None:
    """Known and unknown parts make up the document."""
    document = newer()
    untouched = deepcopy(document)

    known, extras = schema.split_unknown(document)

    schema.validate(known)
    assert known == {**load(f"{NOW}/full.json"), "requires": []}
    assert schema.graft(known, extras) == document == untouched


def test_what_is_unknown_moves_with_its_demo_and_goes_with_its_predictor() -> None:
    """A demo is known by its id, wherever it stands; what belongs to nothing any more is dropped."""
    known, extras = schema.split_unknown(newer())
    predictors = known["state"]["predictors"]
    predictors["triage.predict"]["demos"].reverse()
    moved = schema.graft(known, extras)
    del predictors["triage.predict"]["demos"][0]
    without_demo = schema.graft(known, extras)
    del predictors["triage.predict"]
    without_predictor = schema.graft(known, extras)

    assert [each.get("weight") for each in moved["state"]["predictors"]["triage.predict"]["demos"]] == [None, 2, None]
    assert json.dumps(without_demo).count("weight") == 1
    assert json.dumps(without_predictor).count("score") == 0
    assert without_predictor["optimiser"] == {"name": "MIPRO"}


def test_a_demo_that_is_gone_takes_its_unknown_part_along() -> None:
    """Nothing is grafted onto another demo."""
    known, extras = schema.split_unknown(newer())
    known["state"]["predictors"]["triage.predict"]["demos"] = []

    assert "weight" not in json.dumps(schema.graft(known, extras))


def test_of_the_current_version_nothing_is_split_off() -> None:
    """There is nothing unknown in it, or it would not be valid."""
    document = load(f"{NOW}/full.json")

    assert schema.split_unknown(document) == (document, [])
    assert schema.graft(document, []) is document


def test_a_newer_minor_must_still_have_the_shape_that_we_know() -> None:
    """Unknown keys are passed over; known ones are held to what they were."""
    document = newer()
    document["state"]["predictors"]["triage.predict"]["demos"] = "none"

    with pytest.raises(DocumentError) as caught:
        schema.migrate(document)

    assert caught.value.where == 'state.predictors["triage.predict"].demos'


# --- steps --------------------------------------------------------------------------------------


def test_every_step_is_taken_in_order_and_its_result_validated() -> None:
    """A step that makes an invalid document is caught where it happens."""
    document = load(f"{NOW}/minimal.json")

    climbed = steps.climb(document, [(schema.CURRENT, lambda old: {**old, "program": "renamed:Program"})], "x.json")
    with pytest.raises(DocumentError, match=r"x\.json: missing key 'program'"):
        steps.climb(
            document, [(schema.CURRENT, lambda old: {k: v for k, v in old.items() if k != "program"})], "x.json"
        )

    assert climbed["program"] == "renamed:Program"
    assert document == load(f"{NOW}/minimal.json")


def test_every_step_makes_a_new_document_and_the_same_one_each_time() -> None:
    """Pure: what it is given stays as it is, and twice the same comes of it."""
    for version, upgrade in steps._STEPS:
        before = schema.VERSIONS[schema.VERSIONS.index(version) - 1]
        for path in sorted((STATES / "{}.{}".format(*before)).glob("*.json")):
            document = json.loads(path.read_text("utf-8"))
            untouched = deepcopy(document)

            first, second = upgrade(document), upgrade(deepcopy(document))

            assert first is not document
            assert document == untouched
            assert artifact.canonical(first) == artifact.canonical(second)
            assert first["version"] == [*version]


def test_versions_and_their_modules_are_the_same_list() -> None:
    """Every version can be validated, and each after the first has a step to it."""
    assert tuple(steps._MODULES) == head.VERSIONS
    assert tuple(version for version, _ in steps._STEPS) == head.VERSIONS[1:]


def test_the_room_needs_no_heavy_library() -> None:
    """Reading documents imports neither pydantic nor litellm."""
    code = "import sys, progkit.artifact; print([each for each in ('pydantic', 'litellm') if each in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

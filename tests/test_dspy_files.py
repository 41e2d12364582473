"""DSPy's state files, 2.6 to 3.4: each is read, loaded into its program, sends what DSPy sent, and goes back.

The files are frozen in ``fixtures/dspy/VERSION/states``; what DSPy sent stands in ``states.json`` beside them.
"""

import json
import math
import re
from typing import Any

import pytest
from dspy_states import FILES, TOLD, VERSIONS, path_of, program_of, raw_of

import progkit
from progkit import ChatAdapter, History, Image, JSONAdapter, artifact, schema
from progkit.adapters import layout_of
from progkit.content.base import Blocks
from progkit.errors import DocumentError

ADAPTERS = {"chat": ChatAdapter(), "json": JSONAdapter()}
QUOTES = "DSPy cuts the URL of an image in a list at the wrong place if there is a quote in it"
NAN = "null for NaN and infinity, as in DSPy's own files since 3.0.3: JSON cannot say them"
DIFFERENT = {(version, "not_finite"): NAN for version in VERSIONS} | {
    (version, "image_quotes"): QUOTES for version in ("2.6.27", "3.0.0")
}
"""What messages differ on purpose, by version and case, and why: all that differ, as a test says."""

SECRETS = ("api_key", "extra_headers")
"""Settings that stood in the files and are dropped."""


def finite(node: Any) -> Any:
    """*node* with null for what JSON cannot say."""
    if isinstance(node, dict):
        return {name: finite(each) for name, each in node.items()}
    if isinstance(node, list):
        return [finite(each) for each in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node


def every(files: list[tuple[str, str]]) -> Any:
    return pytest.mark.parametrize(("version", "case"), files, ids=["-".join(each) for each in files])


SENDING = [(v, c, p) for v, c in FILES for p, told in TOLD[v][c].items() if isinstance(told.get("chat"), list)]


def inputs_of(told: dict[str, Any]) -> dict[str, Any]:
    """The inputs that DSPy was given, of our types."""
    kinds = {name: kind for name, _, kind, *_ in told["fields"]}
    made = {"Image": Image.model_validate, "History": History.model_validate}
    made["list[Image]"] = lambda each: [Image.model_validate(one) for one in each]
    return {name: made.get(kinds[name], lambda each: each)(value) for name, value in told["inputs"].items()}


def own_path(program: progkit.Module, path: str) -> str:
    """The path in *program* of DSPy's *path*."""
    wanted = re.sub(r"\['7'\]", "[7]", path)
    wanted = re.sub(r"\['(.*?)'\](?=$|\.)", lambda found: f"[{json.dumps(found[1], ensure_ascii=False)}]", wanted)
    assert wanted in dict(program.named_predictors())
    return wanted


@pytest.mark.parametrize("version", VERSIONS)
def test_what_a_version_could_not_save_is_told(version: str) -> None:
    """Every case has a file, or DSPy's reason why not."""
    saved = {each.stem for each in path_of(version, "x").parent.iterdir()}

    assert saved == {case for case, told in TOLD[version].items() if "error" not in told}


@every(FILES)
def test_a_file_is_a_document(version: str, case: str) -> None:
    """It is detected, adopted, and what comes out is valid and reads back from its own bytes."""
    raw = raw_of(version, case)

    document = artifact.read(path_of(version, case))

    assert schema.detect(raw) == ("dspy.state", tuple(map(int, version.split(".")[:2])))
    assert document["origin"] == raw["metadata"]["dependency_versions"]
    assert json.loads(artifact.encode(document)) == document


@every(FILES)
def test_names_are_recovered_and_guesses_said_to_be_guesses(version: str, case: str) -> None:
    """Every name that is not called a guess is the name that the field had; so are known roles."""
    document = artifact.read(path_of(version, case))

    for path, node in document["state"]["predictors"].items():
        told = next(each for name, each in TOLD[version][case].items() if path in (name, *_spelled(name)))
        names = [name for name, *_ in told["fields"]]
        guessed = node["signature"]["guessed"]
        assert len(node["signature"]["order"]) == len(names)
        for ours, (name, role, *_) in zip(node["signature"]["order"], told["fields"], strict=True):
            assert ours == name or ours in guessed
            assert node["signature"]["fields"][ours]["role"] in ("", role)


def _spelled(path: str) -> list[str]:
    return [re.sub(r"\['(.*?)'\](?=$|\.)", lambda found: f"[{json.dumps(found[1], ensure_ascii=False)}]", path)]


@every(FILES)
def test_a_file_loads_into_its_program(version: str, case: str) -> None:
    """Strictly, all of it; source code that only a Flex could run is missed by name."""
    program = program_of(version, case)
    has_code = case.startswith("flex")

    report = program.load(path_of(version, case), strict=not has_code)

    assert report.ok != has_code
    assert [each for each in report.extra if "flex" not in each and each != "self"] == []
    assert report.applied == [path for path, _ in program.named_predictors()]
    for _, predictor in program.named_predictors():
        assert predictor.layout == layout_of(version)


@pytest.mark.parametrize(("version", "case", "path"), SENDING, ids=["-".join(each) for each in SENDING])
def test_a_loaded_program_sends_what_dspy_sent(version: str, case: str, path: str) -> None:
    """Byte for byte, in both layouts, but for what is in the table of deliberate differences."""
    program = program_of(version, case)
    program.load(path_of(version, case), strict=False, allow_hosts=["localhost"])
    told = TOLD[version][case][path]
    predictor = dict(program.named_predictors())[own_path(program, path)]

    sent = {}
    for name, adapter in ADAPTERS.items():
        with progkit.context(lm=progkit.LM("openai/x"), adapter=adapter):
            ask = predictor.ask(inputs_of(told))
        sent[name] = ask.request(ask.adapter).messages if isinstance(told[name], list) else told[name]

    assert (sent != {name: told[name] for name in ADAPTERS}) == ((version, case) in DIFFERENT)


@every(FILES)
def test_a_document_goes_back_without_loss(version: str, case: str) -> None:
    """What DSPy wrote is what is written for DSPy, but for secrets and what JSON cannot say."""
    expected = finite(raw_of(version, case))
    for node in (expected, *expected.values()):
        lm = node.get("lm") if isinstance(node, dict) else None
        for name in SECRETS:
            (lm or {}).pop(name, None)
        if "max_completion_tokens" in (lm or {}):
            lm["max_tokens"] = lm.pop("max_completion_tokens")  # or else newer DSPy's cannot load it

    raw, dropped = artifact.export(artifact.read(path_of(version, case)))

    assert raw == expected
    assert dropped == []


@every(FILES)
def test_a_program_goes_back_without_loss(version: str, case: str, tmp_path: Any) -> None:
    """Loaded into a program, saved from it for DSPy, read again: nothing that was learned has changed."""
    program = program_of(version, case)
    program.load(path_of(version, case), strict=False)
    there = artifact.read(path_of(version, case))

    program.save(tmp_path / "back.json", format="dspy")
    program.save(tmp_path / "ours.json")
    again = program_of(version, case)
    again.load(tmp_path / "ours.json", strict=not case.startswith("flex"))

    back = artifact.read(tmp_path / "back.json") if there["state"]["predictors"] else there
    for document in (there, back):
        for node in document["state"]["predictors"].values():
            lm = node["lm"] or {}
            for name in ("timeout", "deadline", "max_tokens", "max_completion_tokens"):
                lm.pop(name, None)
            node["lm"] = {name: value for name, value in lm.items() if value is not None}
    assert [each for each in artifact.differences(there, back) if "demo " not in each.part or version > "3.0.3"] == []
    assert again.dump_state() == program.dump_state()


def test_marks_become_values_only_where_the_program_has_such_a_type() -> None:
    """An image is an image again; in a field of text the marks stay text; parts of an unknown kind stay parts."""
    program = program_of("3.4.1", "image_demos")
    program.load(path_of("3.4.1", "image_demos"))
    raw = raw_of("3.4.1", "image_demos")
    text = progkit.Predict("picture: str, others: list[str] -> text")
    raw["demos"][0]["picture"] = raw["demos"][0]["picture"].replace('"image_url"', '"video_url"')

    text.load_state(raw)
    other = program_of("3.4.1", "image_demos")
    other.load_state(raw)

    assert program.demos[0].others[1] == Image("https://example.com/2.png")
    assert text.demos[0].picture.startswith("<<CUSTOM-TYPE")
    assert isinstance(other.demos[0].picture, Blocks)
    assert other.demos[0].others == program.demos[0].others


def test_parts_of_an_unknown_kind_are_saved_and_loaded(tmp_path: Any) -> None:
    """Our own files hold them, and so do files for DSPy."""
    raw = raw_of("3.4.1", "image_demos")
    raw["demos"][0]["picture"] = raw["demos"][0]["picture"].replace('"image_url"', '"video_url"')
    program, again, back = (program_of("3.4.1", "image_demos") for _ in range(3))
    program.load_state(raw)

    program.save(tmp_path / "ours.json")
    program.save(tmp_path / "back.json", format="dspy")
    again.load(tmp_path / "ours.json")
    back.load(tmp_path / "back.json")

    assert again.demos == program.demos == back.demos


def test_values_that_are_no_marked_text_stay(tmp_path: Any) -> None:
    """An image as a dict, a plain text, parts that a type reads otherwise than it writes them."""
    raw = raw_of("3.4.1", "image_demos")
    marked = raw["demos"][0]["picture"].replace('{"url"', '{"detail": "low", "url"')
    raw["demos"][0].update(picture=marked, others=[{"url": "https://example.com/1.png"}, "a text"])
    program = program_of("3.4.1", "image_demos")

    program.load_state(raw)

    assert program.demos[0].others == [{"url": "https://example.com/1.png"}, "a text"]
    assert program.demos[0].picture.blocks[0]["image_url"]["detail"] == "low"


def test_the_old_marks_of_an_image_are_read() -> None:
    """DSPy up to 2.6.23 had marks for images alone."""
    program = program_of("2.6.5", "image_demos")

    program.load(path_of("2.6.5", "image_demos"))

    assert program.demos[0].picture == Image("https://example.com/1.png")


def test_a_layout_that_there_is_not_is_refused() -> None:
    """A newer progkit may know more of them."""
    predict = progkit.Predict("question -> answer")
    state = predict.dump_state()
    state["predictors"]["self"]["layout"] = "4.0"

    with pytest.raises(DocumentError, match=r"predictor self, layout: there is no layout '4.0'"):
        predict.load_state(state)


def test_a_layout_is_part_of_what_is_saved(tmp_path: Any) -> None:
    """Our file of a program from DSPy sends what DSPy's file did."""
    program, again = progkit.Predict("question -> answer"), progkit.Predict("question -> answer")
    program.load(path_of("2.6.27", "flat"))

    program.save(tmp_path / "ours.json")
    again.load(tmp_path / "ours.json")

    assert again.layout == program.layout == layout_of("2.6.27")

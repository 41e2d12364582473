"""Bundles loaded: state, parts, replies, and the reports and refusals on the way."""

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import pytest
from scripted import ScriptedLM

import progkit
from progkit.artifact.bundle import environment
from progkit.artifact.bundle.importing import FINDER
from progkit.errors import (
    ConfigurationError,
    DocumentError,
    EnvironmentMismatchError,
    LeftOutError,
    StateMismatchError,
)

DESK = """
import progkit

class Desk(progkit.Module):
    def __init__(self):
        self.answer = progkit.Predict("question -> answer")

    def forward(self, question):
        return self.answer(question=question)
"""
WITH_PARTS = """
import progkit
from progkit.program.bundles.left_out import LeftOut

class Desk(progkit.Module):
    def __init__(self):
        self.answer = progkit.Predict("question -> answer")
        self.tools = {"search": LeftOut('tools["search"]', "shop:Search")}
        self.parts = (LeftOut("parts[0]", "shop:Rank"),)
"""
FILES = bundles.files_of({"desk": DESK}, bundles.calling("desk:Desk"), bundles.learned(answer="Be brief."))


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    with bundles.forgotten():
        yield


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "saved"


@pytest.fixture
def saved(path: Path) -> Path:
    bundles.write(path, FILES)
    return path


def saved_with(path: Path, **changes: Any) -> Path:
    """A bundle whose manifest says these things."""
    bundles.write(path, FILES, bundles.manifest_of(FILES, **changes))
    return path


def rows(path: Path, **options: Any) -> list[Any]:
    program = progkit.load(path, trust="code", **options)
    assert program.load_report is not None
    return program.load_report.environment


def refused(path: Path, **options: Any) -> EnvironmentMismatchError:
    with pytest.raises(EnvironmentMismatchError) as caught:
        progkit.load(path, trust="code", **options)
    assert FINDER not in sys.meta_path
    assert "desk" not in sys.modules
    return caught.value


# --- the usual ----------------------------------------------------------------------------------


def test_a_bundle_loads_where_its_modules_do_not_exist(saved: Path) -> None:
    """The class comes from the bundle, what was learned from its state file."""
    before = list(sys.path)

    program = progkit.load(saved, trust="code")

    assert isinstance(program, progkit.Module)
    assert type(program).__module__ == "desk"
    assert program.predictors()[0].signature.instructions == "Be brief."
    assert program.load_report is not None
    assert program.load_report.ok
    assert program.load_report.applied == ["answer"]
    assert sys.path == before


def test_a_bundle_runs(saved: Path) -> None:
    """Like the program that was saved."""
    program = progkit.load(str(saved), trust="code", lm=ScriptedLM("[[ ## answer ## ]]\n42"))

    assert program(question="6 by 7?").answer == "42"


def test_what_was_loaded_from_a_file_alone_says_so_too(tmp_path: Path) -> None:
    """A program that was made by hand has no report."""
    progkit.Predict("question -> answer").save(tmp_path / "x.json")

    report = progkit.load(tmp_path / "x.json").load_report

    assert report is not None
    assert report.applied == ["self"]
    assert progkit.Predict("a -> b").load_report is None


def test_the_state_of_a_bundle_goes_into_a_program_that_is_here(saved: Path) -> None:
    """``program.load(directory)`` is data alone: nothing is trusted, nothing runs."""
    program = progkit.Module()
    program.answer = progkit.Predict("question -> answer")  # type: ignore[attr-defined]

    assert program.load(saved).applied == ["answer"]
    assert program.predictors()[0].signature.instructions == "Be brief."
    assert "desk" not in sys.modules


def test_what_is_for_bundles_alone_is_refused_for_a_file(tmp_path: Path) -> None:
    """Whoever says ``trust=`` expects code."""
    progkit.Predict("question -> answer").save(tmp_path / "x.json")

    for options in ({"trust": "code"}, {"keys": ["x"]}, {"parts": {}}):
        with pytest.raises(ConfigurationError, match="are for bundles"):
            progkit.load(tmp_path / "x.json", **options)  # type: ignore[arg-type]
    with pytest.raises(DocumentError, match="cannot be read"):
        progkit.load(tmp_path / "none.json")


def test_a_state_of_another_program_is_refused_and_everything_undone(path: Path) -> None:
    """As for a state file; ``strict=False`` applies what fits."""
    bundles.write(path, {**FILES, "state.json": bundles.learned(answer="A", other="B")})

    with pytest.raises(StateMismatchError, match="other is in the file alone"):
        progkit.load(path, trust="code")
    assert "desk" not in sys.modules
    assert FINDER not in sys.meta_path

    report = progkit.load(path, trust="code", strict=False).load_report
    assert report is not None
    assert report.extra == ["other"]


def test_a_state_that_is_none_is_found_before_anything_runs(path: Path) -> None:
    """Its hash is right, and it is still no state file."""
    bundles.write(path, {**FILES, "state.json": b"{}", "src/desk.py": b"raise SystemExit(3)\n"})

    with pytest.raises(DocumentError, match=r"state\.json"):
        progkit.load(path, trust="code")


def test_an_lm_and_hosts_are_given_as_for_a_file(path: Path) -> None:
    """By predictor, checked against the program; hosts are checked before anything runs."""
    bundles.write(path, FILES)
    lm = ScriptedLM()

    assert progkit.load(path, trust="code", lm={"answer": lm}).get_lm() is lm
    with pytest.raises(ConfigurationError, match="did you mean 'answer'"):
        progkit.load(path, trust="code", lm={"anser": lm})
    with pytest.raises(ConfigurationError):
        progkit.load(path, trust="code", allow_hosts=["https://x/y"])


# --- parts that were left out -------------------------------------------------------------------


def left_out(path: Path) -> Path:
    kinds = {'tools["search"]': "shop:Search", "parts[0]": "shop:Rank"}
    files = {**FILES, "src/desk.py": WITH_PARTS.encode()}
    bundles.write(path, files, bundles.manifest_of(files, left_out=kinds))
    return path


def test_what_was_left_out_says_so_when_it_is_used(path: Path) -> None:
    """The program loads without it."""
    program: Any = progkit.load(left_out(path), trust="code")

    with pytest.raises(LeftOutError, match="shop:Search"):
        program.tools["search"](query="x")


def test_parts_stand_in_for_what_was_left_out(path: Path) -> None:
    """In a dict and in a tuple; the rest stays a placeholder; their predictors are the caller's own business."""
    search, rank = progkit.Predict("query -> pages"), progkit.Predict("pages -> best")
    left_out(path)

    program: Any = progkit.load(path, trust="code", parts={'tools["search"]': search, "parts[0]": rank})
    partly: Any = progkit.load(path, trust="code", parts={"parts[0]": rank})

    assert program.tools["search"] is search
    assert program.parts == (rank,)
    assert [name for name, _ in program.named_predictors()] == ["answer", 'tools["search"]', "parts[0]"]
    assert partly.parts == (rank,)
    with pytest.raises(LeftOutError):
        partly.tools["search"]()


def test_a_part_without_a_place_is_refused_before_anything_runs(path: Path) -> None:
    """With the places that there are."""
    left_out(path)

    with pytest.raises(ConfigurationError, match=r"did you mean 'parts\[0\]'.*left out: parts\[0\] \(shop:Rank\)"):
        progkit.load(path, parts={"parts[1]": ScriptedLM()})
    with pytest.raises(ConfigurationError, match="is a class"):
        progkit.load(path, parts={"parts[0]": ScriptedLM})
    bundles.write(path.parent / "whole", FILES)
    with pytest.raises(ConfigurationError, match="none, the program is whole"):
        progkit.load(path.parent / "whole", parts={"x": 1})
    assert "desk" not in sys.modules


# --- replies ------------------------------------------------------------------------------------


def test_replies_that_travel_warm_the_cache(path: Path) -> None:
    """The first call is a hit."""
    program = progkit.Predict(progkit.Signature("question -> answer", "Be brief."))
    program.set_lm(ScriptedLM("[[ ## answer ## ]]\n42"))
    program(question="6 by 7?")
    out = io.BytesIO()
    progkit.export_cache(path.parent / "out.jsonl")
    out.write((path.parent / "out.jsonl").read_bytes())
    progkit.cache = progkit.Cache(enable_disk_cache=False)
    bundles.write(path, {**FILES, "cache.jsonl": out.getvalue()})

    loaded = progkit.load(path, trust="code", lm=ScriptedLM())

    assert loaded(question="6 by 7?").answer == "42"
    assert loaded.load_report is not None
    assert loaded.load_report.notes == ["cache.jsonl: 1 entries, 0 refused"]


def test_replies_that_cannot_be_used_do_not_fail_the_load(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The program asks its LM, and the report says why."""
    bundles.write(path, {**FILES, "cache.jsonl": b"{}\n"})

    report = progkit.load(path, trust="code").load_report

    assert report is not None
    assert "cache.jsonl is not used" in report.notes[0]
    assert "cache.jsonl is not used" in caplog.text or "is not used" in caplog.text


# --- what is needed and what is here --------------------------------------------------------------


def dependency(name: str, version: str, direct: bool = True) -> list[dict[str, Any]]:
    return [{"name": name, "version": version, "direct": direct}]


def test_a_distribution_that_is_missing_blocks(path: Path) -> None:
    """The error is the whole table, as data and as text; nothing ran. It can be tried all the same."""
    listed = dependency("no-such-thing", "1.2") + dependency("another-thing", "2", direct=False)
    listed += dependency("msgspec", "0.0.1")
    saved_with(path, dependencies=listed)

    error = refused(path)

    assert [(row.name, row.severity, row.here is None) for row in error.mismatches] == [
        ("no-such-thing", "block", True),
        ("msgspec", "warn", False),
        ("another-thing", "info", True),
    ]
    assert "block  no-such-thing: 1.2 when saved, none here; the program imports it: pip install" in str(error)
    assert [row.severity for row in rows(path, strict=False)] == ["block", "warn", "info"]


@pytest.mark.parametrize(
    ("saved", "here", "severity"),
    [
        ("2.4.1", "2.4.1", None),
        ("2.4.1", "2.9.0", "info"),
        ("2.4.1+local", "2.4.1", "warn"),
        ("2.4.1", "3.0.0", "warn"),
        ("2.4.1", "2.4.0", "warn"),
        ("0.4.1", "0.4.9", "info"),
        ("0.4.1", "0.5.0", "warn"),
        ("1.0", "1!1.0", "warn"),
        ("2.4", "unknown", "warn"),
        ("nightly", "2.4", "warn"),
    ],
)
def test_another_version_matters_by_how_far_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, saved: str, here: str, severity: str | None
) -> None:
    """Older is worse than newer; a new series may have changed what is used; other people's needs are theirs."""
    real = environment._installed
    monkeypatch.setattr(environment, "_installed", lambda name: here if name == "thing" else real(name))
    saved_with(path, dependencies=dependency("thing", saved))
    saved_with(path.parent / "other", dependencies=dependency("thing", saved, direct=False))

    assert [row.severity for row in rows(path)] == ([severity] if severity else [])
    assert [row.severity for row in rows(path.parent / "other")] == (["info"] if severity else [])


def test_a_newer_progkit_is_no_concern(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads what an older one saved; an older one may not have what the program uses."""
    real = environment._installed
    for here, severity in (("9.0", "info"), ("0.0.1", "warn")):
        monkeypatch.setattr(
            environment, "_installed", lambda name, here=here: here if name == "progkit" else real(name)
        )
        saved_with(path, dependencies=dependency("progkit", "0.1.0"))
        assert [row.severity for row in rows(path)] == [severity]


def test_what_may_matter_is_logged(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A line for each row above ``info``, once."""
    saved_with(path, dependencies=dependency("msgspec", "0.0.1") + dependency("no-such-thing", "1", direct=False))

    with caplog.at_level(logging.INFO, "progkit.bundle"):
        rows(path)

    told = [each.getMessage() for each in caplog.records if each.name == "progkit.bundle"]
    assert len(told) == 1
    assert "msgspec: 0.0.1 when saved" in told[0]


def test_the_table_is_in_the_report(path: Path) -> None:
    """As data, and as text."""
    saved_with(path, dependencies=dependency("no-such-thing", "1", direct=False))

    report = progkit.load(path, trust="code").load_report

    assert report is not None
    assert report.to_dict()["environment"][0]["name"] == "no-such-thing"
    assert "info   no-such-thing: 1 when saved, none here" in str(report)
    assert report.ok


@pytest.mark.parametrize(
    ("python", "severity"),
    [("3.0", "info"), (bundles.PYTHON, None), ("3.999", "warn"), ("4.0", "warn")],
)
def test_source_travels_between_pythons(path: Path, python: str, severity: str | None) -> None:
    """An older one may not know what a newer one wrote."""
    saved_with(path, interpreter=bundles.interpreter(python=python, magic="00000000", pydantic="1.0"))

    assert [row.severity for row in rows(path)] == ([severity] if severity else [])


def test_source_for_another_implementation_is_tried(path: Path) -> None:
    """And told."""
    saved_with(path, interpreter=bundles.interpreter(implementation="pypy"))

    assert [(row.severity, row.saved) for row in rows(path)] == [("warn", "pypy")]


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"implementation": "pypy"}, "python"),
        ({"magic": "00000000", "python": "3.9"}, "bytecode of Python 3.9"),
        ({"pydantic": "2.0.3"}, "pydantic"),
        ({"pydantic": "1.10"}, "pydantic"),
        ({"cloudpickle": "1.0"}, "cloudpickle"),
    ],
)
def test_bytecode_of_another_interpreter_is_never_tried(path: Path, changes: dict[str, str], name: str) -> None:
    """It can end the process: so not with ``strict=False`` either."""
    made = bundles.interpreter(**changes)
    saved_with(path, portability="bytecode", by_value=["rank: <lambda> of __main__"], interpreter=made)

    for strict in (True, False):
        error = refused(path, strict=strict)
        assert [(row.severity, row.name) for row in error.mismatches] == [("block", name)]
        assert "rank: <lambda> of __main__" in str(error)


def test_bytecode_of_this_interpreter_loads(path: Path) -> None:
    """A pydantic of another patch version is the same to it; without pydantic there is none to compare."""
    major, minor, *_ = str(environment.here()["pydantic"]).split(".")
    for pydantic in (f"{major}.{minor}.999", None):
        saved_with(
            path,
            portability="bytecode",
            by_value=["rank: <lambda> of __main__"],
            interpreter=bundles.interpreter(pydantic=pydantic),
        )
        assert rows(path) == []


def test_what_is_here_is_what_a_manifest_says() -> None:
    """Saving and loading look at the same things."""
    assert environment.here() == {**bundles.interpreter(), "cloudpickle": environment.here()["cloudpickle"]}

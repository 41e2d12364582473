"""What saving and loading a bundle tell: parts left out, replies that travel, everything that cannot be pickled."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bundles
import pytest
from scripted import ScriptedLM

import progkit
from progkit.artifact import trust
from progkit.artifact.bundle.pickling import Rules, pickled
from progkit.errors import ConfigurationError, DocumentError, UnsavableError

DESK = """
    import threading
    import progkit


    class Retriever(progkit.Module):
        def __init__(self):
            self.handle = threading.Lock()


    class Desk(progkit.Module):
        def __init__(self, retriever=None):
            self.answer = progkit.Predict("question -> answer")
            self.retriever = retriever
            self.lock = None

        def forward(self, question):
            return self.answer(question=question)
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with bundles.project(tmp_path, monkeypatch) as project:
        project.write(desk=DESK)
        yield project.module("desk")


def export(path: Path, *questions: str, ttl: float | None = None) -> Path:
    """An export of a cache with an answer for each of *questions*."""
    progkit.cache = progkit.Cache(enable_disk_cache=False)
    predict = progkit.Predict("question -> answer", **({"cache": {"ttl": ttl}} if ttl else {}))
    predict.set_lm(ScriptedLM(*[f"[[ ## answer ## ]]\n{each}" for each in questions]))
    for each in questions:
        predict(question=each)
    progkit.export_cache(path)
    return path


def put(program: Any, path: Path, **options: Any) -> Any:
    return program.save(path, save_program=True, **options)


# --- parts --------------------------------------------------------------------------------------------------


def test_the_report_of_saving_names_what_was_left_out(desk: Any, tmp_path: Path) -> None:
    """With how to supply it; the report of loading names what was not."""
    report = put(desk.Desk(desk.Retriever()), tmp_path / "out", modules_to_serialize=["answer"])

    told = "left out: retriever (desk:Retriever); load(path, parts={'retriever': ...}) supplies it"
    assert told in report.notes
    assert f"note: {told}" in str(report)
    loaded = progkit.load(tmp_path / "out").load_report
    assert loaded is not None
    assert loaded.notes == ["left out and not supplied: retriever (parts={'retriever': ...})"]
    assert "left out and not supplied: retriever" in str(loaded)
    mine = progkit.Predict("question -> query")
    supplied = progkit.load(tmp_path / "out", parts={"retriever": mine}).load_report
    assert supplied is not None
    assert supplied.notes == []


# --- replies ------------------------------------------------------------------------------------------------


def test_the_report_counts_the_replies(desk: Any, tmp_path: Path) -> None:
    """Those that have expired as well."""
    assert "cache.jsonl: 2 replies travel with it" in (
        put(desk.Desk(), tmp_path / "two", cache=export(tmp_path / "two.jsonl", "a", "b")).notes
    )
    one = export(tmp_path / "one.jsonl", "a")
    assert "cache.jsonl: 1 reply travels with it" in put(desk.Desk(), tmp_path / "one", cache=str(one)).notes
    old = export(tmp_path / "old.jsonl", "a", ttl=0.2)
    time.sleep(0.25)
    assert "cache.jsonl: 1 reply travels (1 expired) with it" in put(desk.Desk(), tmp_path / "old", cache=old).notes


def test_a_damaged_export_is_refused_when_it_is_saved(desk: Any, tmp_path: Path) -> None:
    """With its line; nothing is written."""
    lines = export(tmp_path / "x.jsonl", "a", "b", "c").read_bytes().splitlines(keepends=True)
    broken = {
        r"line 2: the checksum is another.*; 1 more lines are refused": [
            lines[0],
            lines[1].replace(b'"tags":[', b'"tags":["x",'),
            *lines[2:],
        ],
        "the end: lines are missing": lines[:-1],
        "line 1: is no export of a cache": [b"{}\n"],
    }
    for told, content in broken.items():
        (tmp_path / "x.jsonl").write_bytes(b"".join(content))
        with pytest.raises(DocumentError, match=told):
            put(desk.Desk(), tmp_path / "out", cache=tmp_path / "x.jsonl")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cache", [True, 1, b"x.jsonl", ["x.jsonl"]])
def test_what_is_no_file_of_replies(desk: Any, tmp_path: Path, cache: Any) -> None:
    """The cache in force has to be exported first."""
    with pytest.raises(ConfigurationError, match="name the file that `progkit cache export FILE` wrote"):
        put(desk.Desk(), tmp_path / "out", cache=cache)


def test_saving_again_keeps_the_replies(desk: Any, tmp_path: Path) -> None:
    """What was optimised again changes the state and the manifest alone; ``cache=False`` takes the replies out."""
    put(desk.Desk(), tmp_path / "out", cache=export(tmp_path / "x.jsonl", "a"))
    before = (tmp_path / "out/cache.jsonl").read_bytes()
    program: Any = progkit.load(tmp_path / "out")
    program.answer.demos = [progkit.Example(question="q", answer="a")]

    report = put(program, tmp_path / "out")

    assert (tmp_path / "out/cache.jsonl").read_bytes() == before
    assert "cache.jsonl: 1 reply travels as before; cache=False takes them out" in report.notes
    assert put(program, tmp_path / "out").changed is False
    elsewhere = put(program, tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere/cache.jsonl").exists()
    assert any("replies that the program was loaded with do not travel on" in each for each in elsewhere.notes)
    assert put(program, tmp_path / "out", cache=False).notes == []
    assert not (tmp_path / "out/cache.jsonl").exists()


def test_replies_of_another_are_not_taken_over(desk: Any, tmp_path: Path) -> None:
    """Of a bundle that nobody trusts, of another program, of a damaged export: they would be trusted from then on."""
    replies = export(tmp_path / "x.jsonl", "a").read_bytes()
    files = {**bundles.files_of({"desk": "x = 1\n"}), "cache.jsonl": replies}
    bundles.write(tmp_path / "out", files, bundles.manifest_of(files))
    told = "cache.jsonl: the recorded replies of the bundle that was there are not kept"

    assert f"{told}: it is not on the trust list" in put(desk.Desk(), tmp_path / "out").notes
    files["cache.jsonl"] = replies[:-10]
    for name, why in (("other:Other", "it was other:Other"), ("desk:Desk", "cache.jsonl, line 3: no entry")):
        path = tmp_path / name.partition(":")[0]
        trust.add(bundles.write(path, files, bundles.manifest_of(files, program=name)), path)
        notes = put(desk.Desk(), path).notes
        assert [each for each in notes if each.startswith(told) and why in each]
        assert not (path / "cache.jsonl").exists()


def test_replies_of_a_damaged_bundle_are_not_taken_over(desk: Any, tmp_path: Path) -> None:
    """Nobody knows whose they are."""
    put(desk.Desk(), tmp_path / "out", cache=export(tmp_path / "x.jsonl", "a"))
    (tmp_path / "out/state.json").write_text("{}")

    assert put(desk.Desk(), tmp_path / "out").notes == []
    assert not (tmp_path / "out/cache.jsonl").exists()


# --- what cannot be pickled ---------------------------------------------------------------------------------


def test_everything_that_cannot_be_pickled_is_named(desk: Any, tmp_path: Path) -> None:
    """With its path; the advice is given once, and only what there is to do."""
    program = desk.Desk(desk.Retriever())
    program.lock = desk.threading.Lock()
    program.answer.more = {"a": desk.threading.Lock()}

    with pytest.raises(UnsavableError) as caught:
        put(program, tmp_path / "out")
    with pytest.raises(UnsavableError) as again:
        put(program, tmp_path / "out", modules_to_serialize=["answer"])

    first, *others = str(caught.value).splitlines()
    named = [line.split(":")[0].removeprefix("  also ") for line in (first, *others)]
    assert sorted(named) == ["program.answer.more['a']", "program.lock", "program.retriever.handle"]
    assert caught.value.where == first.partition(":")[0]
    assert str(caught.value).count("__getstate__") == 1
    assert "modules_to_serialize=['<path>', ...]" in first
    assert "modules_to_serialize" not in str(again.value)
    assert "__getstate__" in str(again.value)


def rules() -> Rules:
    return Rules(lambda value, where: None, lambda module: module == __name__, lambda module: module == __name__)


def test_ten_are_enough(desk: Any) -> None:
    """Secrets count among them."""
    many = [*(desk.threading.Lock() for _ in range(5)), {"api_key": "sk-0123456789abcdef0123"}, *map(iter, "x" * 20)]
    many += [desk.threading.Lock() for _ in range(20)]

    with pytest.raises(UnsavableError) as caught:
        pickled(many, rules())

    lines = str(caught.value).splitlines()
    assert len(lines) == 10
    assert lines[0].startswith("program[0]: lock cannot be pickled; leave it out")
    assert "  also program[5]['api_key']: looks like a secret" in lines[5]


class Exhausted:
    """Whose content does not fit into memory."""

    def __reduce__(self) -> Any:
        raise MemoryError


def test_no_memory_is_no_matter_of_the_object() -> None:
    """It is passed on at once."""
    with pytest.raises(MemoryError):
        pickled([Exhausted()], rules())


# --- scripts ------------------------------------------------------------------------------------------------

SCRIPT = """
import progkit

class Desk(progkit.Module):
    def __init__(self):
        self.answer = progkit.Predict("question -> answer")

{line}
if __name__ == "__main__":
    print("\\n".join(Desk().save("out", save_program=True).notes))
"""


def test_a_script_that_travels_as_bytecode_is_told_how_not_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard is what it lacks; who loads it on another Python is told as well."""
    with bundles.project(tmp_path, monkeypatch) as project:
        told = project.run(SCRIPT.replace("{line}", "print('doing')"))
        assert 'Desk of __main__; `if __name__ == "__main__":` around what the script does lets it travel as' in told
        assert "bytecode" not in project.run(SCRIPT.replace("{line}", ""))
        assert project.run(SCRIPT.replace("{line}", "print('doing')"))
        path = project.root / "out/MANIFEST.json"
        manifest = json.loads(path.read_text())
        manifest["interpreter"]["magic"] = "00000000"
        path.write_text(json.dumps(manifest))
        with pytest.raises(progkit.errors.EnvironmentMismatchError, match='stands under `if __name__ == "__main__":`'):
            progkit.load(project.root / "out", trust="code")

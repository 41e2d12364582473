"""Commands on files, ours and DSPy's: inspect, validate, diff, migrate, export; and run and warm on DSPy's directly."""

import json
from pathlib import Path
from typing import Any

import pytest
from dspy_states import path_of, raw_of
from scripted import ScriptedLM
from test_program import says

import progkit
from progkit import ChainOfThought, Module, Predict, artifact
from progkit.cli import main

KEY = "sk-notakey0123456789abcdefghij"


class Nested(Module):
    """The DSPy program ``lm_some`` in progkit."""

    def __init__(self):
        self.cheap = Predict("question -> draft")
        self.dear = ChainOfThought("question, draft -> answer")


class Other(Module):
    """Another program."""

    def __init__(self):
        self.cheap = Predict("question -> drafts")


NESTED = f"{__name__}:Nested"
OTHER = f"{__name__}:Other"


@pytest.fixture
def command(capsys):
    """Run a command in this process: status, stdout, stderr."""

    def run(*words):
        status = main([str(word) for word in words])
        return (status, *capsys.readouterr())

    return run


def put(path: Path, raw: Any) -> Path:
    path.write_text(json.dumps(raw), "utf-8")
    return path


# --- inspect --------------------------------------------------------------------------------------


def test_inspect_shows_where_a_file_is_from(command):
    """DSPy's version, the layout, what is a guess, and on stderr what is not taken over."""
    status, out, err = command("inspect", path_of("3.0.4", "lm_settings"))

    assert status == 0
    assert out.startswith(f"{path_of('3.0.4', 'lm_settings')}: dspy.state\n")
    assert "from       DSPy 3.0.4, Python 3.11" in out
    assert "fields       question -> answer" in out
    assert "layout       DSPy 3.0" in out
    assert err.startswith("not taken over: self.lm.extra_headers: a secret")


def test_inspect_says_what_it_does_not_know(command, tmp_path):
    """Roles, names, the writer, and parts that are no predictors."""
    status, out, _ = command("inspect", path_of("3.4.1", "multi_chain"))
    raw = raw_of("3.4.1", "flex_inside")
    del raw["metadata"]
    _, unknown, err = command("inspect", put(tmp_path / "x.json", raw))

    assert status == 0
    assert "fields       question, field_2 (a guess), field_3 (a guess), field_4 (a guess), answer" in out
    assert "from       DSPy (unknown), Python (unknown)" in unknown
    assert "\nflex\n  no predictor: kept as data\n" in unknown
    assert "does not say which DSPy" in err


def test_inspect_json_is_the_document(command):
    """With the layouts said out loud."""
    _, out, _ = command("inspect", path_of("2.6.27", "cot"), "--json")

    document = json.loads(out)
    assert document["origin"]["dspy"] == "2.6.27"
    assert document["state"]["predictors"]["predict"]["layout"].startswith("2.6.")


# --- migrate --------------------------------------------------------------------------------------


def test_migrate_writes_a_file_of_ours(command, tmp_path):
    """It loads as DSPy's did, and a second time nothing changes."""
    ours = tmp_path / "ours.json"
    status, out, err = command("migrate", path_of("3.0.4", "lm_settings"), "-o", ours)
    again = command("migrate", path_of("3.0.4", "lm_settings"), "-o", ours)
    same = command("migrate", ours, "-o", ours)
    program, direct = Predict("question -> answer"), Predict("question -> answer")

    program.load(ours)
    direct.load(path_of("3.0.4", "lm_settings"))

    assert (status, out) == (0, f"{ours} written\n")
    assert err.startswith("not taken over: self.lm.extra_headers")
    assert again[1] == same[1] == f"{ours} is as it was\n"
    assert program.dump_state() == direct.dump_state()
    assert ours.read_bytes() == artifact.encode(artifact.read(ours))


def test_migrate_with_the_program_writes_names_and_types(command, tmp_path):
    """What the file lacks, the class has; the layout can be another."""
    ours = tmp_path / "ours.json"

    status, out, _ = command(
        "migrate", path_of("3.0.4", "lm_some"), "-o", ours, "--program", NESTED, "--layout", "3.4", "--json"
    )

    document = artifact.read(ours)
    node = document["state"]["predictors"]["dear.predict"]
    assert (status, json.loads(out)) == (0, {"path": str(ours), "changed": True, "dropped": [], "notes": []})
    assert document["program"] == NESTED
    assert node["layout"] == "3.4"
    assert "guessed" not in node["signature"]
    assert {each["type"] for each in node["signature"]["fields"].values()} == {"str"}


def test_migrate_to_another_program_needs_to_be_told(command, tmp_path):
    """Strictly it is an error; else what does not fit is on stderr."""
    ours = tmp_path / "ours.json"
    words = ("migrate", path_of("3.0.4", "lm_some"), "-o", ours, "--program", OTHER)

    refused, taken = command(*words), command(*words, "--no-strict")

    assert refused[0] == 2
    assert "dear.predict is in the file alone" in refused[2]
    assert taken[0] == 0
    assert "field 'draft' is now 'drafts'?" in taken[2]


def test_an_old_layout_stays_unless_it_is_changed(command, tmp_path):
    """And one that there is not is refused."""
    ours = tmp_path / "ours.json"

    status, _, err = command("migrate", path_of("3.0.4", "cot"), "-o", ours, "--layout", "3.5")

    assert status == 2
    assert "there is no layout '3.5'" in err
    assert not ours.exists()


def test_a_file_of_ours_can_be_migrated_with_its_program(command, tmp_path):
    """It has no origin to keep."""
    theirs, ours = tmp_path / "theirs.json", tmp_path / "ours.json"
    Nested().save(theirs)

    status, *_ = command("migrate", theirs, "-o", ours, "--program", NESTED)

    assert status == 0
    assert ours.read_bytes() == theirs.read_bytes()


# --- export ---------------------------------------------------------------------------------------


def test_export_writes_what_dspy_reads(command, tmp_path):
    """From a migrated file, with and without its program: the file that it came from."""
    ours, back, again = (tmp_path / f"{name}.json" for name in ("ours", "back", "again"))
    command("migrate", path_of("3.4.1", "lm_some"), "-o", ours)

    status, out, _ = command("export", "--to", "dspy", ours, "-o", back)
    through = command("export", "--to", "dspy", path_of("3.4.1", "lm_some"), "-o", again, "--program", NESTED, "--json")

    assert (status, out) == (0, f"{back} written\n")
    assert json.loads(back.read_text("utf-8")) == raw_of("3.4.1", "lm_some")
    assert json.loads(through[1])["changed"]
    assert json.loads(again.read_text("utf-8"))["dear.predict"]["lm"]["model"] == "anthropic/claude-3-5-sonnet"


# --- validate -------------------------------------------------------------------------------------


def test_validate_tells_every_problem_of_every_file(command, tmp_path):
    """Valid ones too; the status says whether there is a problem."""
    good = tmp_path / "good.json"
    Predict("question -> answer").save(good)
    document = json.loads(good.read_text())
    crooked = put(tmp_path / "crooked.json", document)
    document["state"]["predictors"]["self"]["config"] = {"api_key": KEY}
    secret = tmp_path / "secret.json"
    secret.write_bytes(artifact.encode(document))
    broken = put(tmp_path / "broken.json", {**document, "version": [9, 0]})
    empty = tmp_path / "empty.json"
    empty.write_text("")

    status, out, err = command("validate", good, crooked, secret, broken, empty, path_of("3.4.1", "flat"))

    assert status == 1
    told = f"{crooked}: not in canonical form: progkit migrate FILE -o FILE writes it so"
    assert err.splitlines()[0] == f"{told} (a problem with --canonical alone)"
    assert out.splitlines() == [
        f"{good}: valid",
        f"{crooked}: valid",
        f'{secret}: self.config.api_key: a secret; {{"env": "NAME"}} can be saved in its place',
        f"{broken}: version: needs a progkit that reads progkit.state 9.0; this progkit {progkit.__version__} reads up "
        "to 1.0",
        f"{empty}: is empty",
        f"{path_of('3.4.1', 'flat')}: valid",
    ]
    assert KEY not in out
    assert command("validate", good, crooked)[0] == 0
    status, out, err = command("validate", "--canonical", good, crooked)
    assert (status, out.splitlines(), err) == (1, [f"{good}: valid", told], "")


def test_validate_with_the_program_says_whether_it_fits(command):
    """As loading would; notes are no problems."""
    file = path_of("3.4.1", "lm_some")
    fits = command("validate", file, "--program", NESTED, "--json")
    misfit = command("validate", file, "--program", OTHER)
    noted = command("validate", path_of("3.4.1", "lm_responses"))

    assert (fits[0], json.loads(fits[1])) == (0, [{"file": str(file), "ok": True, "problems": [], "notes": []}])
    assert misfit[0] == 1
    assert "dear.predict is in the file alone" in misfit[1]
    assert noted[0] == 0
    assert "asks all models as chat" in noted[2]


# --- diff -----------------------------------------------------------------------------------------


def test_a_migrated_file_does_not_differ(command, tmp_path):
    """Neither from DSPy's nor, with its names and types, from itself without them."""
    plain, full = tmp_path / "plain.json", tmp_path / "full.json"
    command("migrate", path_of("3.0.4", "lm_some"), "-o", plain)
    command("migrate", path_of("3.0.4", "described"), "-o", full)

    assert command("diff", path_of("3.0.4", "lm_some"), plain) == (0, "", "")
    assert command("diff", full, path_of("3.0.4", "described")) == (0, "", "")
    assert command("diff", plain, plain, "--json") == (0, "[]\n", "")


def test_diff_tells_differences_by_meaning(command, tmp_path):
    """Instructions by line, fields by name, demos by id; one line each."""
    before, after = Predict("question, hint -> answer", temperature=0.5), Predict("question -> answer: int, why", n=2)
    before.signature = before.signature.with_instructions("Answer.\n\nBe short.")
    after.signature = after.signature.with_instructions("Answer.\n\nBe brief.").with_updated_fields(
        "question", desc="?"
    )
    before.demos = [{"question": "q1", "answer": "a"}, {"question": "q2", "answer": "a" * 200}]
    after.demos = [{"question": "q3", "answer": 1}]
    before.save(tmp_path / "a.json")
    after.save(tmp_path / "b.json")

    status, out, _ = command("diff", tmp_path / "a.json", tmp_path / "b.json")
    found = json.loads(command("diff", tmp_path / "a.json", tmp_path / "b.json", "--json")[1])

    assert status == 1
    assert "  instructions\n     \n    -Be short.\n    +Be brief.\n" in out
    assert '  field question.desc: "${question}" -> "?"\n' in out
    assert "  field hint removed: {" in out
    assert "  field why added: {" in out
    assert '  field answer.type: "str" -> "int"\n' in out
    assert "  config.temperature removed: 0.5\n" in out
    assert "  config.n added: 2\n" in out
    assert len([each for each in found if each["part"].startswith("demo ")]) == 3
    assert (found[0]["part"], found[0]["before"]) == ("instructions", "Answer.\n\nBe short.")
    assert "..." in out


def test_diff_of_whole_predictors(command, tmp_path):
    """One that is in one file alone is named, not printed."""
    Nested().save(tmp_path / "a.json")
    Other().save(tmp_path / "b.json")

    _, out, _ = command("diff", tmp_path / "a.json", tmp_path / "b.json")

    assert "dear.predict\n  predictor removed\n" in out
    assert "cheap\n" in out


def test_diff_prompts_shows_what_a_layout_changes(command, tmp_path):
    """The text that would be sent, by lines; DSPy's files need their program."""
    new = tmp_path / "new.json"
    command("migrate", path_of("2.6.27", "cot"), "-o", new, "--layout", "3.4")
    words = ("diff", "--prompts", path_of("2.6.27", "cot"), new)

    status, out, _ = command(*words, "--program", "question -> answer: int")
    as_json = command(*words, "--program", "question -> answer: int", "--json")
    needed = command(*words)

    assert status == as_json[0] == 1
    assert "+[[ ## completed ## ]]" in out
    assert list(json.loads(as_json[1])) == ["predict"]
    assert needed[0] == 2
    assert "a field type is not known here" in needed[2]


def test_diff_prompts_of_files_of_ours_needs_no_program(command, tmp_path):
    """In the layout of the adapter that is asked for, image and history among the fields."""
    before = Predict(
        progkit.Signature(
            {
                "picture": (progkit.Image, progkit.InputField()),
                "history": (progkit.History, progkit.InputField()),
                "answer": progkit.OutputField(),
            }
        )
    )
    after = before.deepcopy()
    after.signature = after.signature.with_instructions("Other.")
    plain = Predict("question -> answer")
    plain.demos = [{"question": "q", "answer": "a"}]
    plain.save(tmp_path / "c.json")
    before.save(tmp_path / "a.json")
    after.save(tmp_path / "b.json")

    unknown = command("diff", "--prompts", tmp_path / "a.json", tmp_path / "b.json")
    same = command("diff", "--prompts", tmp_path / "c.json", tmp_path / "c.json", "--adapter", "json")

    assert unknown[0] == 2
    assert same == (0, "", "")


# --- on DSPy's files directly -----------------------------------------------------------------------


def test_run_and_warm_take_dspys_files(command):
    """With a signature for a program; a ChainOfThought where the file has one."""
    progkit.configure(lm=ScriptedLM(says(reasoning="r", answer="3")))

    warm = command("warm", path_of("3.4.1", "cot"), "--program", "question -> answer: int", "--json")
    status, out, _ = command("run", path_of("3.4.1", "cot"), "--program", "question -> answer: int", "question=1+2")

    assert json.loads(warm[1])["warmed"] == 1
    assert (status, out) == (0, "reasoning: r\nanswer: 3\n")


def test_notes_of_a_file_are_told_when_it_is_run(command, tmp_path):
    """On stderr; the answer alone is on stdout."""
    progkit.configure(lm=ScriptedLM(says(answer="yes")))
    raw = {name: each for name, each in raw_of("3.4.1", "flat").items() if name != "metadata"}

    status, out, err = command("run", put(tmp_path / "x.json", raw), "--program", "question -> answer", "question=Why?")

    assert (status, out) == (0, "answer: yes\n")
    assert "does not say which DSPy saved it" in err

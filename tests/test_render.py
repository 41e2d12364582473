"""``progkit render``: the messages that would be sent, of files alone and of programs; nothing is sent."""

import json
import sys
from pathlib import Path

import pytest
from servers import ChatServer

import progkit
from progkit import ChainOfThought, Example, InputField, Module, OutputField, Predict, Signature
from progkit.cli import main
from progkit.cli.rendering import Nobody
from progkit.errors import LMError
from progkit.lm import Request

PROGRAM = """
import enum
import progkit

class Kind(enum.Enum):
    BUG = "bug"

class Route(progkit.Signature):
    ticket: str = progkit.InputField()
    kind: Kind = progkit.OutputField()

class Desk(progkit.Module):
    def __init__(self):
        self.route = progkit.Predict(Route)
        self.answer = progkit.ChainOfThought("ticket, tags: list[str] -> reply")
"""


class Desk(Module):
    """Two predictors, one of them with a type of its own."""

    def __init__(self) -> None:
        from desk_for_render import Kind

        self.route = Predict(Signature({"ticket": InputField(), "kind": (Kind, OutputField())}))
        self.answer = ChainOfThought("ticket, tags: list[str] -> reply")


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in a module, and its state in a file."""
    (tmp_path / "desk_for_render.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    program = Desk()
    program.answer.predict.demos = [Example(ticket="t", tags=["a"], reasoning="r", reply="ü")]
    program.save("desk.json")
    yield tmp_path
    sys.modules.pop("desk_for_render", None)


@pytest.fixture
def qa(tmp_path: Path) -> str:
    """The state of a single predictor."""
    predict = Predict("question -> answer", temperature=0.3)
    predict.demos = [Example(question="a", answer="b")]
    path = tmp_path / "qa.json"
    predict.save(path)
    return str(path)


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


class TestMessages:
    def test_prints_each_message_as_it_stands(self, qa: str, capsys: pytest.CaptureFixture[str]) -> None:
        """The role on a line of its own, then the content."""
        status = main(["render", qa, "question=Why?"])

        expected = progkit.ChatAdapter().format(
            Signature("question -> answer"), [{"question": "a", "answer": "b"}], {"question": "Why?"}
        )
        assert status == 0
        assert printed(capsys) == "\n".join(f"--- {each['role']}\n{each['content']}\n" for each in expected)

    def test_prints_the_other_adapters(self, qa: str, capsys: pytest.CaptureFixture[str]) -> None:
        """JSON, and the layouts of other versions."""
        main(["render", qa, "question=Why?", "--adapter", "json"])
        as_json = printed(capsys)
        main(["render", qa, "question=Why?", "--layout", "2.6.17"])
        old = printed(capsys)

        assert "Outputs will be a JSON object" in as_json
        assert "[[ ## completed ## ]]\n\n\n--- user" not in old

    def test_an_unknown_layout_is_an_error(self, qa: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Those that there are are named."""
        assert main(["render", qa, "question=Why?", "--layout", "9.9"]) == 2
        assert "3.4" in capsys.readouterr().err

    def test_missing_inputs_are_named(self, qa: str, capsys: pytest.CaptureFixture[str]) -> None:
        """As a call would name them."""
        assert main(["render", qa]) == 2
        assert "missing 'question'" in capsys.readouterr().err

    def test_parts_that_are_no_text_are_json(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A picture is shown by its URL."""
        path = tmp_path / "picture.py"
        path.write_text(
            "import progkit\n"
            "def Look():\n"
            "    field = (progkit.Image, progkit.InputField(default=progkit.Image('http://x/y.png')))\n"
            "    return progkit.Predict(progkit.Signature({'picture': field, 'answer': progkit.OutputField()}))\n"
        )
        sys.path.insert(0, str(tmp_path))
        try:
            from picture import Look

            Look().save(tmp_path / "look.json")
            main(["render", str(tmp_path / "look.json"), "--program", "picture:Look"])
        finally:
            sys.path.remove(str(tmp_path))
            sys.modules.pop("picture", None)

        assert '\n{"type": "image_url", "image_url": {"url": "http://x/y.png"}}\n' in printed(capsys)


class TestRequest:
    def test_json_is_the_whole_request(self, qa: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Messages, the model, the predictor's own settings; no key."""
        with ChatServer() as server:
            endpoint = ["--lm", "openai/gpt-4o-mini", "--api-base", server.url]
            main(["render", qa, "question=Why?", "--json", "--adapter", "json", *endpoint])
            assert server.count == 0
        request = json.loads(printed(capsys))

        assert [each["role"] for each in request["messages"]] == ["system", "user", "assistant", "user"]
        assert (request["model"], request["temperature"]) == ("openai/gpt-4o-mini", 0.3)
        assert request["response_format"]["type"] == "json_schema"

    def test_without_an_lm_there_is_no_model(self, qa: str, capsys: pytest.CaptureFixture[str]) -> None:
        """The messages need none."""
        main(["render", qa, "question=Why?", "--json"])

        assert "model" not in json.loads(printed(capsys))

    def test_nobody_answers(self) -> None:
        """What stands in for an LM refuses to be one."""
        with pytest.raises(LMError, match="sends nothing"):
            Nobody().complete(Request.of([]))


class TestPredictors:
    def test_one_of_several_is_rebuilt_from_the_file(self, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """No code of the program is needed where its types are known."""
        status = main(["render", "desk.json", "ticket=x", 'tags=["p", "q"]', "--predictor", "answer.predict"])

        out = printed(capsys)
        assert status == 0
        assert '[[ ## tags ## ]]\n["p", "q"]\n' in out
        assert "[[ ## reply ## ]]\nü" in out

    def test_the_program_gives_types_of_its_own(self, desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Without it they are not known; the error says what to do."""
        asked = ["render", "desk.json", "ticket=x", "--predictor", "route"]

        assert main(asked) == 2
        assert "a field type is not known here" in capsys.readouterr().err
        assert main([*asked, "--program", "desk_for_render:Desk"]) == 0
        assert "must be one of: bug" in printed(capsys)

    @pytest.mark.parametrize(
        ("chosen", "reason"),
        [
            ([], "which of them is meant? The predictors are answer.predict, route"),
            (["--predictor", "rute"], "there is no 'rute' (did you mean 'route'?); The predictors are"),
        ],
    )
    def test_a_choice_is_needed(
        self, desk: Path, capsys: pytest.CaptureFixture[str], chosen: list[str], reason: str
    ) -> None:
        """The paths are named."""
        assert main(["render", "desk.json", "ticket=x", *chosen]) == 2
        assert reason in capsys.readouterr().err

    def test_a_file_without_predictors_has_none(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """An empty program."""

        class Empty(Module):
            pass

        Empty().save(tmp_path / "empty.json")

        assert main(["render", str(tmp_path / "empty.json"), "--predictor", "x"]) == 2
        assert "The predictors are none" in capsys.readouterr().err

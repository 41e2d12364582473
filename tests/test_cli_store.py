"""``progkit cache`` and ``progkit explain-miss``: what they print, what they do, and their status."""

import io
import json
import sys
import time

import pytest
from caches import ANSWER
from test_cli import command  # noqa: F401

from progkit.caching import Cache, current_cache, explain_miss
from progkit.caching.codec import encode


@pytest.fixture
def full():
    """Two entries on disk, one with tags, and one that has expired."""
    disk = current_cache().tiers[1]
    disk.put("a", encode("a", ANSWER, tags=("model:m", "program:desk:Desk", "mine")))
    disk.put("b", encode("b", ANSWER))
    disk.put("c", encode("c", ANSWER, expires=time.time() - 1))
    return disk


def found(*keys):
    current_cache().reset_memory_cache()
    return [current_cache().get(key) is not None for key in keys]


class TestTop:
    def test_as_a_table(self, command, full):  # noqa: F811
        """A line for each group, the most first."""
        status, out, err = command("cache", "top", "--by", "program", "--sort", "entries", "-n", "1")

        head, line = out.splitlines()
        assert (status, err) == (0, "")
        assert head.split() == ["entries", "bytes", "tokens", "cost", "oldest", "newest", "program"]
        assert line.split()[0] == "2"
        assert line.endswith("(none)")
        assert len(command("cache", "top", "--by", "entry")[1].splitlines()) == 4

    def test_as_json(self, command, full):  # noqa: F811
        """With all figures."""
        (group,) = json.loads(command("cache", "top", "--json")[1])

        assert (group["name"], group["entries"], group["tokens"]) == ("m", 3, 9)


class TestInvalidate:
    def test_by_tag(self, command, full):  # noqa: F811
        """What bears it is not found again."""
        assert command("cache", "invalidate", "mine", "other") == (0, "invalidated: mine, other\n", "")
        time.sleep(0.001)
        current_cache().stamps._due = 0

        assert found("a", "b") == [False, True]

    def test_everything(self, command, full):  # noqa: F811
        """With --all."""
        assert command("cache", "invalidate", "--all", "--json") == (0, '{"invalidated": ["*"]}\n', "")
        assert found("a", "b") == [False, False]

    @pytest.mark.parametrize("words", [(), ("mine", "--all")])
    def test_one_or_the_other(self, command, words):  # noqa: F811
        """Nothing is invalidated by mistake."""
        status, _, err = command("cache", "invalidate", *words)

        assert status == 2
        assert "name the tags to invalidate" in err


class TestMoving:
    def test_there_and_back(self, command, full, tmp_path):  # noqa: F811
        """Into another directory."""
        file = tmp_path / "x.jsonl"

        assert command("cache", "export", file)[:2] == (0, "2 entries, 1 expired, 0 refused\n")
        assert command("cache", "import", file, "--dir", tmp_path / "other")[0] == 0
        other = Cache(disk_cache_dir=tmp_path / "other")
        assert other.get("a") == ANSWER
        other.close()
        again = command("cache", "import", file, "--dir", tmp_path / "other", "--json")[1]
        assert json.loads(again) == {"entries": 0, "left": {"older": 2}, "refused": []}

    def test_by_tag(self, command, full, tmp_path):  # noqa: F811
        """Any of those named."""
        out = command("cache", "export", tmp_path / "x", "--tag", "mine", "--tag", "other", "--json")[1]

        assert json.loads(out)["entries"] == 1

    def test_through_a_pipe(self, command, full, tmp_path, monkeypatch):  # noqa: F811
        """``-`` is stdout, and stdin; the report of an export goes to stderr."""
        status, out, err = command("cache", "export", "-")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(out.encode())))

        assert (status, err) == (0, "2 entries, 1 expired, 0 refused\n")
        assert command("cache", "import", "-", "--dir", tmp_path / "other")[:2] == (0, "2 entries, 0 refused\n")

    def test_a_damaged_file(self, command, full, tmp_path):  # noqa: F811
        """Status 1 and the line; another file is no export at all."""
        file = tmp_path / "x.jsonl"
        command("cache", "export", file)
        file.write_text(file.read_text().replace("yes", "no!", 1))

        status, out, _ = command("cache", "import", file, "--dir", tmp_path / "other")

        assert status == 1
        assert "line 2: the checksum is another" in out
        file.write_text("{}")
        assert command("cache", "import", file)[0] == 2
        assert command("cache", "import", tmp_path / "none")[0] == 2


class TestSweeping:
    def test_verify_and_gc(self, command, full):  # noqa: F811
        """Status 1 for what cannot be read; gc takes it out."""
        full.put("d", b"what?")

        status, out, _ = command("cache", "verify")
        assert status == 1
        assert "2 sound" in out
        assert "1 unreadable" in out
        assert command("cache", "gc")[0] == 0
        assert json.loads(command("cache", "verify", "--json")[1])["tiers"]["disk"] == {"sound": 2}
        assert command("cache", "verify")[0] == 0
        assert json.loads(command("cache", "gc", "--json")[1])["removed"] == 0

    def test_a_cache_that_cannot_be_read(self, command, monkeypatch, full):  # noqa: F811
        """It is told, and is an error."""

        def keys(self):
            raise OSError("gone")

        monkeypatch.setattr("progkit.caching.DiskTier.keys", keys)

        assert command("cache", "gc")[0] == 1
        assert command("cache", "top")[0] == 2
        assert "the disk tier cannot be read: OSError: gone" in command("cache", "export", "-")[2]


class TestServer:
    @pytest.mark.parametrize("way", ["word", "stdin"])
    def test_a_cache_on_a_server(self, command, monkeypatch, way):  # noqa: F811
        """It is told by URL, which may come from stdin so that no list of processes shows it."""
        url = "redis://127.0.0.1:1/0"
        monkeypatch.setattr(sys, "stdin", io.StringIO(f"{url}\n"))

        status, out, _ = command("cache", "verify", "--redis", url if way == "word" else "-")

        assert status == 1
        assert "redis" in out

    def test_one_place(self, command, capsys):  # noqa: F811
        """A directory or a server."""
        with pytest.raises(SystemExit):
            command("cache", "verify", "--redis", "redis://x", "--dir", "y")


class TestExplain:
    def files(self, tmp_path, a, b):
        for name, request in (("a", a), ("b", b)):
            (tmp_path / name).write_text(json.dumps(request), encoding="utf-8")
        return tmp_path / "a", tmp_path / "b"

    @pytest.mark.parametrize("words", [("explain-miss",), ("cache", "explain")])
    def test_which_field(self, command, tmp_path, words):  # noqa: F811
        """Status 1 if there is one; a file may be what ``render --json`` prints."""
        request = {"messages": [{"role": "user", "content": "?"}], "model": "m", "temperature": 0.5}
        files = self.files(tmp_path, request, {"request": request | {"temperature": 0.7}})

        status, out, _ = command(*words, *files)

        assert (status, out) == (1, "different keys\n  temperature: A 0.5, B 0.7\n")
        assert json.loads(command(*words, *files, "--json")[1])["differences"][0]["where"] == "temperature"
        assert command(*words, files[0], files[0])[0] == 0
        assert explain_miss(request, request).same

    @pytest.mark.parametrize(("text", "told"), [("{", "not JSON"), ("[]", "is no request"), ("{}", "is no request")])
    def test_what_is_no_request(self, command, tmp_path, text, told):  # noqa: F811
        """Status 2."""
        (tmp_path / "a").write_text(text)

        status, _, err = command("explain-miss", tmp_path / "a", tmp_path / "a")

        assert status == 2
        assert told in err

"""Export and import: what leaves, what is taken in, and what is refused."""

import io
import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from caches import ANSWER
from hypothesis import given, settings
from hypothesis import strategies as st
from test_caching_codec import responses

from progkit.caching import Cache, MemoryTier, export_cache, export_entries, import_cache, import_entries
from progkit.caching.codec import encode, open_entry
from progkit.caching.tags import PREFIX
from progkit.errors import DocumentError
from progkit.lm.response import Completion, Response


def put(cache, key, response=ANSWER, **fields):
    for tier in cache.tiers:
        tier.put(key, encode(key, response, **fields))


def memory(*tiers):
    return Cache(tiers=list(tiers) or [MemoryTier()])


def exported(cache, *tags, now=100.0):
    out = io.BytesIO()
    return export_entries(cache, out, tags, now=lambda: now), out.getvalue()


def taken(cache, data, now=100.0):
    return import_entries(cache, io.BytesIO(data), "x.jsonl", now=lambda: now)


@pytest.fixture
def full():
    """Three entries: one tagged, one with an end, one that has ended."""
    cache = memory()
    put(cache, "a", created=10.0, tags=("model:m", "mine"))
    put(cache, "b", Response.of("two", "and more"), created=20.0, soft=150.0, expires=200.0)
    put(cache, "c", created=30.0, expires=99.0)
    return cache


class TestExport:
    def test_a_line_for_each_entry(self, full):
        """Between a head and an end; what has expired stays behind."""
        report, data = exported(full)
        head, *lines, end = map(json.loads, data.splitlines())

        assert (head["format"], head["version"]) == ("progkit.cache", [1, 0])
        assert [line["key"] for line in lines] == ["a", "b"]
        assert lines[0]["tags"] == ["model:m", "mine"]
        assert lines[0]["response"]["completions"][0]["text"] == "yes"
        assert (lines[1]["soft"], lines[1]["expires"]) == (150.0, 200.0)
        assert end["entries"] == report.moved == 2
        assert report.left == {"expired": 1}
        assert str(report) == "2 entries, 1 expired, 0 refused"

    def test_by_tag(self, full):
        """Any of them will do."""
        assert exported(full, "mine", "other")[0].moved == 1

    def test_what_was_invalidated_stays_behind(self, full):
        """And stamps are no entries."""
        full.stamps._now = lambda: 15.0
        full.invalidate("mine", "*")

        report, data = exported(full)

        assert report.left == {"invalidated": 1, "expired": 1}
        assert b"stamp" not in data

    def test_what_json_cannot_say_stays_behind(self):
        """Bytes, NaN, names that are no text: what would come back as something else."""
        cache = memory()
        for number, odd in enumerate([b"bytes", [float("inf")], {(1, 2): 3}]):
            put(cache, f"{number}", Response((Completion("a", logprobs=odd),)))

        assert exported(cache)[0].left == {"not to be said in JSON": 3}

    def test_every_tier_is_read_and_each_key_told_once(self, tmp_path):
        """The newest of each."""
        cache = Cache(disk_cache_dir=tmp_path)
        above, below = cache.tiers
        above.put("a", encode("a", Response.of("new"), created=2.0))
        below.put("a", encode("a", Response.of("old"), created=1.0))
        above.put("b", encode("b", ANSWER))
        below.put("c", encode("c", ANSWER))
        below.put("d", b"what?")
        other = memory()

        assert taken(other, exported(cache)[1]).moved >= 3
        assert other.get("a").text == "new"
        assert sorted(other.tiers[0].keys()) == ["a", "b", "c"]
        cache.close()


class TestImport:
    def test_what_was_exported_is_found(self, full):
        """With its times and tags, and byte for byte the second time."""
        other = memory()
        _, data = exported(full)

        report = taken(other, data)

        assert (report.moved, report.left, report.refused) == (2, {}, [])
        assert other.get("a") == ANSWER
        found = open_entry("b", other.tiers[0].get("b"))
        assert (found.created, found.soft, found.expires) == (20.0, 150.0, 200.0)
        assert open_entry("a", other.tiers[0].get("a")).tags == ("model:m", "mine")
        assert exported(other)[1] == data

    def test_the_newer_stays(self, full):
        """Whichever side it is on; what cannot be read is replaced."""
        other = memory()
        put(other, "a", Response.of("newer"), created=11.0)
        other.tiers[0].put("b", b"what?")

        report = taken(other, exported(full)[1])

        assert (report.moved, report.left) == (1, {"older": 1})
        assert other.get("a").text == "newer"
        assert open_entry("b", other.tiers[0].get("b")).response.completions[1].text == "and more"

    def test_it_goes_where_it_lasts(self, tmp_path, full):
        """Past memory, which forgets what it had of it."""
        cache = Cache(disk_cache_dir=tmp_path)
        put(cache, "a", Response.of("old"), created=1.0)

        taken(cache, exported(full)[1])

        above, below = cache.tiers
        assert list(above.keys()) == []
        assert sorted(below.keys()) == ["a", "b"]
        assert cache.get("a") == ANSWER
        cache.close()

    def test_what_is_no_longer_good_is_left(self, full):
        """Expired meanwhile, or invalidated here."""
        other = memory()
        other.stamps._now = lambda: 50.0
        other.invalidate("mine")

        assert taken(other, exported(full)[1], now=201.0).left == {"invalidated": 1, "expired": 1}

    @pytest.mark.parametrize(
        ("edit", "told"),
        [
            (lambda line: line.replace(b"yes", b"no!"), "line 2: the checksum is another"),
            (lambda line: line[:40], "line 2: no entry"),
            (lambda line: b"garbage\n", "line 2: no entry"),
            (lambda line: b"[" * 100_000 + b"\n", "line 2: no entry"),
            (lambda line: b"\x80\x04N.\n", "line 2: no entry"),
            (lambda line: line.replace(b'"key"', b'"kez"'), "line 2: no entry"),
        ],
    )
    def test_a_damaged_line_is_refused(self, full, edit, told):
        """And the others are taken; the end tells that they are not all."""
        lines = exported(full)[1].splitlines(keepends=True)
        lines[1] = edit(lines[1]).rstrip(b"\n") + b"\n"
        other = memory()

        report = taken(other, b"".join(lines))

        assert report.moved == 1
        assert told in report.refused[0]
        assert report.refused[1].startswith("the end")
        assert other.get("a") is None
        assert "2 refused" in str(report)

    @pytest.mark.parametrize("response", [{}, {"completions": [{"text": 5}]}, {"completions": "a"}])
    def test_a_line_with_another_shape_is_refused(self, full, response):
        """Also if its checksum is right."""
        import hashlib

        head, line, *_ = exported(full)[1].splitlines(keepends=True)
        fields = json.loads(line) | {"response": response}
        del fields["sha256"]
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        text = json.dumps(fields | {"sha256": hashlib.sha256(text.encode()).hexdigest()})

        report = taken(memory(), head + text.encode() + b"\n")

        assert report.moved == 0
        assert "line 2: " in report.refused[0]

    def test_a_file_that_was_cut_off(self, full):
        """What came is taken, and it is told."""
        lines = exported(full)[1].splitlines(keepends=True)

        report = taken(memory(), b"".join(lines[:-1]))

        assert report.moved == 2
        assert report.refused == ["the end: lines are missing, or were changed"]
        assert report.to_dict() == {"entries": 2, "left": {}, "refused": report.refused}

    @pytest.mark.parametrize(
        ("head", "told"),
        [
            (b"", "no export of a cache"),
            (b"[]", "no export of a cache"),
            (b"\x80\x04N.", "no export of a cache"),
            (b'{"format": "progkit.state"}', "no export of a cache"),
            (b'{"format": "progkit.cache"}', "version None is not known"),
            (b'{"format": "progkit.cache", "version": [2, 0]}', r"version \[2, 0\] is not known here, only 1.x"),
            (b'{"format": "progkit.cache", "version": [1, 5], "key_version": 9}', "keys are of version 9"),
        ],
    )
    def test_another_file_is_refused_whole(self, head, told):
        """With the line, and why."""
        with pytest.raises(DocumentError, match=told):
            taken(memory(), head + b"\n")

    @settings(max_examples=50, deadline=None)
    @given(st.dictionaries(st.text().filter(lambda key: not key.startswith(PREFIX)), responses, max_size=4))
    def test_all_that_leaves_arrives(self, kept):
        """Whatever an entry holds; stamps, which have keys of their own, are no entries."""
        cache, other = memory(), memory()
        for key, response in kept.items():
            put(cache, key, response, created=1.5)

        report, data = exported(cache, now=0.0)

        assert report.moved + report.left.get("not to be said in JSON", 0) == len(kept)
        assert taken(other, data, now=0.0).moved == report.moved
        for key in list(other.tiers[0].keys()):
            assert other.tiers[0].get(key) == cache.tiers[0].get(key)


class TestFiles:
    def test_there_and_back(self, tmp_path, full):
        """By path."""
        assert export_cache(tmp_path / "x.jsonl", cache=full).moved == 1
        assert import_cache(tmp_path / "x.jsonl", cache=memory()).moved == 1
        assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]

    def test_the_one_in_force(self, tmp_path):
        """Unless another is named."""
        assert export_cache(tmp_path / "x.jsonl").moved == 0
        assert import_cache(tmp_path / "x.jsonl").moved == 0

    def test_a_failed_export_leaves_the_file_as_it_was(self, tmp_path):
        """And nothing beside it."""

        class Broken(MemoryTier):
            def keys(self):
                raise OSError("gone")

        (tmp_path / "x.jsonl").write_text("before")

        with pytest.raises(Exception, match="the memory tier cannot be read: OSError: gone"):
            export_cache(tmp_path / "x.jsonl", cache=memory(Broken()))

        assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x.jsonl", "before")]


def test_a_pipe_is_written_to_and_stays_one(tmp_path):
    """What is no regular file is not replaced by one."""
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit((tmp_path / "pipe").read_bytes)
        report = export_cache(tmp_path / "pipe", cache=Cache(tiers=[MemoryTier()]))

        assert reading.result(10).startswith(b"{")
    assert report.moved == 0
    assert (tmp_path / "pipe").is_fifo()


def test_a_link_is_followed(tmp_path):
    """The file it leads to is the one written."""
    (tmp_path / "link").symlink_to(tmp_path / "real")

    export_cache(tmp_path / "link", cache=Cache(tiers=[MemoryTier()]))

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").is_file()

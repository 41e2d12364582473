"""Numbers that are none, encodings, and files made to cost time or memory: refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from state_files import (
    ROOT,
    a_document,
    a_file,
)
from test_state_hostile import refusal

from progkit import Predict, artifact
from progkit.artifact import comparing
from progkit.artifact.bounding import check_parts
from progkit.errors import DocumentError
from progkit.program import state
from progkit.schema import limits


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.json"


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("NaN", "NaN is not JSON"),
        ("-Infinity", "-Infinity is not JSON"),
        ("1e400", "is beyond any float"),
        ("9" * 5000, "more than 4300 digits"),
        ("9007199254740993", "an integer beyond 2**53"),
        ("1" * 400 + ".0", "is beyond any float"),
        ("9" * 5000 + "x", "an integer of too many digits"),
        ("0x10", "not JSON"),
        ("+1", "not JSON"),
        ("01", "not JSON"),
        (".5", "not JSON"),
        ('{"$int": "1"}', "is not an integer beyond 2**53"),
        ('{"$int": "%s"}' % ("9" * 5000), "is not an integer beyond 2**53"),
        ('{"$int": "٩٠٠٧١٩٩٢٥٤٧٤٠٩٩٣"}', "is not an integer beyond 2**53"),
        ('{"$decimal": "NaN"}', "is not a finite decimal"),
        ('{"$decimal": "sNaN"}', "is not a finite decimal"),
        ('{"$decimal": "Infinity"}', "is not a finite decimal"),
        ('{"$timedelta": "P999999999999DT0.000000S"}', "is not a duration"),
        ('{"$datetime": "9999-12-31T23:59:60"}', "is not a datetime"),
        ('{"$bytes": "AA="}', "is not base64"),
    ],
    ids=lambda each: str(each)[:30],
)  # fmt: skip
def test_numbers_that_are_none(path: Path, number: str, reason: str) -> None:
    """Nowhere in a file, neither plain nor in a tag; the place is told."""
    for start in ('"limit": {"$int": "1152921504606846976"}', '"temperature": 0.5'):
        text = json.dumps(a_document(), ensure_ascii=False)
        assert start in text
        error = refusal(path, text.replace(start, f"{start.partition(':')[0]}: {number}").encode())

        assert reason in error.reason
        assert error.where.startswith(("line 1, column", "state.predictors.read."))


def test_an_integer_that_this_python_does_not_read(path: Path) -> None:
    """Its limit may be set lower than ours; the error is one of ours all the same."""
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        error = refusal(path, json.dumps(a_document()).replace("0.5", "7" * 700).encode())
    finally:
        sys.set_int_max_str_digits(before)

    assert "an integer of too many digits" in error.reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xef\xbb\xbf" + a_file(), "byte order mark"),
        (a_file().decode().encode("utf-16"), "UTF-16"),
        (a_file().decode().encode("utf-16-le"), "UTF-16"),
        (a_file().decode().encode("utf-32"), "UTF-16 or UTF-32"),
        (a_file().decode().encode("latin-1"), "is not UTF-8 text"),
        (a_file().decode().encode("cp037"), "is not UTF-8 text"),
        (a_file().replace("Käse".encode(), b"K\xc0\xa4se"), "is not UTF-8 text"),
        (a_file().replace("Käse".encode(), b"K\xed\xa0\x80se"), "is not UTF-8 text"),
        (a_file().replace("Käse".encode(), b"K\\ud800se"), "lone surrogate"),
        (a_file().replace("Käse".encode(), b"K\0se"), "not JSON"),
        (a_file() + b"\0", "more follows the document"),
        (b"\x1f\x8b\x08\0" + a_file(), "UTF-16 or UTF-32"),
        (b"\x80\x04cos\nsystem\n", "is a pickle"),
    ],
    ids=range(13),
)
def test_encodings_that_are_not_utf8(path: Path, data: bytes, reason: str) -> None:
    """Said by name where it can be."""
    assert reason in refusal(path, data).reason


DEEP = b"[" * 100_000 + b"]" * 100_000
HASHES = json.dumps([{"$int": str((2**61 - 1) * number)} for number in range(1, 40_000)]).encode()
ESCAPES = b'["' + b'\\"' * 500_000
BOMBS: dict[str, tuple[bytes, str]] = {
    "deep": (DEEP, "nested deeper than 64"),
    "deep in settings": (b'{"temperature": %b}' % DEEP, "nested deeper than 64"),
    "deep in a tag": (b'{"a":' * 99 + b"1" + b"}" * 99, "nested deeper than 64"),
    "many lists": (b'{"temperature": [' + b"[]," * 4_000_000 + b"[]]}", "holds more than 4,000,000 values"),
    "many keys": (b"{" + b",".join(b'"%d":0' % each for each in range(200_000)) + b"}", "unknown key"),
    "an open string of escapes": (ESCAPES, "not JSON"),
    "quotes": (b'"' * 1_000_001, "more follows the document"),
    "equal hashes": (b'{"temperature": {"$set": %b}}' % HASHES, "more than 100 members with the same hash"),
    "equal hashes of keys": (
        b'{"temperature": {"$dict": [%b]}}' % b",".join(b"[%b, 0]" % each for each in HASHES[1:-1].split(b", ")),
        "more than 100 members with the same hash",
    ),
    "a long integer": (b'{"temperature": %b}' % (b"9" * 3_000_000), "more than 4300 digits"),
    "a long fraction": (b'{"temperature": 1%b.5}' % (b"9" * 3_000_000), "beyond any float"),
    "a long tag": (b'{"temperature": {"$%b": 1}}' % (b"a" * 1_000_000), "unknown tag"),
}
GUARDED = """
import resource, sys
import progkit
from progkit import Predict

resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
resource.setrlimit(resource.RLIMIT_AS, (700 * 2**20,) * 2)
for path in sys.argv[1:]:
    predict = Predict("question -> answer")
    before = predict.dump_state()
    try:
        predict.load(path)
    except progkit.DocumentError as error:
        assert predict.dump_state() == before
        print(error.reason[:200])
# The most that was resident since this program began; ru_maxrss remembers the process that started it, too.
print(next(int(line.split()[1]) // 1024 for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of address space, and /proc, are Linux's")
def test_bombs_cost_little_time_and_memory(tmp_path: Path) -> None:
    """All of them within some seconds and some hundred megabytes, in a process that is killed for more."""
    sound = artifact.encode(state.capture(Predict("question -> answer")).document)
    files = []
    for number, (bomb, _) in enumerate(BOMBS.values()):
        file = tmp_path / f"{number}.json"
        file.write_bytes(sound.replace(b'"config": {}', b'"config": ' + bomb) if bomb[:1] == b"{" else bomb)
        files.append(file)
    unknown = files[[*BOMBS].index("many keys")]
    unknown.write_bytes(sound.replace(b'"config": {}', BOMBS["many keys"][0][1:-1] + b', "config": {}'))

    done = subprocess.run(
        [sys.executable, "-c", GUARDED, *files], cwd=ROOT, capture_output=True, text=True, check=False
    )

    *told, peak = done.stdout.splitlines() or [""]
    assert done.returncode == 0, done.stderr
    assert [reason in said for said, (_, reason) in zip(told, BOMBS.values(), strict=True)] == [True] * len(BOMBS), told
    assert int(peak) < 500


def test_a_long_text_is_no_bomb() -> None:
    """What is counted is values: commas and brackets in a text are none."""
    for text in (b'["%b"]' % (b"[,{" * 2_000_000), b"[%b1]" % (b"1," * (limits.MAX_PARTS - 2))):
        check_parts(text, "x.json")
    with pytest.raises(DocumentError, match="more than 4,000,000 values"):
        check_parts(b"[%b1]" % (b"1," * limits.MAX_PARTS), "x.json")


def test_a_few_equal_hashes_are_no_attack(path: Path) -> None:
    """-1 and -2 have one hash; and of what has no hash, the error is another."""
    few = [-1, -2, *((2**61 - 1) * number for number in range(1, 50))]
    many: dict[str, Any] = {"$set": [["list"]] * 200}
    attack = {"$set": [{"$int": str((2**61 - 1) * number)} for number in range(1, 102)]}

    assert artifact.decode_value(artifact.encode_value(set(few))) == set(few)
    assert artifact.decode_value(artifact.encode_value(dict.fromkeys(few, 0))) == dict.fromkeys(few, 0)
    with pytest.raises(DocumentError, match="more than 100 members with the same hash"):
        artifact.decode_value(attack)
    with pytest.raises(DocumentError, match="a set cannot hold a list"):
        artifact.decode_value(many)
    with pytest.raises(DocumentError, match="a key cannot be a list"):
        artifact.decode_value({"$dict": [[{"$tuple": [[]]}, 0]]})


def test_very_many_other_names_are_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guess at what was renamed takes its time; a list of all that differs does not."""
    predict = Predict("question -> answer")
    document = predict.dump_state()
    node = document["predictors"]["self"]["signature"]
    for number in range(30):
        node["fields"][f"answer{number}"] = node["fields"]["answer"]
        node["order"].append(f"answer{number}")
    other = Predict("question -> answer, answers")

    guessed = other.load_state(document, strict=False)
    monkeypatch.setattr(comparing, "_MAX_GUESSES", 29)
    listed = other.load_state(document, strict=False)

    assert guessed.fields["self"].renamed == [("answer0", "answers")]
    assert listed.fields["self"].renamed == []
    assert len(listed.fields["self"].removed) == 30

"""Spoils state files and bundles at random and holds progkit to its promises: ``python tests/fuzz_state.py``.

``--seconds N`` (default 60) is how long, ``--seed N`` where to begin, ``--keep DIR`` where the files go that broke
a promise. What is promised: only documented errors, a program that is what it was, and from the commands that read
files the statuses 0, 1 and 2 and never a traceback. ``tests/test_state_fuzz.py`` runs some hundred rounds of it.
"""

import argparse
import io
import json
import random
import shutil
import sys
import time
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

from state_files import ROOT, a_document, a_file, a_program, load, spoil_bytes, spoil_tree

import progkit
from progkit import Predict, artifact
from progkit.artifact.bundle.opening import open_bundle
from progkit.cli import main
from progkit.program.state import capture
from progkit.schema.bundles import MANIFEST

BUNDLE = ROOT / "fixtures" / "bundle" / "1.0" / "desk"
SECONDS = 5.0
"""Of processor time, for one file and all that is done with it."""


def files() -> list[bytes]:
    """The sound files that are spoiled: ours, small and large, one that suffices alone, one of DSPy's."""
    alone = artifact.encode(capture(Predict("question, n: int -> answer: list[str]")).document)
    frozen = sorted((ROOT / "fixtures" / "state" / "1.0").glob("*.json"))
    dspy = ROOT / "fixtures" / "dspy" / "3.4.1" / "states" / "lm_some.json"
    return [a_file(), alone, *(path.read_bytes() for path in frozen), dspy.read_bytes()]


def spoiled(sound: bytes, chance: random.Random) -> bytes:
    """*sound* with something wrong in its text, or in what it says."""
    if chance.random() < 0.4:
        return spoil_bytes(sound, chance)
    document = spoil_tree(json.loads(sound) if chance.random() < 0.5 else a_document(), chance)
    if chance.random() < 0.5:
        return json.dumps(document, ensure_ascii=chance.random() < 0.5).encode(errors="replace")
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    return text.encode(errors="replace")


def judge(path: Path, other: Path) -> None:
    """Read, load and look at the file at *path* in every way; *other* is a sound one.

    Raises:
        Exception: whatever is not promised.
    """
    begun = time.process_time()
    load(a_program(), path)
    try:
        progkit.load(path)
    except (progkit.ArtifactError, progkit.ConfigurationError) as error:
        said = str(error)
        assert said
    out = path.with_suffix(".out.json")
    for words in (
        ["inspect", path],
        ["inspect", "--json", path],
        ["validate", path],
        ["diff", path, other],
        ["diff", "--json", other, path],
        ["migrate", "--check", path],
        ["migrate", path, "-o", out],
    ):
        command(*map(str, words))
    if out.exists():
        assert command("validate", str(out)) in (0, 1)
        assert command("migrate", "--check", str(out)) == 0, "what was migrated is not current"
        out.unlink()
    assert time.process_time() - begun < SECONDS, "took too long"


def judge_bundle(bundle: Path, chance: random.Random) -> None:
    """Spoil one file of a copy of *bundle*, most often its manifest, and look at it in every way.

    Raises:
        Exception: whatever is not promised.
    """
    files = sorted(path for path in bundle.rglob("*") if path.is_file())
    spoiled_one = bundle / MANIFEST if chance.random() < 0.7 else chance.choice(files)
    sound = spoiled_one.read_bytes()
    is_json = spoiled_one.suffix == ".json" and chance.random() < 0.6
    spoiled_one.write_bytes(
        json.dumps(spoil_tree(json.loads(sound), chance), indent=1, sort_keys=True).encode(errors="replace")
        if is_json
        else spoil_bytes(sound, chance)
    )
    try:
        opened = open_bundle(bundle)
    except progkit.ArtifactError as error:
        refused = str(error)
        assert refused
    else:
        assert opened.files["state.json"] == (bundle / "state.json").read_bytes()
    for words in (["inspect"], ["validate"], ["verify"], ["migrate", "--check"]):
        command(*words, str(bundle))
    spoiled_one.write_bytes(sound)


def command(*words: str) -> int:
    """The status of a command, which may be 0, 1 or 2."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as told:
        status = main(words)
    assert status in (0, 1, 2), f"{words} ended with {status}"
    assert "Traceback" not in told.getvalue(), told.getvalue()
    assert status != 2 or told.getvalue().startswith("progkit: "), f"{words} failed and said {told.getvalue()!r}"
    return status


def run(rounds: int | None, seconds: float, seed: int, keep: Path | None = None) -> int:
    """Spoil files, *rounds* of them or for so many *seconds*; how many broke a promise, each told on stderr."""
    sound = files()
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    done = broken = 0
    with TemporaryDirectory() as made:
        path, other = Path(made, "x.json"), Path(made, "sound.json")
        other.write_bytes(sound[0])
        while done < rounds if rounds is not None else time.monotonic() < end:
            data = spoiled(chance.choice(sound), chance)
            path.write_bytes(data)
            try:
                judge(path, other)
                if done % 4 == 0:
                    judge_bundle(Path(shutil.copytree(BUNDLE, Path(made, f"bundle-{done}"))), chance)
            except Exception:  # whatever it is: it is what is looked for
                broken += 1
                traceback.print_exc()
                if keep is not None:
                    (keep / f"broken-{seed}-{done}.json").write_bytes(data)
            done += 1
    print(f"{done} files, {broken} broke a promise", file=sys.stderr)
    return broken


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Spoil state files and hold progkit to its promises.")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, metavar="DIR")
    given = parser.parse_args()
    print(f"seed {given.seed}", file=sys.stderr)
    sys.exit(bool(run(None, given.seconds, given.seed, given.keep)))

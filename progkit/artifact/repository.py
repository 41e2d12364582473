"""What a repository is told so that its saved programs are compared and merged by meaning."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any

from progkit.artifact.git.attributes import BUNDLED, STATE, line, lines_in, patterns_of, with_lines
from progkit.artifact.git.running import Answer, ask, paths_in
from progkit.artifact.git.trying import merges_meaning, shows_meaning
from progkit.artifact.writing import replace
from progkit.errors import ConfigurationError
from progkit.schema import STATE as FORMAT
from progkit.schema.bundles import BUNDLE, MANIFEST

ATTRIBUTES = ".gitattributes"
TEXTCONV = "diff.progkit.textconv"
DRIVER = "merge.progkit.driver"
"""The settings of git that name a command of progkit's."""
_FALLBACK = (
    "{ grep -q '^<<<<<<<' %A || { echo 'progkit did not run, lines were merged in' %P >&2; "
    "git merge-file -q --marker-size=%L -L ours -L base -L theirs %A %O %B; }; exit 1; }"
)
"""What git's shell does after a conflict: if there are no marks, as progkit is gone or broke, theirs comes in by line.
(%P comes quoted.)"""
_AS_IT_IS = "{ echo 'progkit did not run, files are compared as they are' >&2; cat \"$1\"; }"
"""What git's shell does to show a file, if progkit is gone or broke."""
_MARKS = {"text": "unset", "diff": "progkit", "merge": "progkit"}
"""The attributes of a state file, as ``git check-attr`` tells them."""


@dataclass(frozen=True, slots=True)
class Found:
    """The saved programs of a repository, by path from its top: state files, and the directories of bundles."""

    states: list[str]
    bundles: list[str]


@dataclass(frozen=True, slots=True)
class Status:
    """How a repository is set up.

    config: what this clone has otherwise in its configuration than ``install`` would write, name to what is there.
    uncovered: state files without the attributes that let git compare and merge them so. covered: those that have
    them. broken: settings whose command is there and does not do what it should, if that was tried.
    """

    root: str
    config: dict[str, str]
    uncovered: list[str]
    covered: list[str]
    broken: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """The status as plain data."""
        return {
            "root": self.root,
            "config": self.config,
            "uncovered": self.uncovered,
            "covered": self.covered,
            "broken": self.broken,
        }

    def how(self) -> str:
        """How git compares and merges the files that are covered, in words."""
        ways = [self._way(name) for name in (TEXTCONV, DRIVER)]
        return ways[0] if ways[0] == ways[1] else f"compared {ways[0]}, merged {ways[1]}"

    def _way(self, name: str) -> str:
        if name in self.broken or self.config.get(name) == "":
            return "by line"
        return "by another command" if name in self.config else "by meaning"


def root_of(directory: str) -> str:
    """The top of the work tree that *directory* is in.

    Raises:
        ConfigurationError: if it is in none.
    """
    answer = ask(directory, "rev-parse", "--show-toplevel")
    if answer.status != 0:
        raise ConfigurationError(f"{os.path.abspath(directory)} is in no work tree of git: {answer.reason}")
    return os.fsdecode(answer.out).removesuffix("\n")


def find(root: str) -> Found:
    """The saved programs below *root* that git tracks, or would add."""
    answer = _told(root, ask(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"))
    paths = [path for path in dict.fromkeys(paths_in(answer.out)) if path.endswith(".json")]
    bundles = [
        os.path.dirname(path) for path in paths if os.path.basename(path) == MANIFEST and _says(root, path, BUNDLE)
    ]
    return Found([path for path in paths if _says(root, path, FORMAT)], [each for each in bundles if each])


def install(root: str, patterns: list[str]) -> list[str]:
    """Set the repository at *root* up; the lines of ``.gitattributes`` that were added.

    patterns: of the state files; default: the ones that are there now, each by its path.

    Raises:
        ConfigurationError: for a pattern that cannot be, or if there is nothing to name.
    """
    found = find(root)
    chosen = patterns or patterns_of(found.states)
    if not chosen:
        raise ConfigurationError("this repository has no state file of progkit's yet: name some, like 'prompts/*.json'")
    # The later line counts: every file of a bundle first, then the state files among them.
    lines = [line(f"{each}/**", BUNDLED) for each in patterns_of(found.bundles)] + [line(each) for each in chosen]
    text = _attributes(root)
    there = lines_in(text)
    added = [each for each in lines if each not in there]
    ours = [each for each in [*there, *added] if not each.endswith(STATE)]
    ours += [each for each in [*there, *added] if each.endswith(STATE)]
    _put_attributes(root, text, with_lines(text, ours))
    for name, value in settings().items():
        _told(root, ask(root, "config", "--local", "--replace-all", name, value))
    return added


def uninstall(root: str) -> None:
    """Take everything back that ``install`` did, whoever else has written into the same files."""
    text = _attributes(root)
    _put_attributes(root, text, with_lines(text, []))
    for section in ("diff.progkit", "merge.progkit"):
        if ask(root, "config", "--local", "--get-regexp", f"^{section.replace('.', '[.]')}[.]").status == 0:
            _told(root, ask(root, "config", "--local", "--remove-section", section))


def status(root: str, *, check: bool = False) -> Status:
    """How the repository at *root* is set up; *check*: the commands that are configured are tried, too."""
    wanted = settings()
    there = {name: os.fsdecode(ask(root, "config", "--get", name).out).removesuffix("\n") for name in wanted}
    config = {name: there[name] for name, value in wanted.items() if there[name] != value}
    states = find(root).states
    covered = _covered(root, states)
    tries = {TEXTCONV: shows_meaning, DRIVER: merges_meaning} if check else {}
    broken = [name for name, works in tries.items() if there[name] and not works(there[name])]
    return Status(root, config, [path for path in states if path not in covered], [*covered], broken)


def settings() -> dict[str, str]:
    """The configuration of a clone: how to run this progkit, from any directory, with the Python that it is in.

    Raises:
        ConfigurationError: if progkit is not installed in that Python.
    """
    command = _command()
    # In a driver, % begins a placeholder (gitattributes, "Defining a custom merge driver"). After --, all are names.
    driver = command.replace("%", "%%")
    return {
        # Git appends the name of the file.
        TEXTCONV: f'shown() {{ {command} git textconv -- "$1" 2>/dev/null || {_AS_IT_IS}; }}; shown',
        "diff.progkit.xfuncname": "^((predictor|part) .*)$",
        "merge.progkit.name": "progkit: saved programs by predictor, field and demo",
        DRIVER: f"{driver} git merge-driver -- %O %A %B %L %P %X %Y || {_FALLBACK}",
    }


def _command() -> str:
    # -P: the directory that git happens to be in is no place to import from.
    words = [os.path.abspath(sys.executable), "-P", "-m", "progkit"]
    done = subprocess.run([*words, "--version"], cwd=os.path.abspath(os.sep), capture_output=True, check=False)
    if done.returncode != 0:
        raise ConfigurationError(
            f"{sys.executable} cannot run progkit from another directory: install progkit there (pip install progkit)"
        )
    return shlex.join(words)


def _says(root: str, path: str, kind: str) -> bool:
    """Whether the file at *path* is a document of a *kind*; one that cannot be read is none."""
    try:
        whole = os.path.join(root, path)
        if os.path.islink(whole) or not os.path.isfile(whole):
            return False
        with open(whole, "rb") as file:
            data = file.read()
        # JSON is decoded only where it may matter: a repository may hold large files of others.
        document = json.loads(data) if f'"{kind}"'.encode() in data else None
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("format") == kind


def _covered(root: str, paths: list[str]) -> dict[str, None]:
    """Those of *paths* that have the attributes of a state file."""
    names = b"".join(os.fsencode(path) + b"\0" for path in paths)
    answer = _told(root, ask(root, "check-attr", "-z", "--stdin", *_MARKS, data=names))
    words = [os.fsdecode(each) for each in answer.out.split(b"\0")[:-1]]
    marks = {(path, name): value for path, name, value in zip(words[::3], words[1::3], words[2::3], strict=True)}
    return {path: None for path in paths if all(marks[path, name] == value for name, value in _MARKS.items())}


def _attributes(root: str) -> str:
    try:
        with open(os.path.join(root, ATTRIBUTES), encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _put_attributes(root: str, before: str, text: str) -> None:
    path = os.path.join(root, ATTRIBUTES)
    if os.path.islink(path):
        raise ConfigurationError(f"{path} is a link, which git does not follow: make it a file")
    if text == before:
        return
    if text:
        replace(path, text.encode(errors="surrogateescape"))
    else:
        os.unlink(path)


def _told(root: str, answer: Answer) -> Answer:
    """*answer*, if it is one.

    Raises:
        ConfigurationError: with git's own words.
    """
    if answer.status != 0:
        raise ConfigurationError(f"git in {root}: {answer.reason}")
    return answer

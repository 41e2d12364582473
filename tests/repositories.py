"""Git repositories of a test's own, and small documents to put into them."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from progkit import artifact, schema
from progkit.artifact.merging.marking import marked, resolved

Document = dict[str, Any]


class Repository:
    """A git repository at *path*; whatever this machine's users have configured counts for nothing in it."""

    def __init__(self, path: Path, *options: str) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self.git("init", "--quiet", "--initial-branch=main", *options)

    @classmethod
    def at(cls, path: Path) -> "Repository":
        """The repository that is at *path* already, or around it."""
        found = cls.__new__(cls)
        found.path = path
        return found

    def git(self, *words: str, status: int = 0) -> str:
        """What git prints when run here; it must end with *status*."""
        done = subprocess.run(
            ["git", *words], cwd=self.path, capture_output=True, text=True, timeout=60, check=False, encoding="utf-8"
        )
        assert done.returncode == status, f"git {words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def write(self, name: str, content: Document | str | bytes) -> Path:
        """Put *content* into the file *name*: a document in its canonical form."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = artifact.encode(content) if isinstance(content, dict) else content
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    def commit(self, files: Mapping[str, Any] | None = None, tag: str = "") -> str:
        """Commit *files* and whatever else has changed; the id of the commit."""
        for name, content in (files or {}).items():
            self.write(name, content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", tag or "a change")
        if tag:
            self.git("tag", "--annotate", "--message", tag, tag)
        return self.git("rev-parse", "HEAD").strip()


def isolate(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Let git, run from this process, know nothing of this machine's users."""
    for name in [each for each in os.environ if each.startswith("GIT_")]:
        monkeypatch.delenv(name)
    values = {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Ann",
        "GIT_AUTHOR_EMAIL": "ann@example.com",
        "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
        "GIT_COMMITTER_NAME": "Ann",
        "GIT_COMMITTER_EMAIL": "ann@example.com",
        "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)


# --- documents ------------------------------------------------------------------------------------

LINES = ("Answer the question.", "", "Be brief.", "", "Say where you know it from.")


def demos(*questions: str) -> list[Document]:
    """A demo for each of *questions*."""
    values = [{"question": each, "answer": f"{each}!"} for each in questions]
    return [{"id": name, "values": each} for name, each in zip(artifact.demo_ids(values), values, strict=True)]


def field(role: str, name: str, **given: Any) -> Document:
    """A field of text."""
    plain = {"role": role, "type": "str", "desc": f"${{{name}}}", "prefix": f"{name.title()}:", "constraints": {}}
    return {**plain, **given}


def predictor(*questions: str, instructions: Sequence[str] = LINES, **config: Any) -> Document:
    """The node of a predictor with these demos and *config*."""
    fields = {"question": field("input", "question"), "answer": field("output", "answer")}
    signature = {"name": "QA", "instructions": [*instructions], "order": ["question", "answer"], "fields": fields}
    return {"config": config, "demos": demos(*questions), "lm": None, "signature": signature}


def document(**predictors: Document) -> Document:
    """A document of the current version with these predictors."""
    return {
        **schema.header(),
        "saved_with": {"progkit": "0.1.0", "python": "3.11"},
        "program": "desk:Desk",
        "state": {"predictors": predictors},
    }


def changed(before: Document, *changes: Callable[[Document], Any]) -> Document:
    """*before*, with each of *changes* done to its predictors."""
    after = deepcopy(before)
    for change in changes:
        change(after["state"]["predictors"])
    return after


def require_marked(node: Document) -> None:
    """Who keeps one side of every conflict has that side's document, in its canonical form."""
    text = marked(node).decode()
    for ours in (True, False):
        kept, side = [], ""
        for line in text.splitlines():
            if line[:7] in ("<" * 7, "=" * 7, ">" * 7):
                side = {"<": "ours", "=": "theirs", ">": ""}[line[0]]
            elif side in ("", "ours" if ours else "theirs"):
                kept.append(line)
        chosen = resolved(node, ours)
        assert "\n".join(kept) == json.dumps(chosen, indent=1, sort_keys=True, ensure_ascii=False)

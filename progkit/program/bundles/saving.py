"""A program written as a bundle: its state, its structure, its source, what it needs, and the list of it all.

Everything is made in memory, then placed in one step, once a process that knows nothing of the project has loaded it.
"""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import ModuleType
from typing import Literal

from progkit import artifact
from progkit.artifact.bundle.capturing import Captured, capture
from progkit.artifact.bundle.finding import Finder, Owner
from progkit.artifact.bundle.manifest import manifest, say_the_same
from progkit.artifact.bundle.opening import Opened, digest_of, is_bundle, open_bundle
from progkit.artifact.bundle.pickling import MAINS, Pickled, Rules, pickled
from progkit.artifact.bundle.placing import place
from progkit.artifact.bundle.requirements import Needs, needs
from progkit.artifact.bundle.secrecy import Secrets, line_in
from progkit.artifact.decoding import decode
from progkit.artifact.trust import remember
from progkit.errors import ConfigurationError, DocumentError, UnsavableError
from progkit.program import state, tree
from progkit.program.bundles.choosing import Chosen, choose, class_path
from progkit.program.bundles.proving import Proof
from progkit.program.bundles.reducing import Reducing
from progkit.program.bundles.replies import NAME as CACHE
from progkit.program.bundles.replies import Replies, replies
from progkit.program.bundles.scripts import GUARDED, Script, script_of
from progkit.program.module import Module
from progkit.schema.bundles import MANIFEST


def save_bundle(
    program: Module,
    path: str | os.PathLike[str],
    modules_to_serialize: Sequence[ModuleType | str] | None = None,
    cache: str | os.PathLike[str] | Literal[False] | None = None,
) -> state.SaveReport:
    """Write *program* as a bundle into the directory *path*; see ``Module.save``."""
    if os.fspath(path).endswith(".json"):
        raise ConfigurationError(f"a bundle is a directory; {os.fspath(path)!r} is the name of a state file")
    where = os.path.abspath(path)  # now: what it counts from may be about to be replaced
    recorded = replies(cache, path, program)
    making = _Making(program, modules_to_serialize, recorded)
    files = making.files()
    listed = manifest(files, making.pickled, making.captured, making.told())
    proof = Proof(making.pickled, making.captured)
    there = _same(path, files, listed)
    if there is not None:
        proof.require(os.fspath(path), there.digest)
    else:
        digest = digest_of(listed)
        place(path, {**files, MANIFEST: listed}, lambda new: proof.require(new, digest))
    digest = digest_of(listed) if there is None else there.digest
    remember(digest, where)
    return making.report(os.fspath(path), there is None, digest)


class _Making:
    """A bundle in the making: what of the program travels, by whatever way."""

    def __init__(self, program: Module, names: Sequence[ModuleType | str] | None, recorded: Replies) -> None:
        self.program = program
        self.recorded = recorded
        self.finder = Finder()
        self.chosen: Chosen = choose(program, names, self.finder)
        self.state = state.capture(program, without=self.chosen.left_out)
        self.script: Script | None = script_of(self.finder) if self.chosen.modules is None else None
        parts = list(tree.walk(program, without=self.chosen.left_out))
        self.reducing = Reducing(
            {id(part): path for path, part in parts if tree.is_predictor(part)}, self.chosen.left_out
        )
        self.pickled: Pickled = pickled(program, self._rules())
        self.captured: Captured = self._captured()
        self.needs: Needs = needs(self.captured.foreign, self.finder)

    def files(self) -> dict[str, bytes]:
        """Every file but the manifest.

        Raises:
            UnsavableError: for a secret in one of them.
        """
        places = self.captured.files()
        files = {
            "state.json": artifact.encode(self.state.document),
            "program.pkl": self.pickled.data,
            "requirements.txt": self.needs.text().encode(),
            **{place: self.captured.sources[name].data for name, place in places.items()},
        }
        if self.recorded.data is not None:
            files[CACHE] = self.recorded.data
        self._require_no_secret(files)
        return files

    def _require_no_secret(self, files: Mapping[str, bytes]) -> None:
        secrets = Secrets()
        sources = {place: self.captured.sources[name].tree() for name, place in self.captured.files().items()}
        for path, data in files.items():
            # What a state's texts look like is told and no more, as they are what a prompt says.
            at = secrets.place_of_value(data) if path == "state.json" else secrets.place_in(data)
            tree = sources.get(path)
            line = (line_in(tree) if tree else None) if at is None else data.count(b"\n", 0, at) + 1
            if line is not None:
                raise UnsavableError(f"{path}, line {line}", "holds what looks like a secret; read it from elsewhere")

    def told(self) -> dict[str, object]:
        """What the manifest says of the program."""
        return {
            "program": class_path(self.program),
            "left_out": self.reducing.met,
            "dependencies": self.needs.dependencies,
        }

    def report(self, path: str, changed: bool, digest: str) -> state.SaveReport:
        """What was done, and what the user should know of it."""
        local = [f"{each}: names a directory of this machine, and so does program.pkl" for each in self.pickled.local]
        looks = [f"state.json, {each}" for each in artifact.suspects(self.state.document)]
        notes = [*self._left_out(), *self._bytecode(), *self.captured.notes, *self.needs.notes]
        notes += [*self.reducing.notes, *local, *looks]
        notes += [self.recorded.note] if self.recorded.note else []
        return state.SaveReport(
            path,
            changed,
            [*self.state.dropped, *self.reducing.dropped],
            digest,
            "bytecode" if self.pickled.by_value else "source",
            notes,
        )

    def _left_out(self) -> Iterator[str]:
        for path, kind in self.reducing.met.items():
            yield f"left out: {path} ({kind}); load(path, parts={{{path!r}: ...}}) supplies it"

    def _bytecode(self) -> Iterator[str]:
        if not self.pickled.by_value:
            return
        told = f"travels as bytecode, which this Python alone can run: {', '.join(self.pickled.by_value)}"
        main = getattr(sys.modules.get("__main__"), "__file__", None)
        is_of_script = self.script is None and any(each.endswith(" of __main__") for each in self.pickled.by_value)
        yield f"{told}; {GUARDED}" if main and is_of_script else told

    def _rules(self) -> Rules:
        places = {os.path.expanduser("~")}
        with suppress(FileNotFoundError):  # somebody removed it
            places.add(os.getcwd())
        return Rules(
            self.reducing,
            self._is_own,
            self._goes_by_value,
            {} if self.script is None else {"__main__": self.script.name},
            tuple(sorted(each.rstrip(os.sep) + os.sep for each in places if len(each) > 1)),
            bool(self.chosen.left_out),
        )

    def _is_own(self, module: str) -> bool:
        return self.finder.owner(module) in (Owner.OWN, Owner.PROGKIT, Owner.UNKNOWN)

    def _goes_by_value(self, module: str) -> bool:
        """Whether no source of *module* could be imported where the bundle is loaded."""
        if module in MAINS:
            return self.script is None or module != "__main__"
        owner = self.finder.owner(module)
        return owner is Owner.UNKNOWN or (owner is Owner.OWN and not self.finder.is_importable(module))

    def _captured(self) -> Captured:
        needed = {module: where for (module, _), where in self.pickled.named.items()}
        own = {} if self.script is None else {self.script.name: self.script.source}
        own = {name: each for name, each in own.items() if name in needed}
        return capture(needed, self.finder, self.chosen.modules, self.pickled.imported, own)


def _same(path: str | os.PathLike[str], files: Mapping[str, bytes], listed: bytes) -> Opened | None:
    """The bundle at *path*, if it is the one that would be written, but for who wrote it."""
    if not is_bundle(path):
        return None
    try:
        there = open_bundle(path)
    except DocumentError:
        return None
    is_same = there.files == files and say_the_same(there.manifest, decode(listed, MANIFEST))
    return there if is_same else None

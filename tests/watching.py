"""A command run in a process of its own that reports everything by which code of a stranger could run, or get out.

Run as a program: ``watching.py ROOT ALLOWED MARK WORD...``, where ROOT is the hostile bundle, ALLOWED a directory that
may be written to, MARK a text that all of the stranger's code has in it, and the words are those of ``progkit``, or
``load PATH`` for ``progkit.load``. What it saw is on the last line of stdout, as JSON.
"""

import json
import os
import sys
from types import CodeType
from typing import Any

STARTS = ("subprocess.", "socket.", "pickle.", "webbrowser.", "urllib.", "http.", "ftplib.", "smtplib.", "telnetlib.")
NEVER = ("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "os.kill")
NEVER += ("os.chdir", "sys.settrace", "sys.setprofile", "pty.spawn", "ctypes.call_function")
WRITES = (
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.link",
    "os.symlink",
    "os.chmod",
    "os.chown",
    "os.truncate",
)
WRITES += ("os.utime", "os.setxattr", "shutil.copyfile", "shutil.move", "shutil.rmtree", "tempfile.mkstemp")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Watch:
    """An audit hook and what it *seen*."""

    def __init__(self, root: str, allowed: str, mark: str) -> None:
        self.root = root
        self.allowed = allowed
        self.mark = mark
        self.seen: list[str] = []

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """Note what must not be."""
        if self._is_foreign(event, args):
            self.seen.append(f"{event} {args!r}"[:300])

    def _is_foreign(self, event: str, args: tuple[Any, ...]) -> bool:
        if event.startswith(STARTS) or event in NEVER:
            return True
        if event in WRITES:
            return not self._is_allowed(args[0])
        if event == "open":
            flags = args[2] if isinstance(args[2], int) else 0
            return bool(flags & WRITING) and not self._is_allowed(args[0])
        if event == "import":
            return self.mark in str(args[0]) or self.root in str(args[1])
        if event == "exec":
            return self._is_marked(args[0])
        if event == "compile":
            return self.mark in repr(args[0]) or self.root in str(args[1])
        return event == "marshal.loads" and self.mark.encode() in bytes(args[0])

    def _is_allowed(self, path: Any) -> bool:
        if isinstance(path, int):
            return True  # it was opened before
        return os.path.realpath(os.fsdecode(path)).startswith((self.allowed + os.sep, os.devnull))

    def _is_marked(self, code: Any) -> bool:
        if not isinstance(code, CodeType):
            return self.mark in repr(code)
        below = any(self._is_marked(each) for each in code.co_consts if isinstance(each, CodeType))
        return below or code.co_filename.startswith(self.root) or self.mark in repr((code.co_consts, code.co_names))


def main() -> None:
    """Run the words and report."""
    root, allowed, mark, *words = sys.argv[1:]
    import progkit
    from progkit.cli import main as command

    watch = Watch(os.path.realpath(root), os.path.realpath(allowed), mark)
    sys.addaudithook(watch)
    before = list(sys.path), list(sys.meta_path), list(sys.path_hooks)
    if words[0] == "load":
        try:
            progkit.load(words[1])
            status = 0
        except progkit.ProgkitError as error:
            print(error)
            status = 2
    else:
        status = command(words)
    loaded = [name for name, module in sys.modules.items() if watch.root in str(getattr(module, "__file__", ""))]
    changed = before != (sys.path, sys.meta_path, sys.path_hooks)
    print("\n" + json.dumps({"status": status, "seen": watch.seen, "loaded": loaded, "changed": changed}))


if __name__ == "__main__":
    main()

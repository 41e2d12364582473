"""Where in the user's own code an error came up."""

import os
import sysconfig
import traceback

_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def place(error: BaseException) -> str:
    """``desk.py:12``: the last line on the way to *error* that is not progkit's, Python's or a library's; or ""."""
    if isinstance(error, SyntaxError) and error.filename and not error.filename.startswith("<"):
        return f"{os.path.basename(error.filename)}:{error.lineno}"
    names = sysconfig.get_paths()
    others = [_OURS, *(names[each] for each in ("stdlib", "platstdlib", "purelib", "platlib"))]
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        file = frame.f_code.co_filename
        path = os.path.abspath(file)
        if not file.startswith("<") and not any(path.startswith(os.path.join(each, "")) for each in others):
            return f"{os.path.basename(file)}:{line}"
    return ""


def sentence(error: BaseException) -> str:
    """*error* in a line: its class, what it says, and where it came up."""
    where = place(error)
    said = error.msg if isinstance(error, SyntaxError) else error
    return f"{type(error).__name__}: {said}" + (f" ({where})" if where else "")

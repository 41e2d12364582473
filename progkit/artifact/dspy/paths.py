"""Paths of predictors, DSPy's and ours: ``by_lang['en'].predict`` is our ``by_lang["en"].predict``.

DSPy writes any key of a dict between single quotes, as ``str`` gives it: ``['7']`` may be the key "7" or the key 7.
"""

import json
import re

_STEP = re.compile(r"\['(?P<key>.*?)'\](?=$|\.|\[)|\[(?P<index>\d+)\]|(?:^|\.)(?P<name>[^.\[\]]+)", re.DOTALL)
_OWN_STEP = re.compile(
    r'\[(?P<key>"(?:[^"\\]|\\.)*")\]|\[(?P<index>[^"\]]*)\]|\.?(?P<name>"(?:[^"\\]|\\.)*"|[^.\[\]"]+)'
)


def ours(path: str) -> str:
    """DSPy's *path* as ours; what is no path of DSPy's stays as it is."""
    steps = []
    place = 0
    while place < len(path):
        found = _STEP.match(path, place)
        if found is None:
            return path
        steps.append(_own(found))
        place = found.end()
    return "".join(steps).removeprefix(".")


def theirs(path: str) -> str:
    """Our *path* as DSPy writes it."""
    return "".join(map(_foreign, _OWN_STEP.finditer(path))).removeprefix(".")


def loose(path: str) -> str:
    """Our *path* with every index as a text key: what a path of DSPy's is if it stands for a key that is no text."""
    return _OWN_STEP.sub(lambda found: f"[{_quoted(found['index'])}]" if found["index"] else found[0], path)


def _own(found: re.Match[str]) -> str:
    if found["key"] is not None:
        return f"[{_quoted(found['key'])}]"
    if found["index"] is not None:
        return found[0]
    return f".{found['name']}" if found["name"].isidentifier() else f".{_quoted(found['name'])}"


def _foreign(found: re.Match[str]) -> str:
    if found["key"] is not None:
        return f"['{json.loads(found['key'])}']"
    if found["index"] is not None:
        return found[0]
    name = found["name"]
    return f".{json.loads(name) if name.startswith(chr(34)) else name}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)

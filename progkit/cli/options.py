"""The words of the command line; nothing heavy is imported to know them."""

import argparse
from collections.abc import Sequence
from typing import TypeAlias

from progkit.version import __version__

_TRUST = "hosts that an LM saved in the file may send prompts to"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options in *arguments* (default: the process's); ``room`` among them names the command's module.

    Exits with status 2 for what is not understood.
    """
    top = parser()
    options, rest = top.parse_known_args(arguments)
    # argparse takes positional words from one place alone: FIELD=VALUE may also stand after the options.
    if rest and (not hasattr(options, "fields") or any(word.startswith("-") for word in rest)):
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    if rest:
        options.fields.extend(rest)
    return options


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = argparse.ArgumentParser(prog="progkit", description="Ship LM programs: run, inspect and warm what was saved.")
    top.add_argument("--version", action="version", version=f"progkit {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _demo(commands)
    _run(commands)
    _inspect(commands)
    _warm(commands)
    _cache(commands)
    return top


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(commands: _Commands, name: str, room: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.set_defaults(room=room)
    command.add_argument("--json", action="store_true", help="print JSON")
    return command


def _demo(commands: _Commands) -> None:
    command = _command(commands, "demo", "tour", "show the whole loop on a program that comes with progkit, offline")
    command.add_argument("--keep", metavar="DIR", help="leave the files it makes in DIR")


def _file(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="a saved state, .json")
    command.add_argument(
        "--program", metavar="MODULE:CLASS", help="the program's class, imported and called without arguments"
    )
    command.add_argument(
        "--lm", metavar="MODEL", help="the LM for predictors that the file gives none, like openai/gpt-4o-mini"
    )
    command.add_argument("--api-base", metavar="URL", help="the endpoint of --lm")
    command.add_argument("--allow-endpoint", metavar="HOST", action="append", default=[], help=_TRUST)
    command.add_argument("--no-strict", action="store_true", help="load what fits, and tell what does not")


def _run(commands: _Commands) -> None:
    command = _command(commands, "run", "run", "run a saved program")
    _file(command)
    command.add_argument(
        "fields", metavar="FIELD=VALUE", nargs="*", help="inputs; the value of a field that is not text is JSON"
    )
    command.add_argument("--input", metavar="JSONL", help="one JSON object of inputs a line; - is stdin")
    command.add_argument("--output", metavar="JSONL", help="where the answers of --input go; default stdout")
    command.add_argument("--offline", action="store_true", help="answer from the cache alone")


def _inspect(commands: _Commands) -> None:
    command = _command(commands, "inspect", "inspection", "show what a file holds; runs nothing")
    command.add_argument("file", metavar="FILE", help="a saved state, .json")


def _warm(commands: _Commands) -> None:
    command = _command(commands, "warm", "warming", "fill the cache from the demos of a saved program")
    _file(command)
    command.add_argument(
        "--mode", choices=("demos", "call"), default="demos", help="call: ask the LM for what is not cached"
    )
    command.add_argument("--concurrency", type=int, default=4, metavar="N", help="calls at once (default 4)")
    command.add_argument("--max-cost", type=float, metavar="DOLLARS", help="ceiling for --mode call")


def _cache(commands: _Commands) -> None:
    command = _command(commands, "cache", "store", "look at or empty the cache")
    command.add_argument("action", choices=("stats", "clear", "path"))

"""The words of the command line; nothing heavy is imported to know them."""

import argparse
from collections.abc import Sequence
from typing import TypeAlias

from progkit.version import __version__

_STATE = "a saved state, .json, progkit's or DSPy's"
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
    _validate(commands)
    _diff(commands)
    _migrate(commands)
    _export(commands)
    _render(commands)
    _warm(commands)
    _cache(commands)
    _explain(commands)
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
    command.add_argument("file", metavar="FILE", help=_STATE)
    _program(command)
    command.add_argument(
        "--lm", metavar="MODEL", help="the LM for predictors that the file gives none, like openai/gpt-4o-mini"
    )
    command.add_argument("--api-base", metavar="URL", help="the endpoint of --lm")
    command.add_argument("--allow-host", metavar="HOST", action="append", default=[], help=_TRUST)
    command.add_argument("--no-strict", action="store_true", help="load what fits, and tell what does not")


def _program(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--program",
        metavar="MODULE:CLASS",
        help="the program's class, imported and called without arguments; or the signature of a single predictor, "
        "like 'question -> answer: float'",
    )


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
    command.add_argument("file", metavar="FILE", help=_STATE)


def _validate(commands: _Commands) -> None:
    command = _command(commands, "validate", "validation", "say whether files can be loaded; runs nothing of theirs")
    command.add_argument("files", metavar="FILE", nargs="+", help=_STATE)
    _program(command)


def _diff(commands: _Commands) -> None:
    command = _command(commands, "diff", "difference", "tell what two saved programs differ in")
    command.add_argument("a", metavar="A", help=_STATE)
    command.add_argument("b", metavar="B", help=_STATE)
    command.add_argument("--prompts", action="store_true", help="compare the texts that would be sent")
    command.add_argument("--adapter", choices=("chat", "json"), default="chat", help="of --prompts (default chat)")
    _program(command)


def _migrate(commands: _Commands) -> None:
    command = _command(commands, "migrate", "migration", "write a file of DSPy's, or an older one, as one of today")
    command.add_argument("file", metavar="FILE", help=_STATE)
    command.add_argument("-o", "--output", metavar="OUT", required=True, help="where to; may be FILE")
    _program(command)
    command.add_argument("--layout", metavar="VERSION", help="lay prompts out as this DSPy does, like 3.4")
    command.add_argument("--no-strict", action="store_true", help="with --program: take what fits")


def _export(commands: _Commands) -> None:
    command = _command(commands, "export", "exporting", "write a saved program as a file that DSPy loads")
    command.add_argument("file", metavar="FILE", help=_STATE)
    command.add_argument("--to", choices=("dspy",), required=True, help="whose file")
    command.add_argument("-o", "--output", metavar="OUT", required=True, help="where to")
    _program(command)
    command.add_argument("--no-strict", action="store_true", help="with --program: take what fits")


def _render(commands: _Commands) -> None:
    command = _command(commands, "render", "rendering", "print the messages that would be sent; sends nothing")
    _file(command)
    command.add_argument(
        "fields", metavar="FIELD=VALUE", nargs="*", help="inputs; the value of a field that is not text is JSON"
    )
    command.add_argument("--predictor", metavar="PATH", help="which predictor, if the file holds several")
    command.add_argument("--adapter", choices=("chat", "json"), default="chat", help="the adapter (default chat)")
    command.add_argument("--layout", metavar="VERSION", help="the layout of this DSPy; default: the predictor's own")


def _warm(commands: _Commands) -> None:
    command = _command(commands, "warm", "warming", "fill the cache from the demos of a saved program")
    _file(command)
    command.add_argument(
        "--mode", choices=("demos", "call"), default="demos", help="call: ask the LM for what is not cached"
    )
    command.add_argument("--concurrency", type=int, default=4, metavar="N", help="calls at once (default 4)")
    command.add_argument("--max-cost", type=float, metavar="DOLLARS", help="ceiling for --mode call")


def _cache(commands: _Commands) -> None:
    text = "look at the cache, move, invalidate or empty it"
    actions = commands.add_parser("cache", help=text, description=text[0].upper() + text[1:] + ".").add_subparsers(
        title="actions", metavar="ACTION", required=True
    )

    def action(name: str, text: str, room: str = "store") -> argparse.ArgumentParser:
        command = _command(actions, name, room, text)
        command.set_defaults(action=name)
        if room == "store":
            where = command.add_mutually_exclusive_group()
            where.add_argument("--dir", metavar="DIR", help="the cache in DIR; default: PROGKIT_CACHE_DIR")
            where.add_argument("--redis", metavar="URL", help="the cache on this server; - reads the URL from stdin")
            command.add_argument("--namespace", metavar="NAME", default="", help="the namespace whose tags count")
        return command

    action("path", "print the directory")
    action("stats", "count entries and bytes")
    action("clear", "forget everything")
    action("verify", "read every entry, and change nothing")
    action("gc", "take out what has expired, was invalidated or cannot be read")
    command = action("top", "print what takes the most")
    command.add_argument("--by", choices=("model", "program", "version", "tag", "source", "entry"), default="model")
    command.add_argument("--sort", choices=("entries", "bytes", "tokens", "cost"), default="bytes")
    command.add_argument("-n", dest="number", type=int, default=10, metavar="N", help="lines (default 10)")
    command = action("invalidate", "let what bears a tag not be found again")
    command.add_argument("tags", metavar="TAG", nargs="*", help="like model:openai/gpt-4o-mini, or a tag of your own")
    command.add_argument("--all", action="store_true", help="everything")
    command = action("export", "write the entries as JSON Lines")
    command.add_argument("file", metavar="FILE", help="where to; - is stdout")
    command.add_argument("--tag", action="append", default=[], help="only what bears it; may be said several times")
    command = action("import", "merge exported entries; of two the newer stays")
    command.add_argument("file", metavar="FILE", help="where from; - is stdin")
    _requests(action("explain", "tell which field made two requests differ", "explaining"))


def _requests(command: argparse.ArgumentParser) -> None:
    for name in ("a", "b"):
        command.add_argument(name, metavar=name.upper(), help="a JSON file of a request, as dict(request) gives it")


def _explain(commands: _Commands) -> None:
    _requests(_command(commands, "explain-miss", "explaining", "tell which field made two requests differ"))

"""The words of the command line; nothing heavy is imported to know them."""

import argparse
from collections.abc import Sequence
from typing import TypeAlias

from progkit.errors import did_you_mean
from progkit.version import __version__

_STATE = "a saved state, .json, progkit's or DSPy's; or a bundle, a directory"
_BUNDLE = "a saved program with its code, a directory"
_AT = "read FILE at this git revision, like FILE@v1.2; the work tree is not touched"
_ONLY_OURS = "pass over files that do not say they are progkit's, as a hook names every file that changed"
_KEY = "a public key that must have signed, PEM or base64; of several one is enough"
_TRUST = "hosts that an LM saved in the file may send prompts to"


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options in *arguments* (default: the process's); ``room`` among them names the command's module.

    Exits with status 2 for what is not understood.
    """
    options, rest = parser().parse_known_args(arguments)
    command: argparse.ArgumentParser = options.command
    del options.command
    # argparse takes positional words from one place alone: FIELD=VALUE may also stand after the options.
    if rest and (not hasattr(options, "fields") or any(word.startswith("-") for word in rest)):
        # argparse has no public list of a parser's options.
        known = list(command._option_string_actions)
        told = (f"{word}{did_you_mean(word.partition('=')[0], known)}" for word in rest)
        command.error(f"unrecognized arguments: {' '.join(told)}")
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
    _batch(commands)
    _inspect(commands)
    _validate(commands)
    _diff(commands)
    _compat(commands)
    _git(commands)
    _migrate(commands)
    _export(commands)
    _sign(commands)
    _verify(commands)
    _trust(commands)
    _untrust(commands)
    _render(commands)
    _warm(commands)
    _cache(commands)
    _explain(commands)
    return top


_Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _command(commands: _Commands, name: str, room: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    command.set_defaults(room=room, command=command)
    command.add_argument("--json", action="store_true", help="print JSON")
    return command


def _demo(commands: _Commands) -> None:
    command = _command(commands, "demo", "tour", "show the whole loop on a program that comes with progkit, offline")
    command.add_argument("--keep", metavar="DIR", help="leave the files it makes in DIR")


def _file(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help=_STATE)
    command.add_argument("--at", metavar="REVISION", help=_AT)
    _program(command)
    command.add_argument(
        "--lm", metavar="MODEL", help="the LM for predictors that the file gives none, like openai/gpt-4o-mini"
    )
    command.add_argument("--replace-lm", action="store_true", help="use --lm for every predictor all the same")
    command.add_argument("--api-base", metavar="URL", help="the endpoint of --lm")
    command.add_argument("--allow-host", metavar="HOST", action="append", default=[], help=_TRUST)
    command.add_argument("--no-strict", action="store_true", help="load what fits, and tell what does not")
    command.add_argument("--trust", metavar="DIGEST", help="the digest of a bundle whose code may run, or: code")
    command.add_argument(
        "--key", metavar="PUB", action="append", default=[], help="a public key that must have signed the bundle"
    )


def _parts(command: argparse.ArgumentParser) -> None:
    text = "what stands in for a part that a bundle left out: imported and called without arguments"
    command.add_argument("--part", metavar="PATH=MODULE:CALLABLE", action="append", default=[], help=text)


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
    _parts(command)
    command.add_argument(
        "fields", metavar="FIELD=VALUE", nargs="*", help="inputs; the value of a field that is not text is JSON"
    )
    command.add_argument("--input", metavar="JSONL", help="one JSON object of inputs a line; - is stdin")
    text = "where the answers of --input go, whole or not at all; default stdout"
    command.add_argument("--output", metavar="JSONL", help=text)
    command.add_argument("--offline", action="store_true", help="answer from the cache alone")
    command.add_argument("--traceback", action="store_true", help="print the whole way to an error")


def _batch(commands: _Commands) -> None:
    command = _command(commands, "batch", "batching", "run a saved program on every row of a file, many at once")
    _file(command)
    _parts(command)
    add = command.add_argument
    text = "rows of inputs: .jsonl, .csv or .parquet; - is stdin. An empty cell of CSV is text where its field takes "
    text += "that; else the input's default, or null"
    add("--input", metavar="FILE", required=True, help=text)
    add("--input-format", choices=("jsonl", "csv", "parquet"), help="of --input; default: by its name")
    text = "what a row is known by, no input; default: its number, from 0, in JSONL its line's"
    add("--id", metavar="COLUMN", help=text)
    add("--output", metavar="JSONL", help="where the answers go, whole or not at all; default stdout")
    add("--as-completed", action="store_true", help="write each answer when it is there, whatever the order")
    add("--concurrency", type=int, default=16, metavar="N", help="rows under way at once (default 16)")
    add("--max-errors", type=int, default=10, metavar="N", help="rows that may fail; -1: any number (default 10)")
    add("--timeout", type=float, metavar="SECONDS", help="for each row")
    add("--rpm", type=float, metavar="N", help="LM requests a minute, at most")
    add("--tpm", type=float, metavar="N", help="tokens a minute, at most")
    add("--max-cost", type=float, metavar="DOLLARS", help="stop before more is spent")
    text = "where finished rows are kept, so that the same command goes on after a stop; default with --output: "
    add("--checkpoint", metavar="FILE", help=text + "OUTPUT.checkpoint, removed when no row has failed")
    add("--fresh", action="store_true", help="forget the checkpoint and begin anew")
    add("--offline", action="store_true", help="answer from the cache alone")


def _inspect(commands: _Commands) -> None:
    command = _command(commands, "inspect", "inspection", "show what a file holds; runs nothing")
    command.add_argument("file", metavar="FILE", help=_STATE)
    command.add_argument("--at", metavar="REVISION", help=_AT)
    command.add_argument("--demos", action="store_true", help="list every demo, not the first ten of each predictor")


def _validate(commands: _Commands) -> None:
    command = _command(commands, "validate", "validation", "say whether files can be loaded; runs nothing of theirs")
    command.add_argument("files", metavar="FILE", nargs="+", help=f"{_STATE}; or a directory of such")
    command.add_argument("--at", metavar="REVISION", help=_AT)
    command.add_argument("--canonical", action="store_true", help="for CI, also: exactly what this progkit would write")
    command.add_argument("--only-ours", action="store_true", help=_ONLY_OURS)
    _program(command)


def _diff(commands: _Commands) -> None:
    command = _command(commands, "diff", "difference", "tell what two saved programs differ in")
    command.add_argument("a", metavar="A", help=_STATE)
    command.add_argument("b", metavar="B", help=_STATE)
    command.add_argument("--prompts", action="store_true", help="compare the texts that would be sent")
    command.add_argument("--adapter", choices=("chat", "json"), default="chat", help="of --prompts (default chat)")
    _program(command)


def _compat(commands: _Commands) -> None:
    command = _command(commands, "compat", "compatibility", "tell whether callers of OLD would break with NEW")
    command.add_argument("old", metavar="OLD", help=_STATE)
    command.add_argument("new", metavar="NEW", help=_STATE)
    command.add_argument("--allow-unknown", action="store_true", help="status 0 for what cannot be decided from a file")


def _git(commands: _Commands) -> None:
    text = "let git compare and merge saved programs by meaning"
    actions = commands.add_parser("git", help=text, description=text[0].upper() + text[1:] + ".").add_subparsers(
        title="actions", metavar="ACTION", required=True
    )

    def action(name: str, text: str, room: str = "git_setup") -> argparse.ArgumentParser:
        command = _command(actions, name, room, text)
        command.set_defaults(action=name)
        return command

    command = action("install", "write .gitattributes and this clone's configuration")
    command.add_argument("patterns", metavar="PATTERN", nargs="*", help="of state files; default: those there are now")
    action("uninstall", "take that back")
    command = action("status", "say what is set up, and what is not")
    text = "status 1 if a state file has no attributes, or a command does not work"
    command.add_argument("--check", action="store_true", help=text)
    command = action("textconv", "print a saved state as git diff shows it (git calls it)", "git_driver")
    command.add_argument("file", metavar="FILE")
    command = action("merge-driver", "merge three versions into OURS (git calls it)", "git_driver")
    for name in ("base", "ours", "theirs"):
        command.add_argument(name, metavar=name.upper())
    command.add_argument("marker", metavar="SIZE", type=int, help="of a conflict marker")
    command.add_argument("path", metavar="PATH", help="of the merged file, for messages")
    command.add_argument("labels", metavar="LABEL", nargs="*", help="what to call ours and theirs")


def _migrate(commands: _Commands) -> None:
    command = _command(commands, "migrate", "migration", "write a file of DSPy's, or an older one, as one of today")
    command.add_argument("files", metavar="FILE", nargs="+", help=_STATE)
    what = command.add_mutually_exclusive_group(required=True)
    what.add_argument("-o", "--output", metavar="OUT", help="where to, for one FILE; may be FILE")
    what.add_argument("--in-place", action="store_true", help="write each FILE to where it is")
    what.add_argument("--check", action="store_true", help="write nothing; status 1 if a FILE is not as it would be")
    command.add_argument("--only-ours", action="store_true", help=_ONLY_OURS)
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


def _sign(commands: _Commands) -> None:
    command = _command(commands, "sign", "signing", "sign a bundle with an ed25519 key, or make such a key")
    command.set_defaults(action="sign")
    command.add_argument("bundle", metavar="DIR", nargs="?", help=_BUNDLE)
    key = command.add_mutually_exclusive_group(required=True)
    key.add_argument("--key", metavar="PEM", help="the file with the private key")
    key.add_argument("--new-key", metavar="PATH", help="make a pair: PATH, which stays with you, and PATH.pub")
    command.add_argument("--password-env", metavar="NAME", help="the environment variable with the key's password")
    command.add_argument("--only", action="store_true", help="leave out what other keys signed")


def _verify(commands: _Commands) -> None:
    command = _command(commands, "verify", "signing", "say whether a bundle is intact, and who signed it; runs nothing")
    command.set_defaults(action="verify")
    command.add_argument("bundle", metavar="DIR", help=_BUNDLE)
    command.add_argument("--key", metavar="KEY", action="append", default=[], help=_KEY)
    command.add_argument("--pin", metavar="DIGEST", help="the digest that it must have, sha256:...")


def _trust(commands: _Commands) -> None:
    command = _command(commands, "trust", "trusting", "let the code of a bundle run, for this user from now on")
    command.set_defaults(action="trust")
    command.add_argument("bundle", metavar="DIR", nargs="?", help=_BUNDLE)
    how = command.add_mutually_exclusive_group()
    how.add_argument("--yes", action="store_true", help="do not ask")
    how.add_argument("--digest", metavar="DIGEST", help="do not ask, if this is its digest: sha256:...")
    how.add_argument("--list", action="store_true", help="print what is trusted")


def _untrust(commands: _Commands) -> None:
    command = _command(commands, "untrust", "trusting", "take a bundle off the trust list")
    command.set_defaults(action="untrust")
    command.add_argument("bundle", metavar="DIR|DIGEST", help="a bundle, or a digest as trust --list prints it")


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
    _parts(command)
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

"""A small shell: `python -m keystore [ADDRESS or URL] [COMMAND ARGUMENT...]`.

Commands are the methods of `keystore.Client`: `set greeting hello ttl=60`, `lrange list 0 -1`,
`mget a,b`, `watch prefix=user:`. `help` lists them, `help set` explains one.
"""

import argparse
import inspect
import json
import math
import shlex
import sys
from typing import Any, Dict, List, Tuple, get_type_hints

from . import __version__
from ._sync.client import Client
from .errors import KeyStoreError

# What makes no sense as a line, or has another form here.
LEFT_OUT = {
    "authenticate",
    "backup",
    "bitfield",
    "cached",
    "close",
    "consume",
    "from_url",
    "lock",
    "pipeline",
}
LEFT_OUT |= {"transaction", "txn", "with_options"}


def commands() -> Dict[str, Any]:
    return {
        name: function
        for name, function in inspect.getmembers(Client, inspect.isfunction)
        if not name.startswith("_") and name not in LEFT_OUT
    }


def convert(name: str, text: str, hint: Any) -> Any:
    """The argument as the method wants it."""
    kind = str(hint)
    if "Mapping" in kind:
        pairs = [pair.partition("=") for pair in text.split(",")]
        return {key: value for key, _, value in pairs}
    if "Iterable" in kind:
        return text.split(",")
    if "bool" in kind:
        if text.lower() not in ("1", "0", "true", "false"):
            raise ValueError(f"{name} is {text!r}; it is 1 or 0")
        return text.lower() in ("1", "true")
    if "memoryview" in kind or "bytes" in kind:
        return text
    for number in (int, float):
        if number.__name__ in kind:
            try:
                return math.inf if text == "inf" else number(text)
            except ValueError:
                continue
    if "int" in kind or "float" in kind:
        raise ValueError(f"{name} is {text!r}; it is a number")
    return text


def arguments(function: Any, words: List[str]) -> Tuple[List[Any], Dict[str, Any]]:
    """Positional ones in the order of the method's, options as NAME=VALUE."""
    parameters = dict(list(inspect.signature(function).parameters.items())[1:])
    hints = get_type_hints(function)
    ordered = [p for p in parameters.values() if p.kind is not p.KEYWORD_ONLY]
    positional: List[Any] = []
    named: Dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        parameter = parameters.get(name)
        if equals and parameter is not None and parameter.kind is parameter.KEYWORD_ONLY:
            named[name] = convert(name, value, hints[name])
            continue
        at = min(len(positional), len(ordered) - 1)
        if not ordered or (at < len(positional) and ordered[at].kind is not ordered[at].VAR_POSITIONAL):
            raise ValueError(f"{word!r} is too much; see: help {function.__name__}")
        positional.append(convert(ordered[at].name, word, hints[ordered[at].name]))
    return positional, named


def show(value: Any) -> str:
    if value is None:
        return "(nothing)"
    if isinstance(value, (str, bool)):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def run(client: "Client[str]", line: List[str]) -> None:
    """Carries out a command and prints its result."""
    known = commands()
    name, words = line[0].lower(), line[1:]
    if name == "help":
        chosen = known.get(words[0].lower()) if words else None
        if chosen is None:
            print(" ".join(known), "exit", sep=" ")
        else:
            print(f"{chosen.__name__}{inspect.signature(chosen)}\n\n{inspect.getdoc(chosen)}")
        return
    if name not in known:
        raise ValueError(f"there is no command {name}; `help` lists them")
    function = known[name]
    positional, named = arguments(function, words)
    inspect.signature(function).bind(client, *positional, **named)
    result = function(client, *positional, **named)
    if isinstance(result, dict):
        result = [f"{key}:{value}" for key, value in result.items()]
        print("\n".join(result))
    elif isinstance(result, list):
        print("\n".join(f"{at}) {show(each)}" for at, each in enumerate(result, 1)) or "(empty)")
    elif hasattr(result, "__next__"):
        for each in result:
            print(show(each), flush=True)
    else:
        print(show(result))


def attempt(client: "Client[str]", line: List[str]) -> bool:
    try:
        run(client, line)
    except KeyStoreError as error:
        print(f"error: {error.reason or type(error).__name__}: {error}", file=sys.stderr)
        return False
    except (TypeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return False
    return True


def interact(client: "Client[str]") -> bool:
    """Commands from standard input; with a prompt if that is a terminal."""
    prompt = "keystore> " if sys.stdin.isatty() else ""
    if prompt:
        import readline  # noqa: F401 (gives input() editing and a history)
    good = True
    while True:
        try:
            line = shlex.split(input(prompt))
            if line and line[0].lower() in ("exit", "quit"):
                return good
            good = (not line or attempt(client, line)) and good
        except EOFError:
            return good
        except ValueError as error:
            print(f"error: {error}", file=sys.stderr)
            good = False
        except KeyboardInterrupt:
            print()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m keystore", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--version", action="version", version=f"keystore {__version__}")
    parser.add_argument("--token-file", help="file with the token of a user")
    parser.add_argument("--db", type=int, default=None, help="database, 0 to 15")
    parser.add_argument("address", nargs="?", default="127.0.0.1:50051", help="HOST:PORT or URL")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="a command; none: from stdin")
    given = parser.parse_args()
    options: Dict[str, Any] = {"decode": True}
    try:
        if given.token_file is not None:
            with open(given.token_file, encoding="ascii") as file:
                options["token"] = file.read().strip()
        if given.db is not None:
            options["db"] = given.db
        is_url = given.address.startswith("keystore://")
        made: Any = Client.from_url if is_url else Client
        client: Client[str] = made(given.address, **options)
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with client:
        good = attempt(client, given.command) if given.command else interact(client)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

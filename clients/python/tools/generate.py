#!/usr/bin/env python3
"""Generates the variants of the client from keystore/_async.

usage: tools/generate.py [--check]

keystore/_sync is the same without `async` and `await`; keystore/_queued has the operations of
pipelines and transactions, which return `Pending`. --check changes nothing, and fails if a file is
stale. rt.py of each folder, and base.py of keystore/_queued, are written by hand.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Tuple

PACKAGE = Path(__file__).resolve().parent.parent / "src" / "keystore"
HAND_WRITTEN = {"__init__.py", "rt.py"}
QUEUED = ("strings.py", "keys.py", "lists.py")
NOTE = "# Generated from {} by tools/generate.py; do not edit.\n"

SYNC: List[Tuple[str, str]] = [
    (r"\basync (def|for|with)\b", r"\1"),
    (r"\bawait ", ""),
    (r"\bAsync(?=[A-Z])", ""),
    (r"__aenter__", "__enter__"),
    (r"__aexit__", "__exit__"),
    (r"__anext__", "__next__"),
    (r"__aiter__", "__iter__"),
    (r"StopAsyncIteration", "StopIteration"),
    (r"\bAwaitable\[([\w.\[\]]+)\]", r"\1"),
    (r"\b_async\b", "_sync"),
]
QUEUE: List[Tuple[str, str]] = [
    # The names are kept: messages and helpers are the same.
    (r"async def (.*?)\) -> (.*?):\n", r"def \1) -> Pending[\2]:\n"),
    (r"return await self\._invoke\(", "return self._queue("),
    (r"\bAsync(?=[A-Z])", "Queued"),
    (r"from \.base import QueuedBase", "from .base import Pending, QueuedBase"),
]


def substitute(text: str, rules: List[Tuple[str, str]]) -> str:
    for pattern, replacement in rules:
        text = re.sub(pattern, replacement, text, flags=re.S)
    return text


def formatted(text: str, path: Path) -> str:
    """What is shorter without `await` may fit on fewer lines."""
    command = [sys.executable, "-m", "ruff"]
    root = ["--config", str(PACKAGE.parent.parent / "pyproject.toml"), "--stdin-filename", str(path)]
    for step in (["check", "--select", "I,F401", "--fix", "-q"], ["format", "-q"]):
        text = subprocess.run(
            [*command, *step, *root, "-"], input=text, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
    return text


def generate() -> Dict[Path, str]:
    made = {}
    for source in sorted((PACKAGE / "_async").glob("*.py")):
        if source.name in HAND_WRITTEN:
            continue
        text = source.read_text(encoding="utf-8")
        note = NOTE.format(f"keystore/_async/{source.name}")
        target = PACKAGE / "_sync" / source.name
        made[target] = formatted(note + substitute(text, SYNC), target)
        if source.name in QUEUED:
            target = PACKAGE / "_queued" / source.name
            made[target] = formatted(note + substitute(text, QUEUE), target)
    return made


def main() -> int:
    check = sys.argv[1:] == ["--check"]
    stale = 0
    for path, text in generate().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if check:
            print(f"{path} is stale; run tools/generate.py")
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())

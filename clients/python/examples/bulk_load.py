"""Loads many keys with pipelines, and shows how far it is.

usage: bulk_load.py [ADDRESS [KEYS]]
"""

import sys
from typing import Iterable, Iterator, Tuple

import keystore

CHUNK = 1000


def rows(count: int) -> Iterator[Tuple[str, str]]:
    for number in range(count):
        yield f"row:{number}", f"value {number}"


def load(client: "keystore.Client[str]", pairs: Iterable[Tuple[str, str]], total: int) -> int:
    """Stores the pairs, and returns how many. To repeat a chunk is harmless, as it sets keys."""
    loaded = 0
    pipeline = client.pipeline()
    for key, value in pairs:
        pipeline.set(key, value)
        if len(pipeline) == CHUNK:
            loaded += len(pipeline.execute())
            print(f"\r{loaded} of {total} ({100 * loaded // total} %)", end="", file=sys.stderr)
    loaded += len(pipeline.execute())
    print(f"\r{loaded} of {total} (100 %)", file=sys.stderr)
    return loaded


def main(address: str, count: int) -> None:
    with keystore.Client(address, decode=True) as client:
        print("loaded:", load(client, rows(count), count))
        print("found:", sum(1 for _ in client.scan("row:*")))


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051",
        int(sys.argv[2]) if len(sys.argv) > 2 else 10_000,
    )

"""A cancelled call does not disturb others of its connection."""

import asyncio
import os
import random
import threading
from typing import List

from servers import Server

import keystore

CALLS = 10_000
KEYS = 100


def new_seed() -> int:
    seed = int(os.environ.get("KEYSTORE_SEED") or random.randrange(1 << 32))
    print(f"replay with KEYSTORE_SEED={seed}")
    return seed


async def storm(client: "keystore.AsyncClient[str]", rng: random.Random) -> "tuple[int, int]":
    """10,000 calls, half of them cancelled at random times; returns how many were, and answered."""
    cancelled = answered = 0

    async def one(number: int) -> str:
        key = f"key {number}"
        kind = number % 3
        if kind == 0:
            return await client.get(key) or ""
        if kind == 1:
            found = await client.mget([key, key])
            assert found[0] == found[1]
            return found[0] or ""
        return (await client.get_value(key)).value or ""

    for _ in range(CALLS // 100):
        numbers = [rng.randrange(KEYS) for _ in range(100)]
        tasks = [asyncio.ensure_future(one(number)) for number in numbers]
        victims = rng.sample(range(100), 50)
        for victim in victims:
            for _ in range(rng.randrange(4)):
                await asyncio.sleep(0)
            tasks[victim].cancel()
        for number, answer in zip(numbers, await asyncio.gather(*tasks, return_exceptions=True)):
            if isinstance(answer, asyncio.CancelledError):
                cancelled += 1
            else:
                assert answer == f"value {number}"
                answered += 1
    return cancelled, answered


def test_random_cancellations(shared_server: Server) -> None:
    rng = random.Random(new_seed())

    async def main() -> None:
        async with keystore.AsyncClient(shared_server.address, decode=True) as client:
            await client.flush_db()
            await client.mset({f"key {n}": f"value {n}" for n in range(KEYS)})
            (before,) = await client.clients(own=True)
            cancelled, answered = 0, 0
            while cancelled < CALLS:
                more = await storm(client, rng)
                cancelled, answered = cancelled + more[0], answered + more[1]
            (after,) = await client.clients(own=True)
            assert before["id"] == after["id"], "all calls were on one connection"
            assert answered > 0

    asyncio.run(main())


def test_random_deadlines_of_threads(shared_server: Server) -> None:
    seed = new_seed()
    failures: List[BaseException] = []
    outcomes: List[bool] = []
    with keystore.Client(shared_server.address, decode=True) as client:
        client.flush_db()
        client.mset({f"key {n}": f"value {n}" for n in range(KEYS)})

        def work(seed: int) -> None:
            rng = random.Random(seed)
            try:
                for _ in range(500):
                    number = rng.randrange(KEYS)
                    view = client.with_options(timeout=10 ** rng.uniform(-5, -1))
                    try:
                        assert view.get(f"key {number}") == f"value {number}"
                        outcomes.append(True)
                    except keystore.DeadlineExceeded:
                        outcomes.append(False)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(seed + n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert client.get("key 7") == "value 7"
    assert False in outcomes

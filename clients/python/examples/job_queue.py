"""A job queue that loses nothing: a job that fails is done again, by somebody.

usage: job_queue.py [ADDRESS]
"""

import asyncio
import sys
from typing import List

import keystore

JOBS, WORKERS = 30, 3


async def work(client: "keystore.AsyncClient[str]", name: str, done: List[str]) -> None:
    failed = set()
    async with client.consume("jobs", max_in_flight=5, lease=60) as jobs:
        async for job in jobs:
            if job.value == "stop":
                job.done()
                return
            try:
                async with job:  # done at the end of the block, given back if it raises
                    if job.value.endswith("7") and name not in failed:
                        failed.add(name)
                        raise RuntimeError("the first one that ends in 7 fails")
                    done.append(job.value)
            except RuntimeError:
                print("a job was given back")


async def main(address: str) -> None:
    async with keystore.AsyncClient(address, decode=True) as client:
        await client.delete_many(["jobs", "jobs:pending"])
        done: List[str] = []
        workers = [asyncio.ensure_future(work(client, f"w{n}", done)) for n in range(WORKERS)]
        await client.rpush("jobs", *(f"job {n}" for n in range(JOBS)))
        async with client.watch("jobs", "jobs:pending") as changes:
            while await client.exists("jobs", "jobs:pending"):
                await changes.__anext__()
        await client.rpush("jobs", *["stop"] * WORKERS)
        while not all(worker.done() for worker in workers):
            await asyncio.wait(workers)
            for worker in workers:
                worker.result()
        print("different jobs done:", len(set(done)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051"))

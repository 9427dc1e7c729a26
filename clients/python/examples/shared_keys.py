"""Concurrent clients on shared keys and lists: nothing is lost, nothing is counted twice.

usage: shared_keys.py [ADDRESS]
"""

import sys
import threading

import keystore

THREADS, ROUNDS = 8, 50


def work(client: "keystore.Client[str]", name: str) -> None:
    for number in range(ROUNDS):
        client.incr("visits")
        client.rpush("log", f"{name} {number}")

        def transfer(t: "keystore.Transaction[str]") -> None:
            left, right = int(t.read("left") or 0), int(t.read("right") or 0)
            t.set("left", left - 1)
            t.set("right", right + 1)

        client.transaction(transfer, attempts=1000)


def main(address: str) -> None:
    with keystore.Client(address, decode=True) as client:
        client.delete_many(["visits", "log", "left", "right"])
        client.set("left", THREADS * ROUNDS)
        threads = [threading.Thread(target=work, args=(client, f"t{n}")) for n in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("visits:", client.get("visits"))
        print("log entries:", len(client.lrange("log")))
        print("left and right:", client.get("left"), client.get("right"))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")

"""A cache in front of something slow: in the server for all, and near at hand for this process.

usage: cache.py [ADDRESS]
"""

import sys
import time

import keystore


def slow_lookup(user: str) -> str:
    print("looked up", user)
    return f"profile of {user}"


def profile(client: "keystore.Client[str]", near: "keystore.Cache[str]", user: str) -> str:
    key = f"profile:{user}"
    found = near.get(key)
    if found is None:
        found = slow_lookup(user)
        client.set(key, found, ttl=600, if_absent=True)
    return found


def wait_for(near: "keystore.Cache[str]", key: str, value: str) -> None:
    while near.get(key) != value:
        time.sleep(0.001)


def main(address: str) -> None:
    with keystore.Client(address, decode=True) as client:
        client.delete_many(["profile:ann", "profile:bob"])
        with client.cached("profile:") as near:
            for user in ("ann", "bob"):
                print(profile(client, near, user))
            wait_for(near, "profile:ann", "profile of ann")  # that it was stored has arrived here
            for _ in range(10):
                profile(client, near, "ann")
            print("answered near at hand:", near.hits >= 10)
            # Somebody changes it: the near cache learns of it.
            with keystore.Client(address) as other:
                other.set("profile:ann", "a new profile")
            wait_for(near, "profile:ann", "a new profile")
            print(near.get("profile:ann"))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")

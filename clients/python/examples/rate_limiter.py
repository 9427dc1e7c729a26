"""A rate limiter: so many calls per user and window, for any number of processes.

usage: rate_limiter.py [ADDRESS]
"""

import sys

import keystore


class RateLimiter:
    """A counter per user that ends with its window, which starts with the first call."""

    def __init__(self, client: "keystore.Client[str]", limit: int, window: float) -> None:
        self.client, self.limit, self.window = client, limit, window

    def allows(self, user: str) -> bool:
        # The time to live counts for a counter that is created; later calls do not prolong it.
        return self.client.incr(f"rate:{user}", ttl=self.window) <= self.limit


def main(address: str) -> None:
    with keystore.Client(address, decode=True) as client:
        client.delete_many(["rate:ann", "rate:bob"])
        limiter = RateLimiter(client, limit=5, window=60)
        print("ann:", sum(limiter.allows("ann") for _ in range(20)), "of 20")
        print("bob:", sum(limiter.allows("bob") for _ in range(3)), "of 3")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50051")

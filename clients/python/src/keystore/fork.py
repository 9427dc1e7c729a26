"""gRPC's threads do not survive a fork: a channel of the parent hangs in the child."""

import os
from typing import Optional

from .errors import ForkError

_first_pid: Optional[int] = None


def supported() -> bool:
    """Whether gRPC was told to survive forks, before it was imported."""
    return os.environ.get("GRPC_ENABLE_FORK_SUPPORT", "").lower() in ("1", "true", "yes", "on", "t")


def check() -> None:
    """To be called before a channel is opened; raises in a child whose parent has opened one."""
    global _first_pid
    if _first_pid is None:
        _first_pid = os.getpid()
    elif _first_pid != os.getpid() and not supported():
        raise ForkError(
            "this process was forked after its parent had used KeyStore, and gRPC does not work in it; "
            "fork before the first call, start processes with multiprocessing's method 'spawn' or "
            "'forkserver', or set GRPC_ENABLE_FORK_SUPPORT=1 before Python starts"
        )

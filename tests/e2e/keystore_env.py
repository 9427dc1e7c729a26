"""Where the programs and stubs under test are, and the seed of this run.

ctest names the places in the environment; by hand, the release build of this tree is meant.
"""

import os
import random
import signal
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("KEYSTORE_BIN") or ROOT / "build" / "bin")
STUBS = Path(os.environ.get("KEYSTORE_STUBS") or ROOT / "build" / "release" / "python")
SANITIZE = os.environ.get("KEYSTORE_SANITIZE", "")
SEED = os.environ.get("KEYSTORE_SEED") or str(random.SystemRandom().randrange(2**32))

SERVER = BIN / "keystore-server"
# Worker processes of a test must find the same run.
os.environ["KEYSTORE_SEED"] = SEED
# The children that the tests start never use gRPC after a fork without exec.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
# A shell ignores interrupts for what it runs in the background, and programs inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, str(STUBS))


def seeded(name):
    """A random generator that a later run with the same KEYSTORE_SEED repeats."""
    return random.Random(f"{SEED} {name}")

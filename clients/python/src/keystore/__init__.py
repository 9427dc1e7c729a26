"""A client for KeyStore, a durable key-value store.

    import keystore

    client = keystore.Client("127.0.0.1:50051", decode=True)
    client.set("greeting", "hello", ttl=60)
    print(client.get("greeting"))

`AsyncClient` has the same methods for asyncio. Times are in seconds, or timedeltas.
"""

from . import errors
from ._async.cache import AsyncCache
from ._async.client import AsyncClient
from ._async.lock import AsyncLock
from ._async.pipeline import AsyncPipeline
from ._async.streams import AsyncConsumer, AsyncJob, AsyncSubscription, AsyncWatch
from ._async.txn import AsyncTransaction, AsyncTxn
from ._queued.base import Pending
from ._sync.cache import Cache
from ._sync.client import Client
from ._sync.lock import Lock
from ._sync.pipeline import Pipeline
from ._sync.streams import Consumer, Job, Subscription, Watch
from ._sync.txn import Transaction, Txn
from .config import Config
from .errors import *  # noqa: F403
from .results import (
    BitPart,
    Identity,
    KeyInfo,
    Lcs,
    Match,
    Message,
    Popped,
    ScanEntry,
    Session,
    Setting,
    TxnResult,
    Value,
    WatchBatch,
    WatchEvent,
    Written,
)

__version__ = "0.1.0"
__all__ = [
    "AsyncCache",
    "AsyncClient",
    "AsyncConsumer",
    "AsyncJob",
    "AsyncLock",
    "AsyncPipeline",
    "AsyncSubscription",
    "AsyncTransaction",
    "AsyncTxn",
    "AsyncWatch",
    "BitPart",
    "Cache",
    "Client",
    "Config",
    "Consumer",
    "Identity",
    "Job",
    "KeyInfo",
    "Lcs",
    "Lock",
    "Match",
    "Message",
    "Pending",
    "Pipeline",
    "Popped",
    "ScanEntry",
    "Session",
    "Setting",
    "Subscription",
    "Transaction",
    "Txn",
    "TxnResult",
    "Value",
    "Watch",
    "WatchBatch",
    "WatchEvent",
    "Written",
    *errors.__all__,
]

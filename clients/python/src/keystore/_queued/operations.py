"""All operations that can be collected."""

from ..values import S
from .keys import QueuedKeys
from .lists import QueuedLists
from .strings import QueuedStrings


class Operations(QueuedStrings[S], QueuedKeys[S], QueuedLists[S]):
    """Each method returns a `Pending`, whose `result()` is there after the execution."""

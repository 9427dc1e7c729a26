"""The errors there are, and one way to say that a call must fail with one."""

import grpc
import pytest

from rpc_status import check_rpc_error

WRONG_TYPE = (grpc.StatusCode.FAILED_PRECONDITION, "ERROR_REASON_WRONG_TYPE")
NOT_A_NUMBER = (grpc.StatusCode.FAILED_PRECONDITION, "ERROR_REASON_NOT_A_NUMBER")
OUT_OF_RANGE = (grpc.StatusCode.OUT_OF_RANGE, "ERROR_REASON_OUT_OF_RANGE")
BAD_ARGUMENT = (grpc.StatusCode.INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT")
TOO_LARGE = (grpc.StatusCode.RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE")
OUT_OF_MEMORY = (grpc.StatusCode.RESOURCE_EXHAUSTED, "ERROR_REASON_OUT_OF_MEMORY")
BAD_MESSAGE = (grpc.StatusCode.INTERNAL, "ERROR_REASON_BAD_MESSAGE")
NOT_SERVED = (grpc.StatusCode.UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED")
LOADING = (grpc.StatusCode.UNAVAILABLE, "ERROR_REASON_LOADING")
STOPPING = (grpc.StatusCode.UNAVAILABLE, "ERROR_REASON_STOPPING")
DEADLINE = (grpc.StatusCode.DEADLINE_EXCEEDED, "ERROR_REASON_DEADLINE")


def reason_of(failure):
    """The reason of a grpc.RpcError; None if it has none."""
    return dict(failure.trailing_metadata() or ()).get("keystore-reason")


def check_fails(expected, call, request, words="", **options):
    """Asserts that the call fails with that error, whose sentence has the words."""
    with pytest.raises(grpc.RpcError) as caught:
        call(request, **options)
    check_rpc_error(caught.value, *expected)
    assert words in caught.value.details()


def check_ends(call, expected, words=""):
    """Asserts the same of a stream of replies that was opened, perhaps after some of them."""
    check_fails(expected, list, call, words)

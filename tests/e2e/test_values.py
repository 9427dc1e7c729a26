"""Values of every size, from one byte to the limit."""

import grpc
import pytest

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from rpc_status import check_rpc_error

MIB = 1 << 20
POWERS = range(0, 23)
# What is removed with its answer goes only to a client that says that it takes so much.
TAKES_ANY = (("keystore-max-reply-bytes", str(1 << 31)),)
TOO_LARGE = (grpc.StatusCode.RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE")


def check_string(stub, key, value):
    assert stub.Set(pb.KeyValue(key=key, value=value)).ok
    answer = stub.Get(pb.Key(key=key))
    assert answer.found and answer.value == value
    assert stub.Delete(pb.Key(key=key)).ok


def check_list(stub, key, values):
    assert stub.LPush(pb.ListInsert(key=key, values=values)).count == len(values)
    assert list(stub.LRange(pb.ListRange(key=key, stop=-1)).values) == values[::-1]
    for value in reversed(values):
        assert stub.LPop(pb.Key(key=key), metadata=TAKES_ANY).value == value
    assert not stub.LPop(pb.Key(key=key)).found


@pytest.mark.parametrize("power", POWERS)
def test_around_a_power_of_two(stub, key, random_of_test, power):
    sizes = sorted({max(1, 2**power - 1), 2**power, min(2**power + 1, 4 * MIB)})
    values = [random_of_test.randbytes(size) for size in sizes]
    for value in values:
        check_string(stub, key, value)
    check_list(stub, key + b":list", values)


def test_random_sizes(stub, key, random_of_test, counts):
    """As many small ones as large ones: the exponent is what is drawn."""
    sizes = [int(2 ** random_of_test.uniform(0, 22)) for _ in range(40)]
    for size in sizes:
        check_string(stub, key, random_of_test.randbytes(size))
    counts(f"{len(sizes)} values, {sum(sizes)} bytes")


def test_large_values_side_by_side(stub, keys, random_of_test):
    """Several in flight on one connection, which must interleave them and mix none up."""
    names = [next(keys) for _ in range(12)]
    values = [random_of_test.randbytes(random_of_test.randrange(MIB)) for _ in names]
    sets = [stub.Set.future(pb.KeyValue(key=name, value=value))
            for name, value in zip(names, values)]
    assert all(call.result().ok for call in sets)
    gets = [stub.Get.future(pb.Key(key=name)) for name in names for _ in range(2)]
    assert [call.result().value for call in gets] == [each for each in values for _ in range(2)]


def test_the_largest_value(stub, key, random_of_test):
    """64 MiB unless --max-value says otherwise, and not one byte more."""
    value = random_of_test.randbytes(64 * MIB)
    check_string(stub, key, value)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Set(pb.KeyValue(key=key, value=value + b"v"))
    check_rpc_error(caught.value, *TOO_LARGE)
    assert not stub.Get(pb.Key(key=key)).found


def test_a_limit_of_ones_own(fresh_server, key, random_of_test):
    server = fresh_server("--max-value", 5000)
    with open_channel(server.address) as channel:
        stub = Stub(channel)
        check_string(stub, key, random_of_test.randbytes(5000))
        check_list(stub, key, [random_of_test.randbytes(5000), b""])
        # With the longest key that goes with it.
        check_string(stub, key.ljust(65536, b"k"), random_of_test.randbytes(5000))
        with pytest.raises(grpc.RpcError) as caught:
            stub.Set(pb.KeyValue(key=key, value=bytes(5001)))
        check_rpc_error(caught.value, *TOO_LARGE)
        assert "5000" in caught.value.details()


def test_a_range_that_does_not_fit(stub, key):
    """Two halves of more than the message limit: each alone is answered."""
    half = b"v" * (40 * MIB)
    for _ in range(2):
        stub.LPush(pb.ListInsert(key=key, values=[half]))
    with pytest.raises(grpc.RpcError) as caught:
        stub.LRange(pb.ListRange(key=key, stop=-1))
    check_rpc_error(caught.value, *TOO_LARGE)
    assert "StreamList" in caught.value.details()
    assert stub.LRange(pb.ListRange(key=key)).values[0] == half
    assert stub.Delete(pb.Key(key=key)).ok

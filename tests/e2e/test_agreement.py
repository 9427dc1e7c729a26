"""The same random operations as unary calls, in Pipelines and in transactions, each on a database of
its own: replies, errors and what is stored in the end must agree. Requests are made from the
descriptors, so an operation that is added is tested, too."""

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor

import mini_redis_pb2 as pb
from clients import Stub, open_channel
from errors import reason_of
from keystore_env import SANITIZE

BATCHES = 150 if SANITIZE else 300
LARGEST_BATCH = 30
KEYS = [b"a", b"b", b"c", b"d", b"e", b"f"]
VALUES = [b"", b"1", b"-3", b"x", b"1.5", b"10", b"text" * 5, bytes(range(256))]
NUMBERS = [-2, -1, 0, 1, 2, 3, 7, 12]
# A deadline that no clock of a test run comes to; those of ttl_ms differ by when they are set.
FAR_MS, LONG_MS = 4_000_000_000_000, 10_000_000

KEY_FIELDS = {"key", "other_key", "source", "target", "keys"}
# Without those nearly every request would be refused.
GIVEN_FIELDS = KEY_FIELDS | {"values", "entries", "parts", "bits", "operation"}
OFTEN = {"value", "action", "is_signed"}
# They differ between the databases; or the operation then means something else outside a transaction.
LEFT_OUT = {"match_version", "version", "want_as_of", "wait_ms", "page_bytes", "max_scan"}
UNARY, PIPELINE, TXN = range(3)


def method_name(field):
    """l_push: LPush."""
    return "".join(word.capitalize() for word in field.split("_"))


class Maker:
    """Makes requests, of which many do something and some are refused."""

    def __init__(self, random):
        self.random = random

    def scalar(self, field):
        draw = self.random
        if field.name in KEY_FIELDS:
            return draw.choice(KEYS) if draw.random() < 0.99 else b""
        if field.name == "bits":
            return draw.choice([1, 3, 8, 33, 63, 64, 65])
        if field.name == "ttl_ms":
            return draw.choice([LONG_MS, LONG_MS, -1])
        if field.name == "expire_at_ms":
            return draw.choice([FAR_MS, FAR_MS, 1])
        if field.name == "by_decimal":
            return draw.choice(["1", "-0.5", "3.25", "nonsense"])
        if field.type == FieldDescriptor.TYPE_BYTES:
            return draw.choice(VALUES)
        if field.type == FieldDescriptor.TYPE_BOOL:
            return True
        if field.type == FieldDescriptor.TYPE_ENUM:
            return draw.choice(field.enum_type.values).number
        if field.type == FieldDescriptor.TYPE_DOUBLE:
            return draw.choice([0.5, -1.0, 2.25])
        number = draw.choice(NUMBERS)
        unsigned = field.type in (FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_UINT64)
        return abs(number) if unsigned else number

    def fill_field(self, message, field, depth):
        repeated = field.label == FieldDescriptor.LABEL_REPEATED
        target = getattr(message, field.name)
        for _ in range(self.random.randint(1, 3) if repeated else 1):
            if field.type != FieldDescriptor.TYPE_MESSAGE:
                if repeated:
                    target.append(self.scalar(field))
                else:
                    setattr(message, field.name, self.scalar(field))
            elif repeated:
                self.fill(target.add(), depth + 1)
            else:
                target.SetInParent()
                self.fill(target, depth + 1)

    def fill(self, message, depth=0):
        for field in message.DESCRIPTOR.fields:
            if field.name in LEFT_OUT or field.name in ("db", "target_db"):
                continue
            share = 1 if field.name in GIVEN_FIELDS else 0.6 if field.name in OFTEN else 0.15
            if self.random.random() < share:
                self.fill_field(message, field, depth)

    def op(self, number):
        op = pb.Op(id=number)
        field = self.random.choice(pb.Op.DESCRIPTOR.oneofs_by_name["op"].fields)
        request = getattr(op, field.name)
        request.SetInParent()
        self.fill(request)
        return op


def in_database(op, db):
    """A copy for the database."""
    copy = pb.Op()
    copy.CopyFrom(op)
    request = getattr(copy, copy.WhichOneof("op"))
    request.db = db
    for entry in getattr(request, "entries", ()):
        entry.db = db
    return copy


def without_differences(message):
    """The message without what depends on the moment or the other databases."""
    for field, value in message.ListFields():
        if field.name in ("version", "as_of", "memory_bytes"):
            message.ClearField(field.name)
        elif field.name == "expire_at_ms" and value != FAR_MS:
            message.expire_at_ms = 1
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            for part in value if field.label == FieldDescriptor.LABEL_REPEATED else [value]:
                without_differences(part)
    return message


def error_of(failure):
    return (failure.code().value[0], reason_of(failure), failure.details())


def unary(stub, op):
    field = op.WhichOneof("op")
    try:
        return without_differences(getattr(stub, method_name(field))(getattr(op, field)))
    except grpc.RpcError as failure:
        return error_of(failure)


def result_of(reply):
    if reply.WhichOneof("result") == "error":
        error = reply.error
        return (error.code, pb.ErrorReason.Name(error.reason), error.message)
    return without_differences(getattr(reply, reply.WhichOneof("result")))


def alone_in_txn(stub, op):
    try:
        return result_of(stub.Txn(pb.TxnRequest(success=[op])).replies[0])
    except grpc.RpcError as failure:
        return error_of(failure)


def in_txns(stub, ops, expected):
    """All in one if none fails, which would roll back the others; else each in one of its own."""
    if any(isinstance(one, tuple) for one in expected):
        return [alone_in_txn(stub, op) for op in ops]
    return [result_of(reply) for reply in stub.Txn(pb.TxnRequest(success=ops)).replies]


def contents(stub, db):
    found = {}
    for key in KEYS:
        info = stub.Describe(pb.Key(key=key, db=db))
        if not info.found:
            continue
        if info.type == pb.VALUE_TYPE_LIST:
            value = tuple(stub.LRange(pb.ListRange(key=key, stop=-1, db=db)).values)
        else:
            value = stub.Get(pb.Key(key=key, db=db)).value
        found[key] = (value, without_differences(info).expire_at_ms)
    return found


@pytest.fixture
def stub(fresh_server):
    with open_channel(fresh_server("--max-value", "65536").address) as channel:
        yield Stub(channel)


def is_same_failure(one, other):
    """That of a transaction may say in its message which operation failed."""
    return isinstance(one, tuple) and isinstance(other, tuple) and one[:2] == other[:2]


def test_calls_pipelines_and_transactions_agree(stub, random_of_test, counts):
    maker = Maker(random_of_test)
    done, failed, kinds = 0, 0, set()
    for _ in range(BATCHES):
        ops = [maker.op(i) for i in range(maker.random.randint(1, LARGEST_BATCH))]
        calls = [unary(stub, in_database(op, UNARY)) for op in ops]
        [batch] = stub.Pipeline(iter([pb.OpBatch(ops=[in_database(op, PIPELINE) for op in ops])]))
        assert [reply.id for reply in batch.replies] == list(range(len(ops)))
        pipeline = [result_of(reply) for reply in batch.replies]
        txns = in_txns(stub, [in_database(op, TXN) for op in ops], calls)
        for op, call, piped, txn in zip(ops, calls, pipeline, txns):
            assert piped == call, op
            assert txn == call or is_same_failure(txn, call), op
            failed += isinstance(call, tuple)
            if not isinstance(call, tuple):
                kinds.add(op.WhichOneof("op"))
        done += len(ops)
        assert contents(stub, UNARY) == contents(stub, PIPELINE) == contents(stub, TXN)
    counts(f"{done} operations, of which {failed} failed, of {len(kinds)} kinds")
    assert failed < done * 2 / 3
    assert kinds == {field.name for field in pb.Op.DESCRIPTOR.oneofs_by_name["op"].fields}

"""Today's grpcio from PyPI, and what Google has for it: grpcio-status, which reads the details of
errors, grpcio-health-checking and grpcio-reflection.

usage: client.py ADDRESS PROTO; see script/interop. The stubs are made by protoc beforehand.
"""

import json
import sys
from urllib.parse import unquote_to_bytes

import grpc
import checks
import mini_redis_pb2 as pb
import mini_redis_pb2_grpc as rpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2 as details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase)
from grpc_status import rpc_status

TIMEOUT_S = 30


def details_of(call, request, **options):
    """The reason of the error that the call must end with, and its details by their types."""
    try:
        call(request, timeout=TIMEOUT_S, **options)
    except grpc.RpcError as error:
        # Checks that code and message are those of the trailers.
        status = rpc_status.from_call(error)
        assert status is not None, "there are no details"
        found = {}
        for detail in status.details:
            message = getattr(details_pb2, detail.TypeName().rpartition(".")[2])()
            assert detail.Unpack(message)
            found[type(message).__name__] = message
        info = found.pop("ErrorInfo")
        assert info.domain == "keystore"
        assert dict(error.trailing_metadata())["keystore-reason"] == info.reason
        return info.reason.removeprefix("ERROR_REASON_"), found
    raise AssertionError("the call did not fail")


def bad_request(stub):
    request = pb.TxnRequest(success=[pb.Op(get=pb.Key(key=b"a")), pb.Op(set=pb.KeyValue())])
    reason, found = details_of(stub.Txn, request)
    assert (reason, set(found)) == ("BAD_ARGUMENT", {"BadRequest"})
    [violation] = found["BadRequest"].field_violations
    assert violation.field == "success[1].set.key"
    assert violation.description.startswith("the key is empty")


def resource_info(stub):
    key = b"interop \xff \xc3\xbc \x00 100%"
    stub.Delete(pb.Key(key=key))
    stub.LPush(pb.ListInsert(key=key, values=[b"v"]))
    reason, found = details_of(stub.Get, pb.Key(key=key))
    assert (reason, set(found)) == ("WRONG_TYPE", {"ResourceInfo"})
    info = found["ResourceInfo"]
    assert info.resource_type == "list"
    assert unquote_to_bytes(info.resource_name) == key
    assert "holds a list" in info.description


def quota_failure(stub):
    reason, found = details_of(stub.Get, pb.Key(key=bytes(65537)))
    assert (reason, set(found)) == ("TOO_LARGE", {"QuotaFailure", "BadRequest"})
    assert found["QuotaFailure"].violations[0].subject == "key"
    stub.Set(pb.KeyValue(key=b"interop", value=bytes(1000)))
    reason, found = details_of(stub.GetDel, pb.Key(key=b"interop"),
                               metadata=[("keystore-max-reply-bytes", "100")])
    assert found["QuotaFailure"].violations[0].subject == "keystore-max-reply-bytes"


def special_message(stub, admin):
    text = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
    reason, found = details_of(admin.Info, pb.InfoRequest(sections=[text]))
    assert reason == "BAD_ARGUMENT"
    assert f'"{text}"' in found["BadRequest"].field_violations[0].description


def retries(address):
    """A retryPolicy does not disturb calls that succeed, nor errors that it does not name."""
    policy = {"methodConfig": [{"name": [{}], "retryPolicy": {
        "maxAttempts": 5, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"]}}]}
    with grpc.insecure_channel(address, options=[
            ("grpc.service_config", json.dumps(policy))]) as channel:
        stub = rpc.KeyStoreStub(channel)
        stub.Delete(pb.Key(key=b"interop n"))
        assert stub.Incr(pb.Increment(key=b"interop n"), timeout=TIMEOUT_S).integer == 1
        assert details_of(stub.Get, pb.Key())[0] == "BAD_ARGUMENT"


def health(channel):
    """Check, List and Watch."""
    stub = health_pb2_grpc.HealthStub(channel)
    serving = health_pb2.HealthCheckResponse.SERVING
    names = ["", "keystore.v1.KeyStore", "keystore.live", "keystore.write"]
    for name in names:
        answer = stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT_S)
        assert answer.status == serving, f"{name} is {answer.status}"
    listed = stub.List(health_pb2.HealthListRequest(), timeout=TIMEOUT_S).statuses
    assert set(names) <= set(listed)
    assert all(each.status == serving for each in listed.values())
    none = health_pb2.HealthCheckRequest(service="none")
    try:
        stub.Check(none, timeout=TIMEOUT_S)
        raise AssertionError("there is a service none")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND
    watch = stub.Watch(none, timeout=TIMEOUT_S)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()


def reflection(channel):
    """A call with the messages that the server declares, not with our own."""
    database = ProtoReflectionDescriptorDatabase(channel)
    assert "keystore.v1.KeyStoreAdmin" in database.get_services()
    service = DescriptorPool(database).FindServiceByName("keystore.v1.KeyStore")
    own = pb.DESCRIPTOR.services_by_name["KeyStore"]
    assert [method.name for method in service.methods] == [method.name for method in own.methods]

    def call(name, **fields):
        method = service.methods_by_name[name]
        request, reply = map(GetMessageClass, (method.input_type, method.output_type))
        return channel.unary_unary(f"/{service.full_name}/{name}", request.SerializeToString,
                                   reply.FromString)(request(**fields), timeout=TIMEOUT_S)

    assert call("Set", key=b"interop reflection", value=b"v").ok
    assert call("Get", key=b"interop reflection").value == b"v"


def main(address):
    with grpc.insecure_channel(address) as channel:
        stub, admin = rpc.KeyStoreStub(channel), rpc.KeyStoreAdminStub(channel)
        checks.run({
            "BadRequest": lambda: bad_request(stub),
            "ResourceInfo": lambda: resource_info(stub),
            "QuotaFailure": lambda: quota_failure(stub),
            "a special message": lambda: special_message(stub, admin),
            "a retry policy": lambda: retries(address),
            "health": lambda: health(channel),
            "reflection": lambda: reflection(channel),
        })


main(sys.argv[1])

"""Server reflection, as tools use it: a client that has nothing but the server's address finds the
services, builds their messages, and makes calls."""

import os
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import mini_redis_pb2 as pb
from clients import open_channel
from keystore_env import ROOT
from rpc_status import MESSAGES, Details

BUILD = Path(os.environ.get("KEYSTORE_BUILD") or ROOT / "build" / "release")
PROTOSET = BUILD / "generated" / "keystore.protoset"
VERSIONS = ("v1", "v1alpha")
TIMEOUT_S = 60


def known_files():
    files = descriptor_pb2.FileDescriptorSet.FromString(PROTOSET.read_bytes())
    return {file.name: file for file in files.file}


def messages_of(files):
    """Classes of messages by full name, of these files alone."""
    pool = descriptor_pool.DescriptorPool()
    for file in files:
        pool.Add(file)
    factory = message_factory.MessageFactory(pool)
    return {f"{file.package}.{message.name}":
            factory.GetPrototype(pool.FindMessageTypeByName(f"{file.package}.{message.name}"))
            for file in files for message in file.message_type}


class Reflection:
    """A client of one version of the interface."""

    def __init__(self, channel, version):
        self.package = f"grpc.reflection.{version}"
        [file] = [file for file in known_files().values() if file.package == self.package]
        messages = messages_of([file])
        self.request = messages[f"{self.package}.ServerReflectionRequest"]
        self._call = channel.stream_stream(
            f"/{self.package}.ServerReflection/ServerReflectionInfo",
            request_serializer=self.request.SerializeToString,
            response_deserializer=messages[f"{self.package}.ServerReflectionResponse"].FromString)

    def ask(self, *requests):
        asked = [self.request(**fields) for fields in requests]
        responses = list(self._call(iter(asked), timeout=TIMEOUT_S))
        assert [response.original_request for response in responses] == asked
        return responses

    def services(self):
        [response] = self.ask({"list_services": "*"})
        return [service.name for service in response.list_services_response.service]

    def file_with(self, symbol):
        [response] = self.ask({"file_containing_symbol": symbol})
        [file] = response.file_descriptor_response.file_descriptor_proto
        return descriptor_pb2.FileDescriptorProto.FromString(file)


@pytest.fixture(params=VERSIONS)
def reflection(request, channel):
    return Reflection(channel, request.param)


def test_all_services_are_found(reflection):
    services = reflection.services()
    declared = [f"{file.package}.{service.name}" for file in known_files().values()
                for service in file.service]
    assert sorted(services) == sorted(declared)
    for name in services:
        file = reflection.file_with(name)
        assert file == known_files()[file.name]


def test_a_client_that_knows_nothing_makes_calls(reflection, channel, key):
    file = reflection.file_with("keystore.v1.KeyStore")
    messages = messages_of([file])
    [service] = [service for service in file.service if service.name == "KeyStore"]

    def call(name, **fields):
        [method] = [method for method in service.method if method.name == name]
        make = channel.unary_unary(
            f"/{file.package}.{service.name}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=messages[method.output_type[1:]].FromString)
        return make(messages[method.input_type[1:]](**fields), timeout=TIMEOUT_S)

    assert call("Set", key=key, value=b"found").ok
    assert call("Get", key=key).value == b"found"


def test_a_client_that_knows_nothing_reads_details(reflection, stub, key):
    """Of errors; the file imports another, which is found by its name."""
    file = reflection.file_with("google.rpc.RetryInfo")
    [imported] = file.dependency
    [response] = reflection.ask({"file_by_filename": imported})
    [duration] = response.file_descriptor_response.file_descriptor_proto
    messages = messages_of([descriptor_pb2.FileDescriptorProto.FromString(duration), file])
    with pytest.raises(grpc.RpcError) as caught:
        stub.Get(pb.Key(key=key, db=99))
    found = {}
    for detail in Details(dict(caught.value.trailing_metadata())).status.details:
        name = detail.type_url.rpartition("/")[2]
        found[name] = messages[name].FromString(detail.value)
        found[name].DiscardUnknownFields()
        assert found[name].SerializeToString() == detail.value
    assert found["google.rpc.ErrorInfo"].reason == "ERROR_REASON_BAD_ARGUMENT"
    assert found["google.rpc.BadRequest"].field_violations[0].field == "db"
    # Those that the server sends, in any test.
    assert {message.name for message in file.message_type} == set(MESSAGES) - {
        "Any", "Duration", "Entry", "Status", "Violation"}


def test_many_requests_on_a_stream(reflection):
    """More than the server keeps for a client that does not read."""
    names = list(known_files())
    responses = reflection.ask(*[{"file_by_filename": names[i % len(names)]} for i in range(200)])
    assert all(response.file_descriptor_response.file_descriptor_proto for response in responses)


def test_what_is_not_there(reflection):
    responses = reflection.ask({"file_by_filename": "none.proto"},
                               {"file_containing_symbol": "keystore.v1.None"},
                               {"all_extension_numbers_of_type": "None"}, {"host": "any"})
    assert [response.error_response.error_code for response in responses] == [5, 5, 5, 3]


def test_bytes_as_text(fresh_server):
    with open_channel(fresh_server("--reflection", "text").address) as channel:
        file = Reflection(channel, "v1").file_with("keystore.v1.KeyStore")
        messages = messages_of([file])
        put = channel.unary_unary("/keystore.v1.KeyStore/Set",
                                  request_serializer=lambda message: message.SerializeToString())
        read = channel.unary_unary("/keystore.v1.KeyStore/Get",
                                   request_serializer=lambda message: message.SerializeToString(),
                                   response_deserializer=messages["keystore.v1.Value"].FromString)
        put(messages["keystore.v1.KeyValue"](key="a", value="text"), timeout=TIMEOUT_S)
        assert read(messages["keystore.v1.Key"](key="a"), timeout=TIMEOUT_S).value == "text"
    types = {field.type for message in file.message_type for field in message.field}
    assert descriptor_pb2.FieldDescriptorProto.TYPE_BYTES not in types


def test_it_can_be_off(fresh_server):
    with open_channel(fresh_server("--reflection", "off").address) as channel:
        for version in VERSIONS:
            with pytest.raises(grpc.RpcError) as caught:
                Reflection(channel, version).services()
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
            assert "--reflection" in caught.value.details()

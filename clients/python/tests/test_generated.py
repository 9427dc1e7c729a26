"""What is generated is fresh, and the stubs are those of protoc."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import keystore
from keystore import errors
from keystore._proto import mini_redis_pb2 as pb

PACKAGE = Path(__file__).resolve().parent.parent
PROTO = PACKAGE.parent.parent / "proto"


def test_the_synchronous_client_is_fresh() -> None:
    pytest.importorskip("ruff")
    command = [sys.executable, str(PACKAGE / "tools" / "generate.py"), "--check"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_reason_has_a_class_of_its_own() -> None:
    reasons = {each.name[len(errors.PREFIX) :] for each in pb.ErrorReason.DESCRIPTOR.values} - {
        "UNSPECIFIED"
    }
    assert set(errors.REASONS) == reasons
    assert len(set(errors.REASONS.values())) == len(reasons)


def test_every_unary_method_is_classified() -> None:
    from keystore.calls import ACCESS

    streams = {"StreamList", "Scan", "Watch", "Consume", "Pipeline", "Subscribe", "Backup", "Clients"}
    services = pb.DESCRIPTOR.services_by_name
    methods = {m.name for service in services.values() for m in service.methods}
    assert methods - streams == set(ACCESS)


@pytest.mark.parametrize("first", ["ours", "theirs"])
def test_our_stubs_and_those_of_the_user_are_in_one_process(first: str, tmp_path: Path) -> None:
    """As the README of the repository has them generated."""
    pytest.importorskip("grpc_tools")
    source = next((p for p in (PROTO, PACKAGE / "proto") if p.exists()), None)
    assert source is not None
    protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{source}", f"--python_out={tmp_path}"]
    subprocess.run([*protoc, str(source / "mini_redis.proto")], check=True)
    imports = ["import keystore", "import mini_redis_pb2"]
    code = "\n".join(imports if first == "ours" else imports[::-1])
    code += "\nfrom keystore._proto import mini_redis_pb2 as ours"
    code += "\nassert ours.DESCRIPTOR.serialized_pb == mini_redis_pb2.DESCRIPTOR.serialized_pb"
    code += "\nassert mini_redis_pb2.Key.FromString(ours.Key(key=b'k').SerializeToString()).key == b'k'"
    assert keystore.__file__ is not None
    paths = os.pathsep.join([str(tmp_path), str(Path(keystore.__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_the_package_is_typed() -> None:
    assert keystore.__file__ is not None
    assert (Path(keystore.__file__).parent / "py.typed").exists()

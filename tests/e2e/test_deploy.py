"""What the server is deployed with: its unit, its settings in packages and containers, manifests."""

import json
import re
import shutil
import subprocess

import grpc
import pytest
import yaml

import mini_redis_pb2 as pb
from certs import Certs
from clients import Stub
from exposition import Monitor
from keystore_env import BIN, ROOT, SANITIZE, SERVER
from server_process import Server
from users import UsersFile, metadata_of

UNIT = ROOT / "debian" / "keystore-server.service"
MOST_EXPOSED = 2.0
DEFAULT_DRAIN_S = 10
# Of the image that both stages begin with.
IN_THE_IMAGE = {"libc6", "libgcc-s1"}


def command(*words, **options):
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=120,
                          check=False, **options)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def settings_of(path):
    """name -> values, of a configuration file; what it shows in comments, too."""
    found = {}
    for name, value in re.findall(r"^#?([a-z][a-z-]*) = (.*)$", path.read_text(), re.M):
        found.setdefault(name, []).append(value)
    return found


def manifests():
    with open(ROOT / "deploy" / "kubernetes" / "keystore.yaml", encoding="utf-8") as stream:
        return {each["kind"]: each for each in yaml.safe_load_all(stream)}


def compose():
    return yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]["keystore"]


def port_of(address):
    return int(address.rpartition(":")[2])


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(s|min)?", text).groups()
    return int(number) * (60 if unit == "min" else 1)


# systemd

@pytest.fixture(name="unit")
def unit_here(tmp_path):
    """The unit with programs of this machine in the place of installed ones."""
    path = tmp_path / UNIT.name
    path.write_text(UNIT.read_text().replace("ExecStart=/usr/bin/keystore-server", f"ExecStart={SERVER}"))
    return path


def test_systemd_accepts_the_unit(unit):
    command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", unit)


def test_the_unit_is_restricted(unit):
    said = command("systemd-analyze", "security", "--offline=yes", "--no-pager", unit)
    exposed = float(re.search(r"Overall exposure level for .*: ([\d.]+)", said)[1])
    assert exposed <= MOST_EXPOSED, said


def test_systemd_waits_until_the_server_has_ended():
    limit = re.search(r"^TimeoutStopSec=(\w+)$", UNIT.read_text(), re.M)[1]
    packaged = settings_of(ROOT / "debian" / "keystore.conf")
    assert seconds(limit) > sum(int(value) for name in ("drain-delay", "drain-timeout")
                                for value in packaged.get(name, [])) + DEFAULT_DRAIN_S


# Settings

@pytest.fixture(name="secrets")
def secrets_folder(tmp_path):
    certs = Certs(tmp_path / "certs")
    shutil.copy(certs.path("server.pem"), tmp_path / "tls.crt")
    shutil.copy(certs.path("server.key"), tmp_path / "tls.key")
    UsersFile(tmp_path, {"app": ["read,write keys=*"]})
    return certs


def here(path, folder):
    """The settings with folders and ports of a test's own, and what is in comments in effect."""
    text = re.sub(r"^#([a-z][a-z-]* = )", r"\1", path.read_text(), flags=re.M)
    text = re.sub(r"(0\.0\.0\.0|127\.0\.0\.1):\d+", "127.0.0.1:0", text)
    text = text.replace("/run/secrets/keystore", str(folder)).replace("/run/keystore", str(folder))
    text = text.replace("/var/lib/keystore", str(folder / "data"))
    for name, file in (("tls/server.pem", "tls.crt"), ("tls/server.key", "tls.key"), ("users", "users")):
        text = text.replace(f"/etc/keystore/{name}", str(folder / file))
    assert not re.findall(r"= /(?:etc|var|run)/", text)
    copy = folder / path.name
    copy.write_text(text)
    return copy


@pytest.mark.parametrize("name", ["debian/keystore.conf", "deploy/keystore.conf"])
def test_the_server_runs_with_the_settings(name, secrets, tmp_path):
    server = Server("--config", here(ROOT / name, tmp_path), listen=(), directory=tmp_path / "data")
    try:
        port = server.port
        if not server.stdout[0].endswith(" with TLS"):
            port = server.wait_for_line(r"Server started on port (\d+) with TLS$").group(1)
        assert Monitor(server).ask("/readyz")[0] == 200
        with secrets.channel(f"localhost:{port}") as channel:
            pair = pb.KeyValue(key=b"key", value=b"v")
            assert Stub(channel).Set(pair, metadata=metadata_of("app")).ok
            with pytest.raises(grpc.RpcError) as refused:
                Stub(channel).Set(pair)
            assert refused.value.code() == grpc.StatusCode.UNAUTHENTICATED
    finally:
        server.stop()


# Containers

CONTAINER = settings_of(ROOT / "deploy" / "keystore.conf")
HEALTH_PORT = port_of(CONTAINER["health-listen"][0])
DRAIN_S = int(CONTAINER["drain-delay"][0]) + int(CONTAINER["drain-timeout"][0])
CONTAINERFILE = (ROOT / "Containerfile").read_text().replace("\\\n", " ")


def instructions(name):
    return re.findall(rf"^{name} (.*)$", CONTAINERFILE, re.M)


def test_the_image_copies_what_there_is():
    copied = [words.split() for words in instructions("COPY") if not words.startswith("--from")]
    assert copied and all((ROOT / path).exists() for words in copied for path in words[:-1])
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert not {f"/{path}" for words in copied for path in words[:-1]} & set(ignored)


@pytest.mark.skipif(bool(SANITIZE), reason="the programs need the libraries of the sanitizer, too")
def test_the_image_has_the_libraries():
    files = {line.split()[2] for program in ("keystore-server", "keystore-cli", "keystore-check")
             for line in command("ldd", BIN / program).splitlines() if "=> /" in line}
    files = {path for path in files if "libkeystore" not in path}
    owners = set()
    for path in files:
        # dpkg may know the file by its path from before /lib became a link.
        names = [path, path.removeprefix("/usr"), f"/usr{path}"]
        found = subprocess.run(["dpkg", "-S", *names], capture_output=True, text=True, check=False).stdout
        assert found, f"{path} belongs to no package"
        owners.add(found.split(":")[0])
    listed = set(re.search(r"apt-get install -y --no-install-recommends ([^&]*)", CONTAINERFILE)[1].split())
    # What these depend on themselves, such as the libraries of libsystemd0, apt brings.
    brought = set(re.findall(r"^[ |]*(?:Pre)?Depends: (\S+)", command(
        "apt-cache", "depends", "--recurse", "--installed", "--no-recommends", "--no-suggests",
        "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances", *sorted(listed)), re.M))
    assert owners <= listed | brought | IN_THE_IMAGE, owners - listed - brought
    assert listed <= owners, f"needless: {listed - owners}"


def test_the_image_runs_as_nobody_special():
    user, = instructions("USER")
    assert all(int(number) > 10000 for number in user.split(":"))
    assert instructions("VOLUME") == CONTAINER["dir"]
    assert f'"-p", "{HEALTH_PORT}"' in CONTAINERFILE.split("HEALTHCHECK")[1]
    ports = {port_of(CONTAINER[name][0]) for name in ("tls-listen", "health-listen", "metrics-listen")}
    assert {int(port) for port in instructions("EXPOSE")[0].split()} == ports


def test_compose():
    service = compose()
    assert {volume.split(":")[1] for volume in service["volumes"]} == {
        CONTAINER["dir"][0], "/run/secrets/keystore"}
    assert service["healthcheck"]["test"][1:] == json.loads(
        re.search(r"HEALTHCHECK.*?CMD (\[.*?\])", CONTAINERFILE)[1])
    assert seconds(service["stop_grace_period"]) > DRAIN_S
    served = {port_of(CONTAINER[name][0]) for name in ("tls-listen", "metrics-listen")}
    assert {port_of(port) for port in service["ports"]} == served


def test_kubernetes():
    pod = manifests()["StatefulSet"]["spec"]["template"]["spec"]
    container, = pod["containers"]
    hook = container["lifecycle"]["preStop"]["exec"]["command"]
    assert hook[0] == "sleep" and pod["terminationGracePeriodSeconds"] > int(hook[1]) + DRAIN_S
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[name]["grpc"]["port"] == HEALTH_PORT
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": port_of(CONTAINER["tls-listen"][0]), "health": HEALTH_PORT,
                     "metrics": port_of(CONTAINER["metrics-listen"][0])}
    volumes = {volume["name"] for volume in pod["volumes"]} | {
        claim["metadata"]["name"] for claim in manifests()["StatefulSet"]["spec"]["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    user = instructions("USER")[0].split(":")
    security = pod["securityContext"]
    assert [str(security[name]) for name in ("runAsUser", "fsGroup")] == user
    assert security["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
    service = manifests()["Service"]["spec"]
    assert service["clusterIP"] == "None"
    assert service["selector"] == manifests()["StatefulSet"]["spec"]["template"]["metadata"]["labels"]


def test_options_of_the_manifests(tmp_path):
    """The server knows them: the first thing that it has to say against them is not an option."""
    for words in (compose()["command"], manifests()["StatefulSet"]["spec"]["template"]["spec"]["containers"][0]["args"]):
        assert words[:2] == ["--config", "/etc/keystore/keystore.conf"]
        options = words[2:]
        server = Server(*options, directory=tmp_path, threads=None)
        server.stop()


# Versions

def test_one_version():
    text = (ROOT / "CMakeLists.txt").read_text()
    version = re.search(r"project\(keystore VERSION (\S+)", text)[1]
    assert re.match(r"keystore \((.*?)\)", (ROOT / "debian" / "changelog").read_text())[1] == version
    pod = manifests()["StatefulSet"]["spec"]["template"]["spec"]
    assert {compose()["image"], pod["containers"][0]["image"]} == {f"keystore:{version}"}


def test_the_name_of_the_library_package():
    abi = re.search(r"set\(KEYSTORE_ABI (\d+)\)", (ROOT / "CMakeLists.txt").read_text())[1]
    assert f"\nPackage: libkeystore{abi}\n" in (ROOT / "debian" / "control").read_text()
    library, = set((BIN.parent / "lib").glob(f"libkeystore.so.{abi}"))
    assert f"Library soname: [libkeystore.so.{abi}]" in command("readelf", "-d", library)

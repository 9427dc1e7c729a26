"""What others link: the installed library, its header, and how pkg-config and CMake find them."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from keystore_env import BIN, ROOT, SANITIZE

BUILD = os.environ.get("KEYSTORE_BUILD") or str(ROOT / "build" / "release")
TIMEOUT_S = 120
COMPILE_TIMEOUT_S = 600

PROGRAM = r"""
#include <keystore/streams.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    struct keystore_error error;
    struct keystore_client *client = keystore_connect(argc > 1 ? argv[1] : "", NULL, &error);
    if (client == NULL) {
        fprintf(stderr, "%s: %s\n", keystore_code_name(error.code), error.message);
        return 1;
    }
    struct keystore_key_value set = {.key = keystore_text("installed"),
                                     .value = keystore_text("it works")};
    struct keystore_key get = {.key = keystore_text("installed")};
    struct keystore_status status;
    struct keystore_value value;
    if (keystore_set(client, &set, &status) != KEYSTORE_OK ||
        keystore_get(client, &get, &value) != KEYSTORE_OK || !value.found)
        return 2;
    printf("%.*s\n", (int)value.value.len, (const char *)value.value.data);
    keystore_close(client);
    return 0;
}
"""



CMAKE_PROJECT = """
cmake_minimum_required(VERSION 3.16)
project(example LANGUAGES C)
find_package(keystore 0.1 REQUIRED)
add_executable(example example.c)
target_link_libraries(example PRIVATE keystore::keystore)
"""


def run(*words, timeout=TIMEOUT_S, **options):
    return subprocess.run(list(map(str, words)), capture_output=True, text=True, timeout=timeout,
                          check=False, **options)


def command(*words, **options):
    done = run(*words, **options)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def install(prefix, build=BUILD, component=None):
    """Installs what was built, or a component of it; returns the folder of the library."""
    command("cmake", "--install", build, "--prefix", prefix,
            *(["--component", component] if component else []))
    libraries = {path.parent for path in Path(prefix).rglob("libkeystore.so*")}
    assert len(libraries) <= 1
    return libraries.pop() if libraries else None


def files(prefix):
    return {str(path.relative_to(prefix)) for path in Path(prefix).rglob("*")
            if path.is_symlink() or path.is_file()}


def flags(library_folder):
    paths = dict(os.environ, PKG_CONFIG_PATH=str(library_folder / "pkgconfig"))
    return shlex.split(command("pkg-config", "--cflags", "--libs", "keystore", env=paths))


def compile_program(folder, library_folder, compiler, name, *options):
    source = folder / name
    source.write_text(PROGRAM)
    sanitize = [f"-fsanitize={SANITIZE}"] if SANITIZE else []
    command(compiler, "-Wall", "-Wextra", "-Werror", *options, *sanitize, source, "-o",
            folder / "program", *flags(library_folder))
    return folder / "program"


def hide_packages(folder, *hidden):
    """The environment of a machine on which pkg-config does not know these."""
    folder.mkdir()
    for path in command("pkg-config", "--variable=pc_path", "pkg-config").strip().split(":"):
        for found in Path(path).glob("*.pc"):
            if found.stem not in hidden and not (folder / found.name).exists():
                (folder / found.name).symlink_to(found)
    return dict(os.environ, PKG_CONFIG_LIBDIR=str(folder))


def configure(folder, *options):
    """Configures the folder's build/release where the packages of the tests are missing."""
    return run("cmake", "-S", ROOT, "-B", folder / "build" / "release", "-G", "Ninja",
               "-DCMAKE_BUILD_TYPE=Debug", f"-DKEYSTORE_SANITIZE={SANITIZE}",
               f"-DKEYSTORE_BIN_DIR={folder}/build/bin", *options, timeout=COMPILE_TIMEOUT_S,
               env=hide_packages(folder / "packages", "cmocka", "hiredis"))


@pytest.fixture(scope="module", name="fresh")
def fresh_build(tmp_path_factory):
    """A folder with a build/release beside it in which nothing is built yet."""
    folder = tmp_path_factory.mktemp("fresh")
    done = configure(folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_only_the_tests_need_their_packages(fresh, tmp_path):
    assert "GRPC_PYTHON_PLUGIN" not in (fresh / "build" / "release" / "CMakeCache.txt").read_text()
    refused = configure(tmp_path, "-DKEYSTORE_TESTS=ON")
    assert refused.returncode != 0 and "'cmocka'" in refused.stdout + refused.stderr


def readme_session():
    """The C program of the README's session, its commands, and what they should print."""
    text = (ROOT / "README.md").read_text().split("\n## A session with C\n")[1].split("\n## ")[0]
    blocks = re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.M)
    lines = [[line[4:] for line in block.strip("\n").split("\n")] for block in blocks]
    program = next(block for block in lines if block[0].startswith("#include"))
    session = next(block for block in lines if block[0].startswith("$ "))
    commands = [line[2:] for line in session if line.startswith("$ ")]
    return "\n".join(program) + "\n", commands, [x for x in session if not x.startswith("$ ")]


def test_the_session_of_the_readme(fresh, server):
    program, commands, output = readme_session()
    assert any(" --install " in line for line in commands) and "./example" in commands[-1]
    (fresh / "example.c").write_text(program)
    environment = dict(os.environ, HOME=str(fresh), LD_LIBRARY_PATH="")
    if SANITIZE:  # a library with a sanitizer wants a program with it
        (fresh / "tools").mkdir()
        (fresh / "tools" / "cc").write_text(
            f'#!/bin/sh\nexec {shutil.which("cc")} -fsanitize={SANITIZE} "$@"\n')
        (fresh / "tools" / "cc").chmod(0o755)
        environment["PATH"] = f"{fresh}/tools:{environment['PATH']}"
    # Only the server is another one than a reader's.
    last = commands.pop()
    assert last.count("127.0.0.1:50051") == 1
    script = "\n".join(["set -e", "{", *commands, "} >&2",
                        last.replace("127.0.0.1:50051", server.address)])
    printed = command("bash", "-c", script, cwd=fresh, env=environment, timeout=COMPILE_TIMEOUT_S)
    assert printed.splitlines() == output


@pytest.mark.parametrize("libdir", ["lib/x86_64-linux-gnu", "lib64"])
def test_libraries_in_another_folder(fresh, server, tmp_path, libdir):
    build = fresh / "build" / "release"
    command("cmake", f"-DCMAKE_INSTALL_LIBDIR={libdir}", build)
    command("cmake", "--build", build, "--target", "keystore_client", timeout=COMPILE_TIMEOUT_S)
    library_folder = install(tmp_path / "usr", build)
    command("cmake", "-DCMAKE_INSTALL_LIBDIR=lib", build)
    assert library_folder == tmp_path / "usr" / libdir
    program = compile_program(tmp_path, library_folder, "cc", "program.c")
    environment = dict(os.environ, LD_LIBRARY_PATH=str(library_folder))
    assert command(program, server.address, env=environment) == "it works\n"


def test_each_component_alone(tmp_path):
    for component in ("library", "development", "programs"):
        install(tmp_path / component, component=component)
    version = (ROOT / "CMakeLists.txt").read_text().split("VERSION ", 2)[2].split()[0]
    assert files(tmp_path / "library") == {"lib/libkeystore.so.1", f"lib/libkeystore.so.1.{version}"}
    assert {"lib/libkeystore.so", "include/keystore/client.h", "include/keystore/streams.h",
            "include/keystore/admin.h", "include/keystore/messages.h", "lib/pkgconfig/keystore.pc",
            "share/keystore/keystore.protoset",
            "share/keystore/mini_redis.proto",
            "lib/cmake/keystore/keystoreConfig.cmake"} <= files(tmp_path / "development")
    assert "bin/keystore-server" in files(tmp_path / "programs")
    assert all(name.startswith("bin/") for name in files(tmp_path / "programs"))
    install(tmp_path / "all")
    assert files(tmp_path / "all") == set().union(
        *(files(tmp_path / component) for component in ("library", "development", "programs")))


def test_the_files_may_be_moved(server, tmp_path):
    install(tmp_path / "before")
    for name in files(tmp_path / "before"):
        if name.endswith((".pc", ".cmake")):
            text = (tmp_path / "before" / name).read_text()
            assert str(tmp_path) not in text and "/usr/local" not in text, name
    (tmp_path / "before").rename(tmp_path / "after")
    library_folder = tmp_path / "after" / "lib"
    program = compile_program(tmp_path, library_folder, "cc", "program.c")
    environment = dict(os.environ, LD_LIBRARY_PATH=str(library_folder))
    assert command(program, server.address, env=environment) == "it works\n"
    shown = command(tmp_path / "after" / "bin" / "keystore-cli", "--version",
                    env=dict(os.environ, LD_LIBRARY_PATH=""))
    assert shown == command(BIN / "keystore-cli", "--version")


def test_cmake_finds_the_package(server, tmp_path):
    install(tmp_path / "prefix")
    (tmp_path / "CMakeLists.txt").write_text(CMAKE_PROJECT)
    (tmp_path / "example.c").write_text(PROGRAM)
    sanitize = f"-fsanitize={SANITIZE}" if SANITIZE else ""
    command("cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "out", f"-DCMAKE_C_FLAGS={sanitize}",
            f"-DCMAKE_PREFIX_PATH={tmp_path}/prefix")
    command("cmake", "--build", tmp_path / "out")
    environment = dict(os.environ, LD_LIBRARY_PATH="")
    assert command(tmp_path / "out" / "example", server.address, env=environment) == "it works\n"
    newer = CMAKE_PROJECT.replace("keystore 0.1", "keystore 0.99")
    (tmp_path / "CMakeLists.txt").write_text(newer)
    refused = run("cmake", "-G", "Ninja", "-S", tmp_path, "-B", tmp_path / "out")
    assert refused.returncode != 0 and "0.99" in refused.stderr


def test_a_program_links_the_installed_library(server, tmp_path):
    library_folder = install(tmp_path / "prefix")
    program = compile_program(tmp_path, library_folder, "cc", "program.c", "-std=c99")
    environment = dict(os.environ, LD_LIBRARY_PATH=str(library_folder))
    assert command(program, server.address, env=environment) == "it works\n"
    done = run(program, "127.0.0.1:x", env=environment)
    assert done.returncode == 1 and done.stderr.startswith("INVALID_ARGUMENT: ")


def test_the_library_exports_its_api_only(tmp_path):
    library_folder = install(tmp_path)
    lines = command("nm", "-D", "--defined-only", library_folder / "libkeystore.so").splitlines()
    names = {line.split()[-1].split("@")[0] for line in lines}
    ours = {name for name in names if not name.startswith(("__", "_"))}
    assert ours and all(name.startswith("keystore_") for name in ours)
    headers = "".join((ROOT / "include" / "keystore" / name).read_text()
                      for name in ("client.h", "messages.h", "streams.h", "admin.h"))
    assert all(f"{name}(" in headers for name in ours)


def test_the_library_never_ends_its_program(tmp_path):
    """It reports what goes wrong; nothing in it ends the process or writes to its streams."""
    library = install(tmp_path) / "libkeystore.so"
    lines = command("nm", "-D", "--undefined-only", library).splitlines()
    needed = {line.split()[-1].split("@")[0] for line in lines}
    assert "realloc" in needed
    assert not needed & {"abort", "exit", "_exit", "stderr", "fprintf", "__fprintf_chk", "perror",
                         "fwrite", "puts", "printf"}

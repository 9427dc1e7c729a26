"""Data directories made by hand, after docs/format.md and not with the code under test."""

import ctypes
import ctypes.util
import struct

XXHASH = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
for name, arguments in (("XXH3_64bits", [ctypes.c_char_p, ctypes.c_size_t]),
                        ("XXH3_64bits_withSeed", [ctypes.c_char_p, ctypes.c_size_t,
                                                  ctypes.c_uint64])):
    getattr(XXHASH, name).argtypes = arguments
    getattr(XXHASH, name).restype = ctypes.c_uint64

FOLDER = "appendonlydir"
MANIFEST = "appendonly.aof.manifest"
LOCK = "keystore.lock"
VERSIONS = "keystore.versions"


def base_name(seq):
    return f"appendonly.aof.{seq}.base.rdb"


def log_name(seq):
    return f"appendonly.aof.{seq}.incr.aof"


def command(*words):
    """A command in RESP; words are bytes, text or numbers."""
    words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def batch(offset, seq, records, synced):
    """A batch of records (bytes of RESP each), to stand at that offset of its file."""
    payload = b"".join(records)
    digits = b"%016x" % XXHASH.XXH3_64bits(payload, len(payload))
    head = b"#KS1 seq=%d ops=%d len=%d xxh3=%s" % (seq, len(records), len(payload), digits)
    tail = b" synced=%d\n" % synced
    check = XXHASH.XXH3_64bits_withSeed(head + tail, len(head + tail), offset)
    return head + b"%016x" % check + tail + payload


class Log:
    """A log of batches that grows; remembers where each batch begins."""

    def __init__(self, first=1):
        self.bytes = b""
        self.next = first
        self.synced = first - 1
        self.starts = []

    def add(self, *records, durable=True):
        """A batch of these records, written when all before it was durable, or not."""
        self.starts.append(len(self.bytes))
        self.bytes += batch(len(self.bytes), self.next, records, self.synced)
        self.next += len(records)
        if durable:
            self.synced = self.next - 1
        return self


def versions(revision):
    """The file that says up to which revision records may have come."""
    line = b"versions %d" % revision
    return line + b" xxh3 %016x\n" % XXHASH.XXH3_64bits(line, len(line))


def crc64(data):
    """CRC-64 as in Redis: Jones, reflected."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x95AC9329AC4BC9B5 if crc & 1 else 0)
    return crc


def rdb_string(text):
    assert len(text) < 64
    return bytes([len(text)]) + text


def rdb(strings=(), lists=(), revision=None, version=10, more=b""):
    """A snapshot; strings are (key, value, deadline in ms or None), lists (key, elements)."""
    out = b"REDIS%04d" % version
    if revision is not None:
        out += b"\xfa" + rdb_string(b"ks-revision") + rdb_string(b"%d" % revision)
    out += b"\xfe\x00"
    for key, value, deadline in strings:
        if deadline is not None:
            out += b"\xfc" + struct.pack("<q", deadline)
        out += b"\x00" + rdb_string(key) + rdb_string(value)
    for key, elements in lists:
        out += b"\x01" + rdb_string(key) + bytes([len(elements)])
        out += b"".join(map(rdb_string, elements))
    out += more + b"\xff"
    return out + struct.pack("<Q", crc64(out))


class DataDir:
    """A directory with a base and logs, which are bytes or None (not written)."""

    def __init__(self, path, base=None, logs=(), manifest=None):
        self.path = path
        self.folder = path / FOLDER
        self.folder.mkdir(parents=True)
        lines = ""
        if base is not None:
            (self.folder / base_name(1)).write_bytes(base)
            lines += f"file {base_name(1)} seq 1 type b\n"
        for seq, log in enumerate(logs, 1):
            if log is not None:
                (self.folder / log_name(seq)).write_bytes(log)
            lines += f"file {log_name(seq)} seq {seq} type i\n"
        self.manifest = self.folder / MANIFEST
        self.manifest.write_text(lines if manifest is None else manifest)

    def log(self, seq=1):
        return self.folder / log_name(seq)

    def base(self):
        return self.folder / base_name(1)

    def files(self):
        """All files and what they hold."""
        return {str(file.relative_to(self.path)): file.read_bytes()
                for file in sorted(self.path.rglob("*")) if file.is_file()}

"""What a scanner finds weak about a TLS server: sslscan, with the protocol h2 offered."""

import re
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from pathlib import Path

STRONG_CIPHER = re.compile(
    r"TLS_(AES_(128|256)_GCM|CHACHA20_POLY1305)_SHA(256|384)"
    r"|ECDHE-(ECDSA|RSA)-(AES(128|256)-GCM-SHA(256|384)|CHACHA20-POLY1305)")
VERSIONS = {"1.2", "1.3"}
LEAST_BITS = 128  # of ciphers, groups and the certificate's key
SOURCE = Path(__file__).with_name("offer_h2.c")
SCAN_TIMEOUT_S = 300


def scan(host, port):
    """sslscan's report, the element `ssltest`; None: it could not connect. Needs a C compiler besides sslscan."""
    with tempfile.TemporaryDirectory(prefix="keystore-scan-") as folder:
        library, report = Path(folder) / "offer_h2.so", Path(folder) / "scan.xml"
        subprocess.run(["cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", library, SOURCE, "-ldl"],
                       check=True)
        subprocess.run(["env", f"LD_PRELOAD={library}", "sslscan", "--show-sigs", f"--xml={report}",
                        f"{host}:{port}"], check=True, stdout=subprocess.DEVNULL,
                       timeout=SCAN_TIMEOUT_S)
        return ElementTree.parse(report).getroot().find("ssltest")


def weaknesses(report):
    """Sentences; none if the server is as it should be. That nothing was found is one, too."""
    found = []
    versions = {each.get("version") for each in report.iter("protocol")
                if each.get("enabled") == "1"}
    found += [f"the protocol {version} is enabled" for version in sorted(versions - VERSIONS)]
    found += [f"TLS {version} is not enabled" for version in sorted(VERSIONS - versions)]
    for each in report.iter("cipher"):
        if not STRONG_CIPHER.fullmatch(each.get("cipher")) or int(each.get("bits")) < LEAST_BITS:
            found.append(f"{each.get('sslversion')} has the cipher {each.get('cipher')}")
    for each in report.iter("group"):
        if int(each.get("bits")) < LEAST_BITS or each.get("name").startswith("ffdhe"):
            found.append(f"{each.get('sslversion')} has the group {each.get('name')}")
    for each in report.iter("connection-signature-algorithm"):
        if re.search("sha1|md5|dsa_sha224", each.get("name"), re.I):
            found.append(f"{each.get('sslversion')} signs with {each.get('name')}")
    found += ["renegotiation is possible" for each in report.iter("renegotiation")
              if each.get("supported") != "0"]
    found += ["compression is possible" for each in report.iter("compression")
              if each.get("supported") != "0"]
    found += [f"{each.get('sslversion')} has Heartbleed" for each in report.iter("heartbleed")
              if each.get("vulnerable") != "0"]
    for key in report.iter("pk"):
        if key.get("error") != "false" or int(key.get("bits") or 0) < LEAST_BITS:
            found.append(f"the certificate's key, {key.get('type')}, has {key.get('bits')} bits")
    found += [f"the certificate is signed with {each.text}"
              for each in report.iter("signature-algorithm") if re.search("sha1|md5", each.text, re.I)]
    for name in ("cipher", "group", "renegotiation", "heartbleed", "pk", "signature-algorithm"):
        if next(report.iter(name), None) is None:
            found.append(f"the scan says nothing about: {name}")
    return found


def facts(report):
    """Lines that say what was found."""
    for name, label in (("protocol", "version"), ("cipher", "cipher"), ("group", "name")):
        values = [f"{each.get('sslversion') or 'TLS'} {each.get(label)}" for each in report.iter(name)
                  if each.get("enabled") != "0"]
        yield f"{name}s: {', '.join(values)}"

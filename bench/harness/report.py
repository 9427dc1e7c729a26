"""Formats results: Markdown tables, the machine, and where reports are saved."""
import datetime
import os
import platform
import statistics
import subprocess

from harness.process import say

# A larger share of a core used by other programs, or stolen by the host, disturbs a round.
DISTURBED = 0.05


def table(header, rows):
    """Markdown; a column whose header starts with a space is right-aligned."""
    lines = [header, ["---:" if name.startswith(" ") else "---" for name in header], *rows]
    return "\n".join("| " + " | ".join(str(cell).strip() for cell in line) + " |"
                     for line in lines) + "\n"


def number(value):
    """Three significant digits, with thousands separators."""
    if value >= 100:
        return f"{round(value, 2 - int(len(str(int(value))) - 1)):,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def verdict(reached):
    return "yes" if reached else "**no**"


def spread(values):
    """The spread of the rounds, as a share of their median."""
    return f"{(max(values) - min(values)) / statistics.median(values):.0%}"


def first_line(command):
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                text=True)
    except OSError:
        return "unknown"
    return result.stdout.strip().partition("\n")[0] or "unknown"


def package_version(package):
    return first_line(["dpkg-query", "-W", "-f", "${Version}", package])


def cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def system_name():
    return platform.freedesktop_os_release().get("PRETTY_NAME", "an unknown system")


def machine_rows(server_program):
    """The rows at the start of every report."""
    commit = first_line(["git", "describe", "--always", "--dirty"])
    with open("/proc/meminfo", encoding="ascii") as file:
        memory_gib = int(file.readline().split()[1]) / 2**20
    return [
        ["date", datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")],
        ["processor", f"{cpu_model()}, {os.cpu_count()} cores, {memory_gib:.0f} GiB of memory"],
        ["virtualization", first_line(["systemd-detect-virt"])],
        ["system", f"{system_name()}, Linux {platform.release()}"],
        ["KeyStore", f"{first_line([server_program, '--version'])}, commit {commit}"],
    ]


def disturbance(usages):
    """A sentence on how idle the machine was."""
    others = [usage.others for usage in usages]
    stolen = [usage.stolen for usage in usages]
    text = ("Beside the server and its load, other programs used "
            f"{statistics.median(others):.1%} of a core (at worst {max(others):.1%}), and the host "
            f"took {statistics.median(stolen):.1%} (at worst {max(stolen):.1%}).")
    disturbed = sum(other + steal > DISTURBED for other, steal in zip(others, stolen))
    if disturbed > 0:
        text += (f" **{disturbed} of {len(usages)} measurements were disturbed by more than "
                 f"{DISTURBED:.0%} of a core: repeat this on a quiet machine before believing "
                 "it.**")
    return text


def results_path(folder, suite, ending):
    os.makedirs(folder, exist_ok=True)
    return os.path.join(folder, f"{datetime.date.today().isoformat()}-{suite}.{ending}")


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    say(f"wrote {path}")

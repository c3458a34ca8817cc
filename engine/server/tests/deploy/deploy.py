"""What the checks share: the folder that is checked, the tools, and how configurations are read.

A check is a function of a `Deploy`. It yields what it looked at, each as `(subject, problem)`, where no problem is `None`.
"""

import dataclasses
import pathlib
import re
import subprocess

import yaml

# What `${NAME}` stands for where a deployment has a secret of its owner's there.
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OWNERS = {"GOSSIP_KEYS": f"{KEY},{KEY}", "MINIO_PASSWORD": "a-password-of-the-owner"}

# As in engine/server/src/config: what holds where a configuration does not say.
DEFAULTS = {"drain_timeout": "30s", "memory.budget": "384MiB", "cluster.leave_timeout": "1m"}
PORTS = {
    "query.port": (3200, "TCP"),
    "query.jaeger_ports": ([16686, 16685], "TCP"),
    "receive.otlp_ports": ([4317, 4318, 55680, 55681], "TCP"),
    "receive.jaeger.ports": ([14250, 14268, 5778], "TCP"),
    "receive.jaeger.compact_ports": ([6831], "UDP"),
    "receive.jaeger.binary_ports": ([6832], "UDP"),
    "receive.jaeger.zipkin_compact_ports": ([5775], "UDP"),
    "receive.zipkin.ports": ([9411], "TCP"),
    "receive.opencensus.ports": ([55678], "TCP"),
    "cluster.gossip_port": (7946, "UDP"),
    "cluster.peer_port": (7947, "TCP"),
}


@dataclasses.dataclass
class Deploy:
    """A copy of docs/deploy, and what it is checked with."""

    root: pathlib.Path  # the repository
    folder: pathlib.Path  # the copy
    spanloom: str
    tools: pathlib.Path  # helm, kubectl, certificates
    scripts: pathlib.Path  # programs of the environment of Python

    def read(self, name):
        return (self.folder / name).read_text()

    def yaml(self, name):
        return yaml.safe_load(self.read(name))


def run(command, **more):
    """The program's output, and what it said if it failed."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, **more)
    said = (done.stdout + done.stderr).strip()
    return done.stdout, None if done.returncode == 0 else said or f"ended with {done.returncode}"


def same(found, expected, what):
    return None if found == expected else f"{what}: found {found!r}, expected {expected!r}"


def filled(text, environment):
    """A configuration as a value, with `${NAME}` and `${NAME:-default}` filled in. Whether the binary takes it is for
    the binary to say."""

    def value(match):
        name, _, default = match[1].partition(":-")
        return environment.get(name) or default

    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return yaml.safe_load(re.sub(r"\$\{([^}]*)\}", value, "\n".join(lines))) or {}


def key(config, path):
    """The value of a key such as `memory.budget`, or its default."""
    for name in path.split("."):
        config = (config or {}).get(name) if isinstance(config, dict) else None
    return DEFAULTS.get(path, PORTS.get(path, (None,))[0]) if config is None else config


def seconds(text):
    """`1m30s`, `120s` or `infinity` in seconds."""
    if text == "infinity":
        return float("inf")
    parts = re.findall(r"(\d+)(ms|s|m|h|min)?", str(text))
    return sum(int(n) * {"ms": 0.001, "s": 1, "": 1, "m": 60, "min": 60, "h": 3600}[unit] for n, unit in parts)


def size(text):
    """`1GiB`, `1536Mi` or `1536M` (as systemd counts) in bytes."""
    number, unit = re.fullmatch(r"(\d+)([KMGT]?)i?B?", str(text)).groups()
    return int(number) << {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]


def stopping(config):
    """Seconds that stopping may take: requests end, a node of a cluster leaves, blocks are shipped."""
    in_cluster = bool(key(config, "cluster.join") or key(config, "cluster.enabled"))
    return 2 * seconds(key(config, "drain_timeout")) + in_cluster * seconds(key(config, "cluster.leave_timeout"))


def open_ports(config):
    """Every port that the configuration opens, with its protocol."""
    found = set()
    for path, (_, protocol) in PORTS.items():
        value = key(config, path)
        found.update((port, protocol) for port in (value if isinstance(value, list) else [value]))
    return found

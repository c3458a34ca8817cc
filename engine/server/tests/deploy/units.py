"""The unit of systemd and what belongs to it: directives that systemd knows, values that fit the configurations."""

import re
import shutil
import tempfile
import pathlib

from config import systemd_environment
from deploy import filled, key, run, same, seconds, size, stopping

UNIT = "systemd/spanloom.service"
DROP_IN = "systemd/spanloom.service.d/cluster.conf"

YES = r"yes|no"
TIME = r"infinity|(\d+(ms|s|m|h|min)?)+"
WORDS = r".+"
# Directives of systemd 252 that a service of ours may need, and what their values look like.
KNOWN = {
    "Unit": {
        "Description": WORDS, "Documentation": r"((https?|man|file|info):\S+ ?)+", "After": r"[\w@.-]+( [\w@.-]+)*",
        "Wants": r"[\w@.-]+( [\w@.-]+)*", "Requires": r"[\w@.-]+( [\w@.-]+)*", "StartLimitIntervalSec": TIME,
        "StartLimitBurst": r"\d+",
    },
    "Service": {
        "Type": "simple|exec|notify", "User": r"[a-z_][\w-]*", "Group": r"[a-z_][\w-]*", "EnvironmentFile": r"(-?/\S+)?",
        "Environment": WORDS, "ExecStart": r"/\S+( .*)?", "ExecStartPre": r"/\S+( .*)?",
        "Restart": "no|always|on-failure|on-abnormal", "RestartSec": TIME, "RestartPreventExitStatus": r"\d+( \d+)*",
        "KillMode": "control-group|mixed|process", "KillSignal": r"SIG[A-Z]+", "TimeoutStopSec": TIME,
        "TimeoutStartSec": TIME, "StateDirectory": r"[\w-]+", "StateDirectoryMode": r"0[0-7]{3}", "UMask": r"0[0-7]{3}",
        "LimitNOFILE": r"\d+", "MemoryMax": r"\d+[KMGT]", "MemoryHigh": r"\d+[KMGT]", "TasksMax": r"\d+",
        "NoNewPrivileges": YES, "CapabilityBoundingSet": r"(CAP_\w+ ?)*", "AmbientCapabilities": r"(CAP_\w+ ?)*",
        "ProtectSystem": "full|strict", "ProtectHome": "yes|read-only|tmpfs", "ProtectClock": YES,
        "ProtectControlGroups": YES, "ProtectHostname": YES, "ProtectKernelLogs": YES, "ProtectKernelModules": YES,
        "ProtectKernelTunables": YES, "ProtectProc": "invisible|noaccess|ptraceable|default", "PrivateDevices": YES,
        "PrivateTmp": YES, "LockPersonality": YES, "MemoryDenyWriteExecute": YES, "RemoveIPC": YES,
        "RestrictAddressFamilies": r"(AF_\w+ ?)+", "RestrictNamespaces": YES, "RestrictRealtime": YES,
        "RestrictSUIDSGID": YES, "SystemCallArchitectures": "native", "SystemCallFilter": r"(~?@[\w-]+ ?)+",
        "SystemCallErrorNumber": r"E[A-Z]+",
    },
    "Install": {"WantedBy": r"[\w.-]+\.target"},
}  # fmt: skip


def directives(text):
    """`(line, section, name, value)` of each."""
    section = None
    for number, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if line.startswith("["):
            section = line.strip("[]")
        elif line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield number, section, name, value


def unknown(text):
    problems = []
    for number, section, name, value in directives(text):
        expected = KNOWN.get(section, {}).get(name)
        if expected is None:
            problems.append(f"line {number}: {name} in [{section}], expected a directive of KNOWN")
        elif not re.fullmatch(expected, value):
            problems.append(f"line {number}: {name}={value}, expected {expected}")
    return "\n".join(problems) or None


def check(deploy):
    for name in (UNIT, DROP_IN):
        yield f"{name}: known directives", unknown(deploy.read(name))
    alone = {name: value for _, _, name, value in directives(deploy.read(UNIT))}
    among = alone | {name: value for _, _, name, value in directives(deploy.read(DROP_IN))}
    for name, unit, file in (("alone", alone, "spanloom.yaml"), ("in a cluster", among, "cluster.yaml")):
        environment = systemd_environment(deploy)
        config = filled(deploy.read(f"systemd/{file}"), environment)
        yield f"systemd, {name}: the unit fits the configuration", unfit(unit, config)
    users = re.findall(r"(?m)^u (\S+)", deploy.read("systemd/sysusers.conf"))
    yield "systemd: the user is made", same(users, [alone["User"]], "users of sysusers.conf")
    settings = [line for line in deploy.read("systemd/sysctl.conf").splitlines() if line and line[0] != "#"]
    odd = [line for line in settings if not re.fullmatch(r"[a-z_]+(\.[a-z_]+)+ = \d+", line)]
    yield "systemd/sysctl.conf: settings", same(odd, [], "lines that are no setting")
    if shutil.which("systemd-analyze"):
        yield "systemd: systemd-analyze verify", verified(deploy)


def unfit(unit, config):
    problems = []
    if seconds(unit["TimeoutStopSec"]) <= stopping(config):
        expected = f"expected more than {stopping(config):.0f}s, which stopping may take"
        problems.append(f"TimeoutStopSec is {unit['TimeoutStopSec']}, {expected}")
    budget = size(key(config, "memory.budget"))
    if size(unit["MemoryMax"]) < budget * 5 // 4:
        problems.append(f"MemoryMax is {unit['MemoryMax']} for a budget of {budget >> 20} MiB")
    problems.append(same(config["data_dir"], f"/var/lib/{unit['StateDirectory']}", "data_dir"))
    return "\n".join(filter(None, problems)) or None


def verified(deploy):
    """By systemd itself, with the binary that is there in the place of the one that will be."""
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        shutil.copytree(deploy.folder / "systemd/spanloom.service.d", folder / "spanloom.service.d")
        unit = deploy.read(UNIT).replace("/usr/local/bin/spanloom", deploy.spanloom)
        (folder / "spanloom.service").write_text(unit)
        return run(["systemd-analyze", "--man=no", "--recursive-errors=no", "verify", folder / "spanloom.service"])[1]

"""Every configuration of Spanloom, by Spanloom itself: as it stands, and with what is commented out in it."""

import pathlib
import re
import tempfile

from deploy import KEY, OWNERS, run

# Owners' credentials for what is commented out.
COMMENTED = {"S3_ACCESS_KEY_ID": "id", "S3_SECRET_ACCESS_KEY": "key"}


def systemd_environment(deploy):
    lines = (line for line in deploy.read("systemd/spanloom.env").splitlines() if "=" in line and line[0] != "#")
    given = dict(line.split("=", 1) for line in lines)
    return {name: value or OWNERS.get(name, "") for name, value in given.items()}


def compose_environment(deploy, file, service):
    """Of a service, with the variables that its owner has to give."""
    given = deploy.yaml(f"compose/{file}")["services"][service].get("environment", {})
    owned = re.compile(r"\$\{(\w+):\?[^}]*\}")
    return {name: owned.sub(lambda match: OWNERS[match[1]], str(value)) for name, value in given.items()}


def uncommented(text):
    """The text with its keys that are commented out; sentences begin with a capital letter."""
    return re.sub(r"(?m)^( *)# ( *)(?=[a-z_0-9]+:(?: |$))", r"\1\2", text)


def refused(deploy, text, environment):
    """Why Spanloom refuses a configuration, in exactly that environment."""
    text = text.replace("/etc/spanloom/tls", str(deploy.tools / "tls"))
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "spanloom.yaml"
        file.write_text(text)
        return run([deploy.spanloom, "--config", file, "--check-config"], env=environment)[1]


def check(deploy):
    files = {
        "systemd/spanloom.yaml": {},
        "systemd/cluster.yaml": systemd_environment(deploy),
        "compose/spanloom/spanloom.yaml": compose_environment(deploy, "compose.yaml", "spanloom"),
        "compose/spanloom/cluster.yaml": compose_environment(deploy, "compose.cluster.yaml", "spanloom-1"),
        "kubernetes/spanloom.yaml": {"POD_NAME": "spanloom-0", "POD_IP": "10.0.0.7", "GOSSIP_KEYS": KEY},
    }
    for name, environment in files.items():
        text = deploy.read(name)
        yield f"{name}: spanloom --check-config", refused(deploy, text, environment)
        more = uncommented(text)
        if more != text:
            problem = refused(deploy, more, {**environment, **COMMENTED})
            yield f"{name}, with what is commented out: spanloom --check-config", problem

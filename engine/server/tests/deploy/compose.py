"""The files for containers: by the schema of the Compose specification, and whether all that they name is there."""

import re

import yaml

from config import compose_environment
from deploy import filled, open_ports, run, same, seconds, stopping

NODES = {"compose.yaml": ["spanloom"], "compose.cluster.yaml": ["spanloom-1", "spanloom-2", "spanloom-3"]}


def check(deploy):
    folder = deploy.folder / "compose"
    for file in ("demo.yaml", *NODES):
        command = [deploy.scripts / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", folder / file]
        yield f"compose/{file}: check-jsonschema, Compose specification", run(command)[1]
    for file, nodes in NODES.items():
        model = yaml.safe_load((folder / file).read_text())
        services, volumes = dict(model["services"]), set(model.get("volumes", {}))
        for other in model.get("include", []):
            included = yaml.safe_load((folder / other).read_text())
            services |= included["services"]
            volumes |= set(included.get("volumes", {}))
        yield f"compose/{file}: what services name is there", missing(deploy, services, volumes)
        yield f"compose/{file}: images have tags", untagged(services)
        for node in nodes:
            yield f"compose/{file}: {node} fits its configuration", unfit(deploy, file, node, services[node])
    balanced = deploy.yaml("compose/compose.cluster.yaml")["services"]["spanloom"]
    listening = set(re.findall(r"(?m)^ +listen (\d+)( udp)?;", deploy.read("compose/balancer/nginx.conf")))
    listening = {(int(port), "UDP" if udp else "TCP") for port, udp in listening}
    problem = same(sorted(published(balanced) - listening), [], "published, and not listened on")
    yield "compose/compose.cluster.yaml: the balancer listens on what is published", problem


def missing(deploy, services, volumes):
    lost = []
    for name, service in services.items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            there = (deploy.folder / "compose" / source).is_file() if source.startswith(".") else source in volumes
            lost += [] if there else [f"{name}: {source}"]
        wanted = service.get("depends_on", [])
        lost += [f"{name}: {other}" for other in wanted if other not in services]
        for other, how in wanted.items() if isinstance(wanted, dict) else []:
            if how["condition"] == "service_healthy" and "healthcheck" not in services.get(other, {}):
                lost.append(f"{name}: the health of {other}")
        recipe = service.get("build", {}).get("dockerfile")
        if recipe and not (deploy.root / recipe).is_file():
            lost.append(f"{name}: {recipe}")
    return same(lost, [], "named, and not there")


def untagged(services):
    images = {re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", service["image"]) for service in services.values()}
    loose = sorted(image for image in images if not re.search(r":(?!latest$)[\w.-]+$", image))
    return same(loose, [], "without a tag")


def published(service):
    found = set()
    for port in service.get("ports", []):
        number, _, protocol = port.rsplit(":", 1)[-1].partition("/")
        found.add((int(number), (protocol or "tcp").upper()))
    return found


def unfit(deploy, file, node, service):
    mounts = [mount.split(":") for mount in service["volumes"]]
    source = next((m[0] for m in mounts if m[1] == "/etc/spanloom/spanloom.yaml"), None)
    if source is None:
        return "no configuration is mounted at /etc/spanloom/spanloom.yaml"
    config = filled((deploy.folder / "compose" / source).read_text(), compose_environment(deploy, file, node))
    problems = [
        same(sorted(published(service) - open_ports(config)), [], "published, and not opened"),
        None if config["data_dir"] in [m[1] for m in mounts] else f"no volume at {config['data_dir']}",
        None if "/ready" in service["healthcheck"]["test"][-1] else "the health check asks something else than /ready",
    ]
    grace, needed = seconds(service["stop_grace_period"]), stopping(config)
    if grace <= needed:
        problems.append(f"stop_grace_period is {grace:.0f} s, expected more than {needed:.0f} s, which stopping may take")
    return "\n".join(filter(None, problems)) or None

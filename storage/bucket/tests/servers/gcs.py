"""A server of Google Cloud Storage's XML API, in memory, made from its documentation for the tests of this project.

The emulators that package registries have speak the JSON API; `object_store`, as other clients that write much, speaks
XML. What is here: objects with generations, conditions, ranges, checksums, listings in pages, uploads in parts.

See <https://cloud.google.com/storage/docs/xml-api/reference-methods>.
"""

import base64
import email.utils
import hashlib
import itertools
import re
import ssl
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

import google_crc32c

PAGE = 1000


class Object:
    def __init__(self, data, generation):
        self.data, self.generation, self.time = data, generation, time.time()
        self.tag = '"%s"' % hashlib.md5(data + str(generation).encode()).hexdigest()


class State:
    def __init__(self, buckets):
        self.lock = threading.Lock()
        self.buckets = {name: {} for name in buckets}
        self.uploads = {}
        self.numbers = itertools.count(1_700_000_000_000_000)


class Refusal(Exception):
    """A request that is answered with an error: status, code, message."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = None

    def log_message(self, *_):
        pass

    def setup(self):
        super().setup()
        # Small answers leave at once.
        self.connection.setsockopt(6, 1, 1)

    def answer(self, status, body=b"", headers=None, length=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and status != 304:
            self.wfile.write(body)

    def do(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query, keep_blank_values=True))
        bucket, _, key = urllib.parse.unquote(address.path[1:]).partition("/")
        try:
            with self.state.lock:
                objects = self.state.buckets.get(bucket)
                if objects is None:
                    raise Refusal(404, "NoSuchBucket", "The specified bucket does not exist.")
                answer = self.route(objects, key, query, body)
            self.answer(*answer)
        except Refusal as refusal:
            status, code, message = refusal.args
            text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            self.answer(status, text.encode(), {"Content-Type": "application/xml; charset=UTF-8"})

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do

    def route(self, objects, key, query, body):
        if not key:
            return self.list(objects, query)
        if self.command == "PUT":
            self.check_sum(body)
            return self.put_part(query, body) if "uploadId" in query else self.put(objects, key, body)
        if self.command == "POST":
            return self.begin(key) if "uploads" in query else self.complete(objects, key, query["uploadId"], body)
        if self.command == "DELETE":
            if "uploadId" in query:
                self.upload(query["uploadId"])
                del self.state.uploads[query["uploadId"]]
            elif objects.pop(key, None) is None:
                raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
            return (204,)
        return self.get(objects, key)

    def check_sum(self, body):
        found = base64.b64encode(google_crc32c.Checksum(body).digest()).decode()
        if self.headers.get("x-goog-hash") != f"crc32c={found}":
            raise Refusal(400, "BadDigest", "The CRC32C you specified did not match what we received.")

    def put(self, objects, key, body):
        condition = self.headers.get("x-goog-if-generation-match")
        there = objects[key].generation if key in objects else 0
        if condition is not None and int(condition) != there:
            raise Refusal(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
        objects[key] = Object(body, next(self.state.numbers))
        return 200, b"", self.marks(objects[key])

    def get(self, objects, key):
        found = objects.get(key)
        if found is None:
            raise Refusal(404, "NoSuchKey", "The specified key does not exist.")
        marks = self.marks(found)
        if self.headers.get("If-None-Match") == found.tag:
            return 304, b"", marks
        if self.headers.get("If-Match", found.tag) != found.tag:
            raise Refusal(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold.")
        marks["Last-Modified"] = email.utils.formatdate(found.time, usegmt=True)
        total = len(found.data)
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted is None:
            return 200, found.data, marks
        start, end = int(wanted[1]), min(int(wanted[2]) + 1, total)
        if start >= total:
            raise Refusal(416, "InvalidRange", "The requested range cannot be satisfied.")
        marks["Content-Range"] = f"bytes {start}-{end - 1}/{total}"
        return 206, found.data[start:end], marks

    @staticmethod
    def marks(found):
        return {"ETag": found.tag, "x-goog-generation": str(found.generation)}

    def list(self, objects, query):
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token", query.get("start-after", ""))
        rows, token, count = [], None, 0
        for name in self.names(objects, prefix, delimiter):
            # A token is the name of the last row.
            if name <= after:
                continue
            if count == PAGE:
                token = rows[-1][0]
                break
            rows.append((name, objects.get(name) if not delimiter or not name.endswith(delimiter) else None))
            count += 1
        xml = [f"<ListBucketResult><Prefix>{escape(prefix)}</Prefix><KeyCount>{count}</KeyCount>"]
        for name, found in rows:
            if found is None:
                xml.append(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>")
                continue
            stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(found.time))
            xml.append(f"<Contents><Key>{escape(name)}</Key><Generation>{found.generation}</Generation>"
                       f"<LastModified>{stamp}</LastModified><ETag>{escape(found.tag)}</ETag>"
                       f"<Size>{len(found.data)}</Size></Contents>")
        xml.append(f"<IsTruncated>{'true' if token else 'false'}</IsTruncated>")
        if token:
            xml.append(f"<NextContinuationToken>{escape(token)}</NextContinuationToken>")
        return 200, ("".join(xml) + "</ListBucketResult>").encode(), {"Content-Type": "application/xml"}

    @staticmethod
    def names(objects, prefix, delimiter):
        """Names below the prefix, or folders in place of what is in them, ascending."""
        found = set()
        for key in objects:
            if key.startswith(prefix):
                folder, mark, _ = key[len(prefix):].partition(delimiter) if delimiter else (None, "", None)
                found.add(prefix + folder + mark if mark else key)
        return sorted(found)

    def upload(self, number):
        if number not in self.state.uploads:
            raise Refusal(404, "NoSuchUpload", "The requested upload was not found.")
        return self.state.uploads[number]

    def begin(self, key):
        number = f"upload-{next(self.state.numbers)}"
        self.state.uploads[number] = {}
        xml = f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>"
        return 200, xml.encode()

    def put_part(self, query, body):
        part = Object(body, 0)
        self.upload(query["uploadId"])[int(query["partNumber"])] = part
        return 200, b"", {"ETag": part.tag}

    def complete(self, objects, key, number, body):
        parts, whole = self.upload(number), b""
        named = re.findall(r"<PartNumber>(\d+)</PartNumber>\s*<ETag>(.*?)</ETag>|"
                           r"<ETag>(.*?)</ETag>\s*<PartNumber>(\d+)</PartNumber>", body.decode())
        for position, (part, tag, other_tag, other_part) in enumerate(named, 1):
            found = parts.get(int(part or other_part))
            if found is None or found.tag != (tag or other_tag).replace("&quot;", '"'):
                raise Refusal(400, "InvalidPart", "One or more of the specified parts could not be found.")
            if position < len(named) and len(found.data) < 5 << 20:
                raise Refusal(400, "EntityTooSmall", "A part is smaller than 5 MiB and not the last.")
            whole += found.data
        del self.state.uploads[number]
        objects[key] = Object(whole, next(self.state.numbers))
        xml = f"<CompleteMultipartUploadResult><ETag>{escape(objects[key].tag)}</ETag></CompleteMultipartUploadResult>"
        return 200, xml.encode(), self.marks(objects[key])


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    # PORT BUCKET [CERTIFICATE KEY]
    port, bucket, *tls = sys.argv[1:]
    Handler.state = State([bucket])
    server = Server(("127.0.0.1", int(port)), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        # Hands shake where a connection is served, so that one which does not disturbs no other.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()

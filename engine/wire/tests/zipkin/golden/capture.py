"""Keeps the bodies of the requests that come: capture.py PORT FOLDER."""
import http.server
import os
import sys


class Keep(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        name = f"{len(os.listdir(sys.argv[2])):02}"
        with open(os.path.join(sys.argv[2], name), "wb") as file:
            file.write(body)
        print(name, self.path, self.headers["content-type"], flush=True)
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()


http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Keep).serve_forever()

"""A server that favours no client: nginx on loopback, answering as LINE does, over HTTP and TLS."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

from support import builds
from support.errors import Unavailable
from support.ports import free_ports

READY_WITHIN_SECONDS = 10

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_max_body_size 1m;
  client_body_buffer_size 1m;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{plain};
    listen 127.0.0.1:{tls} ssl;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    default_type application/json;
    add_header x-line-request-id 8e36bade-c5d6-4d00-9e69-72244675a9a1;
    location = /oauth2/v3/token {{
      return 200 '{{"token_type":"Bearer","access_token":"{token}","expires_in":900}}';
    }}
    location / {{
      return 200 '{{"sentMessages":[{{"id":"461230966842064897","quoteToken":"IStG5h1Tz7b"}}]}}';
    }}
  }}
}}
"""


@contextlib.contextmanager
def reachable_folder(prefix):
    """A folder for the server's files and a run's own, which goes with the run."""
    # Being asked to end is an end like any other: the server stops, the folder goes.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as folder:
        # nginx gives up root, and then still has to reach its files.
        os.chmod(folder, 0o711)
        yield folder


class NeutralServer:
    """nginx with its files in a folder of its own; `with` starts it and stops it."""

    def __init__(self, folder):
        self.folder = folder
        self.nginx = builds.tool("nginx", "nginx-light")
        self.ca_file = os.path.join(folder, "ca.pem")
        self.process = None
        self.url = self.tls_url = ""

    def __enter__(self):
        make_certificates(self.folder)
        # A free port may be taken by someone else before nginx binds it; then another is tried.
        for _ in range(3):
            if self.start(*free_ports(2)):
                return self
        raise Unavailable(f"nginx does not start: {self.errors()}")

    def __exit__(self, *_):
        self.stop()

    def start(self, plain, tls):
        """Starts nginx on these ports; tells whether it answers."""
        configuration = os.path.join(self.folder, "nginx.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            token = "bench." + "0" * 200  # about as long as LINE's
            file.write(CONFIGURATION.format(folder=self.folder, plain=plain, tls=tls, token=token))
        command = [self.nginx, "-p", self.folder, "-c", configuration]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        self.url, self.tls_url = f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{tls}"
        ready = self.await_ready(plain) and self.await_ready(tls)
        if not ready:
            self.stop()
        return ready

    def await_ready(self, port):
        """Waits until the port takes connections; false when nginx has ended or takes too long."""
        deadline = time.monotonic() + READY_WITHIN_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def stop(self):
        """Ends the nginx that was started here, by its own process ID, and waits for it."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.process = None

    def errors(self):
        """What nginx wrote last."""
        try:
            with open(os.path.join(self.folder, "error.log"), encoding="utf-8") as file:
                return file.read().strip()[-500:]
        except OSError:
            return "no error log"


def make_certificates(folder):
    """An authority for this run alone, and a certificate of it for loopback.

    Two certificates, since rustls refuses an authority's own certificate as a server's.
    """
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    authority = ["-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Bench authority", "-days", "2"]
    openssl(folder, "req", "-x509", *key, *authority)
    openssl(folder, "req", *key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=bench")
    with open(os.path.join(folder, "server.ext"), "w", encoding="utf-8") as file:
        file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n")
    signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "server.ext"]
    openssl(folder, "x509", "-req", "-in", "server.csr", *signer, "-days", "2", "-out", "server.pem")


def openssl(folder, *arguments):
    """Runs openssl in a folder."""
    command = [builds.tool("openssl"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unavailable(f"openssl {arguments[0]} failed: {done.stderr.strip()[-300:]}")

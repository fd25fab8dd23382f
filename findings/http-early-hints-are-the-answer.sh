#!/usr/bin/env bash
# A server may send interim responses before the final one, such as 103 Early Hints (RFC 9110 section 15.2 and RFC 8297).
# http.client skips only 100: it returns 103 as the response, and urllib3 and requests do too. To requests the response
# is ok, and raise_for_status() is silent, although the final one is "500". httpx skips the interim response.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check requests==2.32.5 urllib3==2.5.0 httpx==0.28.1
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import http.client
import platform
import socket
import threading

import httpx
import requests
import urllib3

HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
FINAL = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"


@contextlib.contextmanager
def server():
    def answer():
        client, _ = listener.accept()
        with client:
            received = b""
            while not received.endswith(b"{}"):
                received += client.recv(4096)
            client.sendall(HINTS + FINAL)
            with contextlib.suppress(OSError):
                client.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def by_http_client(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", b"{}")
    status = connection.getresponse().status
    connection.close()
    return status


def by_urllib3(port):
    with urllib3.PoolManager(retries=False) as pool:
        return pool.request("POST", f"http://127.0.0.1:{port}/", body=b"{}").status


def by_requests(port):
    with requests.Session() as session:
        response = session.post(f"http://127.0.0.1:{port}/", b"{}", timeout=10)
        response.raise_for_status()
        assert response.ok
        return response.status_code


def by_httpx(port):
    with httpx.Client() as client:
        return client.post(f"http://127.0.0.1:{port}/", content=b"{}").status_code


print("Python", platform.python_version())
for name, version, ask, expected in [
    ("http.client", "", by_http_client, 103),
    ("urllib3", urllib3.__version__, by_urllib3, 103),
    ("requests", requests.__version__, by_requests, 103),
    ("httpx", httpx.__version__, by_httpx, 500),
]:
    with server() as port:
        status = ask(port)
    print(f"{name} {version}: the server answers 103, then 500; the client returns {status}")
    assert status == expected, name
PYTHON

#!/usr/bin/env bash
# A server that breaks off within the header fields of its response ("HTTP/1.1 200 OK\r\nCon") has not answered
# yet. http.client, urllib3 and requests return it as a complete 200 with an empty body, so a client that reads the
# status takes a request for accepted that may have failed. httpx reports the broken response.
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

CUT = b"HTTP/1.1 200 OK\r\nCon"


@contextlib.contextmanager
def server():
    def answer():
        client, _ = listener.accept()
        with client:
            received = b""
            while not received.endswith(b"{}"):
                received += client.recv(4096)
            client.sendall(CUT)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def by_http_client(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/", b"{}")
    response = connection.getresponse()
    return response.status, response.read()


def by_urllib3(port):
    response = urllib3.request("POST", f"http://127.0.0.1:{port}/", body=b"{}", retries=False)
    return response.status, response.data


def by_requests(port):
    response = requests.post(f"http://127.0.0.1:{port}/", data=b"{}", timeout=10)
    return response.status_code, response.content


print("the server sends", CUT, "and closes")
for name, version, post in (
    ("http.client", platform.python_version(), by_http_client),
    ("urllib3", urllib3.__version__, by_urllib3),
    ("requests", requests.__version__, by_requests),
):
    with server() as port:
        got = post(port)
    print(f"{name} {version}: {got}")
    assert got == (200, b""), f"{name} no longer takes a head that is cut off for a response"

with server() as port:
    try:
        httpx.post(f"http://127.0.0.1:{port}/", content=b"{}")
    except httpx.RemoteProtocolError as error:
        print(f"httpx {httpx.__version__}: {error}")
    else:
        raise AssertionError("httpx takes it for a response, too")
PYTHON

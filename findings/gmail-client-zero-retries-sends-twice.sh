#!/usr/bin/env bash
# Google's client for Python is told num_retries=0, which is also its default, and still sends a Gmail message twice if
# the answer is lost: httplib2, which it is built on, repeats any request whose connection closes without an answer, a
# POST too. Microsoft's client for Graph repeats sendMail three times after 504, which a gateway answers when it no
# longer waits for a server that has the request. Neither API has a key by which it recognizes a repeat.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    google-api-python-client==2.202.0 httplib2==0.32.1 msgraph-sdk==1.65.0 microsoft-kiota-http==1.16.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import base64
import http.server
import importlib.metadata
import threading

import httplib2
from googleapiclient.discovery import build
from kiota_abstractions.authentication import AnonymousAuthenticationProvider
from msgraph import GraphRequestAdapter
from msgraph import GraphServiceClient
from msgraph.generated.models.message import Message
from msgraph.generated.users.item.send_mail.send_mail_post_request_body import SendMailPostRequestBody

MAIL = base64.urlsafe_b64encode(b"To: ann@example.com\r\nSubject: Hi\r\n\r\nHello\r\n").decode()


class Server(http.server.BaseHTTPRequestHandler):
    """Reads a whole request, as if it sent the mail, and fails after that."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        mails.append(self.path)
        if fails == "504":
            self.send_response(504)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *arguments):
        pass


def gmail():
    service = build(
        "gmail",
        "v1",
        http=httplib2.Http(timeout=60),
        static_discovery=True,
        client_options={"api_endpoint": url},
    )
    messages = service.users().messages()
    messages.send(userId="me", body={"raw": MAIL}).execute(num_retries=0)


def graph():
    adapter = GraphRequestAdapter(AnonymousAuthenticationProvider())
    adapter.base_url = f"{url}/v1.0"
    mailbox = GraphServiceClient(request_adapter=adapter).users.by_user_id("shop@example.com")
    body = SendMailPostRequestBody(message=Message(subject="Hi"))
    asyncio.run(mailbox.send_mail.post(body))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
for name in ("google-api-python-client", "httplib2", "msgraph-sdk", "microsoft-kiota-http"):
    print(name, importlib.metadata.version(name))

found = {}
for name, send in (("Gmail", gmail), ("Graph", graph)):
    for fails in ("no answer", "504"):
        mails = []
        try:
            send()
            said = "success"
        except Exception as error:
            said = type(error).__name__
        found[name, fails] = len(mails)
        print(f"{name}, {fails}: {len(mails)} mails for one call, and then {said}")
server.shutdown()
expected = {
    ("Gmail", "no answer"): 2,
    ("Gmail", "504"): 1,
    ("Graph", "no answer"): 1,
    ("Graph", "504"): 4,
}
assert found == expected, found
PYTHON

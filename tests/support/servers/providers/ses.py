"""The API of Amazon SES."""

from __future__ import annotations

import base64
import email
import email.policy
import re

from ..http_server import HTTPRequest
from ..http_server import json_page
from .fake import FakeProvider
from .fake import Mail
from .resend import A_WORD


class FakeSES(FakeProvider):
    """https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"""

    path = "/v2/email/outbound-emails"
    secret = "s3cr3t/0f+the-shop"

    @property
    def mail_url(self) -> str:
        secret = self.secret.replace("/", "%2F").replace("+", "%2B")
        return f"ses://{self.key}:{secret}@eu-west-1?api_url={self.url}"

    @staticmethod
    def subject_of(request: HTTPRequest) -> str:
        """The subject of a message that was not taken, perhaps."""
        data = base64.b64decode(request.json["Content"]["Raw"]["Data"])
        return str(email.message_from_bytes(data)["Subject"])

    def take(self, request: HTTPRequest) -> bytes:
        signed = re.fullmatch(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/[0-9]{8}/eu-west-1/ses/aws4_request,"
            r" SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}",
            request.headers.get("authorization", ""),
        )
        if signed is None or signed[1] != self.key:
            return aws_error(403, "UnrecognizedClientException", "The security token is invalid")
        fields = request.json
        if not {"Content", "Destination"} <= fields.keys() <= {
            "Content", "Destination", "FeedbackForwardingEmailAddress", "ConfigurationSetName",
            "EmailTags", "ListManagementOptions",
        }:  # fmt: skip
            self.fault(f"fields {sorted(fields)}")
        for tag in fields.get("EmailTags", []):
            if tag.keys() != {"Name", "Value"} or not all(map(A_WORD.fullmatch, tag.values())):
                self.fault(f"tag {tag!r}")
        data = base64.b64decode(fields["Content"]["Raw"]["Data"], validate=True)
        message = email.message_from_bytes(data, policy=email.policy.SMTP)
        recipients = tuple(fields["Destination"]["ToAddresses"])
        if not 1 <= len(recipients) <= 50:
            return aws_error(400, "BadRequestException", "Recipient count exceeds 50.")
        if any(len(line) > 1000 for line in data.split(b"\n")) or not data.isascii():
            self.fault("octets")
        if message["Bcc"]:
            self.fault("Bcc is shown")
        self.taken.append(Mail(recipients, message["Subject"], {"octets": data, **fields}))
        return json_page(200, {"MessageId": f"ses-{len(self.taken)}"})


def aws_error(status: int, kind: str, message: str, *headers: str) -> bytes:
    """An error of an AWS service."""
    return json_page(status, {"message": message}, f"x-amzn-ErrorType: {kind}:", *headers)

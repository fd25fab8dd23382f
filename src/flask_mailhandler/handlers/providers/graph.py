"""Sends by Microsoft Graph.

Written from its documentation (https://learn.microsoft.com/graph/api/user-sendmail and
https://learn.microsoft.com/graph/outlook-send-mime-message), not tried against a live account.
"""

from __future__ import annotations

import base64
import dataclasses
import typing as t
import urllib.parse
from collections.abc import Iterator
from collections.abc import Mapping

from ... import config
from ...config import Option
from ...config import URL
from ...content import Content
from ...errors import ConfigurationError
from ...phase import State
from ...report import About
from ...report import Job
from ...secret import Secret
from . import verdict as verdicts
from .oauth import OAuthEmailHandler
from .oauth import THE_TOKEN
from .spelling import Spelling
from .spellings import GRAPH
from .verdict import Verdict

if t.TYPE_CHECKING:
    from ...net.http.request import Request
    from ...net.http.response import Response

_MOST_OCTETS = 2_250_000
"""4 MB, the most that a request may have, in base64 twice: larger messages are answered with 200
and not sent (https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/3079)."""
# The codes of errors are those of Exchange, and not of Graph's list:
# https://learn.microsoft.com/exchange/client-developer/web-service-reference/responsecode
_ACCOUNT_RESTS = {
    "ErrorExceededMessageLimit",
    "ErrorMessageSubmissionBlocked",
    "ErrorQuotaExceeded",
    "QuotaExceededException",
}
_NO_MAILBOX = {
    "ErrorInvalidUser",
    "MailboxNotEnabledForRESTAPI",
    "Request_ResourceNotFound",
    "ResourceNotFound",
}
_OF_SENDER = {"ErrorSendAsDenied"}
_PERMISSION = "the app's permission Mail.Send, and whether it may use this mailbox"


class GraphEmailHandler(OAuthEmailHandler):
    """Sends by Microsoft Graph, from a mailbox of Microsoft 365.

    .. code-block:: python

        app.config["MAIL_URL"] = "graph://shop%40example.com@default"
        app.config["MAIL_OAUTH_TOKEN"] = OAuthToken.microsoft365(
            graph=True, tenant="...", client_id="...", client_secret="..."
        )

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    username: Option[str | None, str | None] = Option(config.text, None)
    """The mailbox that sends: its address, or the ID of its user."""

    provider = "Microsoft Graph"
    home = "https://graph.microsoft.com"
    tokens = "OAuthToken.microsoft365(graph=True, ...)"
    spelling: t.ClassVar[Spelling | None] = GRAPH
    most_octets = _MOST_OCTETS
    most_recipients = 500

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.username or self.username.strip(".") == "":
            raise ConfigurationError(
                "MAIL_USERNAME is not set: Microsoft Graph needs the address of the mailbox that"
                " sends. Set it, or write MAIL_URL = 'graph://shop%40example.com@default'."
            )

    @classmethod
    def options_of_url(cls, url: URL) -> dict[str, object]:
        """Read ``graph://MAILBOX@default``."""
        if url.host != "default" or url.port or url.password or url.path.strip("/"):
            raise ConfigurationError(
                f"{url.setting} must be like 'graph://shop%40example.com@default', with the address"
                " of the mailbox, and only a query may follow it."
            )
        return {"username": url.username}

    def authorized(self, content: Content, headers: Mapping[str, str | Secret]) -> Request:
        """Return the request that sends octets."""
        from ...net.http.request import Request

        mailbox = urllib.parse.quote(self.username or "", safe="")
        body = _InBase64(content)
        return Request(
            "POST",
            self.url(f"/v1.0/users/{mailbox}/sendMail"),
            headers={**headers, "Content-Type": "text/plain"},
            body=body,
            size=body.size,
        )

    def judge(self, response: Response, job: Job) -> Verdict:
        """Return what a response means: the code of its error, and only without one its status."""
        status = response.status
        if status == 202:  # it has no identifier
            return Verdict(state=State.ACCEPTED, code=status)
        found = verdicts.json_of(response).get("error")
        error = found if isinstance(found, dict) else {}
        code = verdicts.text_in(error, "code")
        text = self.shown(f"{code} {verdicts.text_in(error, 'message')}".strip())
        if code in _ACCOUNT_RESTS:
            asked = verdicts.seconds_of(response.headers.get("retry-after", ""))
            return verdicts.later(response, text, asked)
        if status >= 500:
            return verdicts.of_response(response, text)
        if code in _NO_MAILBOX:
            return verdicts.login_refused(response, text, "MAIL_USERNAME, the mailbox that sends")
        if code in _OF_SENDER:
            return Verdict(state=State.REFUSED, text=text, code=status, about=About.SENDER)
        if status in (401, 403):
            check = THE_TOKEN if status == 401 else _PERMISSION
            return verdicts.login_refused(response, text, check)
        return verdicts.of_response(response, text)


@dataclasses.dataclass(frozen=True)
class _InBase64:
    """A content in base64, in one line, encoded while it is read."""

    content: Content

    @property
    def size(self) -> int:
        return (self.content.size + 2) // 3 * 4

    def __iter__(self) -> Iterator[bytes]:
        left = b""
        for octets in self.content:
            left += octets
            whole = len(left) // 3 * 3
            yield base64.b64encode(left[:whole])
            left = left[whole:]
        yield base64.b64encode(left)

"""Sends by the API of Gmail.

Written from its documentation (https://developers.google.com/workspace/gmail/api/guides/uploads and
.../handle-errors), not tried against a live account.
"""

from __future__ import annotations

import datetime
import re
import typing as t
from collections.abc import Mapping

from ...config import URL
from ...content import Content
from ...errors import ConfigurationError
from ...phase import State
from ...report import Job
from ...secret import Secret
from . import verdict as verdicts
from .oauth import OAuthEmailHandler
from .oauth import THE_TOKEN
from .spelling import Spelling
from .spellings import GMAIL
from .verdict import Verdict

if t.TYPE_CHECKING:
    from ...net.http.request import Request
    from ...net.http.response import Response

_MOST_OCTETS = 36_700_160
"""https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages/send"""
_PATH = "/upload/gmail/v1/users/me/messages/send?uploadType=media"
# Reasons with the status 403, which is also that of a missing permission.
_RATE = {
    "dailyLimitExceeded",
    "limitExceeded",
    "quotaExceeded",
    "rateLimitExceeded",
    "userRateLimitExceeded",
}
# In the text only (https://github.com/taers232c/GAMADV-XTD3/issues/337).
_UNTIL = r"\bRetry after ([0-9TZ:.+-]+)"
_NO_MAILBOX = {"failedPrecondition"}
_OWNER = "whether MAIL_OAUTH_TOKEN is of a user who has Gmail"
_PERMISSION = (
    "whether the token's scope allows sending, and the Gmail API is turned on for its project"
)


class GmailEmailHandler(OAuthEmailHandler):
    """Sends by the API of Gmail, as the user to whom the token belongs.

    .. code-block:: python

        app.config["MAIL_URL"] = "gmail://default"
        app.config["MAIL_OAUTH_TOKEN"] = OAuthToken.gmail(
            client_id="...", client_secret="...", refresh_token="..."
        )

    :raises ConfigurationError: for a wrong value, naming the argument.
    """

    provider = "Gmail"
    home = "https://gmail.googleapis.com"
    tokens = "OAuthToken.gmail(...)"
    spelling: t.ClassVar[Spelling | None] = GMAIL
    most_octets = _MOST_OCTETS
    most_recipients = 500

    @classmethod
    def options_of_url(cls, url: URL) -> dict[str, object]:
        """Read ``gmail://default``."""
        parts = (url.username, url.password, url.port)
        if url.host not in (None, "default") or any(parts) or url.path.strip("/"):
            raise ConfigurationError(
                f"{url.setting} must be 'gmail://default', and only a query may follow it. The"
                " token belongs to the user who sends."
            )
        return {}

    def authorized(self, content: Content, headers: Mapping[str, str | Secret]) -> Request:
        """Return the request that sends octets."""
        from ...net.http.request import Request

        return Request(
            "POST",
            self.url(_PATH),
            headers={**headers, "Content-Type": "message/rfc822"},
            body=content,
            size=content.size,
        )

    def judge(self, response: Response, job: Job) -> Verdict:
        """Return what a response means: the reason of its error, and only without one its
        status."""
        found = verdicts.json_of(response)
        status, known = response.status, verdicts.text_in(found, "id")
        if status == 200 and known:
            return Verdict(state=State.ACCEPTED, code=status, provider_id=known)
        said = found.get("error")
        error = said if isinstance(said, dict) else {}
        reason = _reason(error)
        text = self.shown(f"{reason} {verdicts.text_in(error, 'message')}".strip())
        if status == 429 or (status == 403 and reason in _RATE):
            return verdicts.later(response, text, _rest(response, text))
        if status == 400 and reason in _NO_MAILBOX:
            return verdicts.login_refused(response, text, _OWNER)
        if status in (401, 403):
            check = THE_TOKEN if status == 401 else _PERMISSION
            return verdicts.login_refused(response, text, check)
        return verdicts.of_response(response, text)


def _reason(error: dict[str, t.Any]) -> str:
    """Return the first reason of an error."""
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    return verdicts.text_in(first, "reason") if isinstance(first, dict) else ""


def _rest(response: Response, text: str) -> float:
    """Return the seconds for which the account should rest."""
    until = re.search(_UNTIL, text)
    if until is None or "retry-after" in response.headers:
        return verdicts.seconds_of(response.headers.get("retry-after", ""))
    try:
        left = datetime.datetime.fromisoformat(until[1]) - datetime.datetime.now(datetime.UTC)
    except (ValueError, TypeError):  # it is no time, or has no time zone
        return 0.0
    return min(max(left.total_seconds(), 0.0), verdicts.LONGEST_REST)

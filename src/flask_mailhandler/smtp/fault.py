"""Whose fault it is that a server does not accept a message.

A reply to RCPT is usually about the recipient, but not always: Postfix answers MAIL with 250 and
refuses the sender at RCPT (``smtpd_delay_reject``), and so do proxies. So the reply itself comes
first, and the phase decides only if the reply says nothing.

=============  =======================================  ===================================
about          by the reply                             by the phase
=============  =======================================  ===================================
recipient      x.1.1 to x.1.6, x.1.10, x.2.1, x.2.2     RCPT
sender         x.1.7, x.1.8, x.2.252, x.7.20 to x.7.27  MAIL (5yz)
account        421, 530, 535, x.4.5, x.7.8              up to the login; MAIL (4yz); no reply
content        x.2.3, x.3.4, x.6.z                      DATA, the content and its end
=============  =======================================  ===================================

x.7.z is a policy, and only the text says what the policy is about. Servers without enhanced codes
are read in the same way.
"""

from __future__ import annotations

import re

from ..phase import Phase
from ..report import About
from .reply import Reply

# The patterns are compiled when a recipient was not accepted.
# https://www.rfc-editor.org/rfc/rfc3463#section-3, https://www.rfc-editor.org/rfc/rfc7372#section-3;
# x.2.252 is Exchange's; Gmail replies x.4.5 when the quota of the day is used up.
_BY_CODE: tuple[tuple[str, About], ...] = (
    (r"1\.(?:[1-6]|10)|2\.[12]", About.RECIPIENT),
    (r"1\.[78]|2\.252|7\.2[0-7]", About.SENDER),
    (r"4\.5|7\.8", About.ACCOUNT),
    (r"2\.3|3\.4|6\.[0-9]+", About.CONTENT),
)
# In the words of Postfix, Exim, Exchange, Gmail, SES, SendGrid and Mailgun.
_BY_TEXT: tuple[tuple[str, About], ...] = (
    (
        (
            r"relay(?:ing)? (?:access )?(?:denied|not permitted|prohibited)"
            r"|(?:not permitted|unable) to relay"
            r"|authentication (?:is )?required"
            r"|(?:sending|daily|hourly|message|rate|user) (?:limit|quota)|(?:limit|quota) exceeded"
            r"|account .{0,20}(?:suspended|disabled)"
        ),
        About.ACCOUNT,
    ),
    (
        (
            r"\bsender\b|\bfrom (?:address|header|field)\b|return.path|not verified|unverified"
            r"|unauthenticated|\b(?:spf|dkim|dmarc)\b|send ?as"
        ),
        About.SENDER,
    ),
    (
        r"spam|virus|malware|phish|attachment|content|too (?:big|large)",
        About.CONTENT,
    ),
)
# Names are not read: sender@example.com may be a recipient, and the URL of a help page may hold the
# name of a filter.
_NAMED = r"[^\s<>@]*@[^\s<>]*|\bhttps?://\S*"
# About a recipient, if it is a reply to RCPT.
_OF_RECIPIENT = r"gr[ae]y-?list|\bmailbox\b.{0,20}\b(?:quota|full)\b"


def fault(said: Reply | str, phase: Phase) -> About:
    """Return whose fault it is that a recipient was not accepted.

    :param said: The reply that decided, or our own reason if no reply did.
    """
    if isinstance(said, str) or said.code in (421, 530, 535):
        return About.ACCOUNT
    by_reply = _by_code(said.enhanced_code) or _by_text(said, phase)
    return by_reply or _by_phase(phase, refused=said.code // 100 == 5)


def _by_code(enhanced: str | None) -> About | None:
    if enhanced is not None:
        for pattern, about in _BY_CODE:
            if re.fullmatch(pattern, enhanced[2:]):
                return about
    return None


def _by_text(said: Reply, phase: Phase) -> About | None:
    """Read the text of a policy (x.7.z), or of a server without enhanced codes."""
    policy = said.enhanced_code is not None and said.enhanced_code[2:].startswith("7.")
    if not policy and said.enhanced_code is not None:
        return None
    text = re.sub(_NAMED, "", said.text, flags=re.I)
    if phase is Phase.RCPT and re.search(_OF_RECIPIENT, text, re.I):
        return About.RECIPIENT
    for pattern, about in _BY_TEXT:
        if re.search(pattern, text, re.I):
            return about
    # After the content, a policy that names nothing is about the account that sends.
    return About.ACCOUNT if policy and phase > Phase.RCPT else None


def _by_phase(phase: Phase, *, refused: bool) -> About:
    if phase < Phase.MAIL:
        return About.ACCOUNT
    if phase is Phase.MAIL:
        return About.SENDER if refused else About.ACCOUNT
    return About.RECIPIENT if phase is Phase.RCPT else About.CONTENT

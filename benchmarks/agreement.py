"""Whether the octets that a library wrote say what the case says."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from email.utils import getaddresses

from .cases import Case


def check(name: str, case: Case, octets: bytes) -> None:
    """Read the octets and compare them with the case.

    :param name: The library's, for the error.
    :raises ValueError: if they say something else; then there is nothing to compare.
    """
    message = message_from_bytes(octets, policy=default)
    expected = {
        "subject": case.subject,
        "from": getaddresses([case.sender]),
        # One of the libraries gives the recipients in another order each time.
        "to": sorted(getaddresses(case.recipients)),
        "text": case.text.rstrip(),
        "html": case.html.rstrip(),
        "files": [(file.filename, file.mimetype, file.data) for file in case.files],
    }
    text, html = (message.get_body((form,)) for form in ("plain", "html"))
    found = {
        # Folded before its first word it is read with a space before it.
        "subject": str(message["Subject"]).strip(),
        "from": getaddresses([message["From"]]),
        "to": sorted(getaddresses([message["To"]])),
        "text": text.get_content().replace("\r\n", "\n").rstrip() if text else "",
        "html": html.get_content().replace("\r\n", "\n").rstrip() if html else "",
        "files": [
            (part.get_filename(), part.get_content_type(), part.get_content())
            for part in message.iter_attachments()
            if part.get_filename()
        ],
    }
    wrong = [field for field, value in expected.items() if found[field] != value]
    if wrong:
        field = wrong[0]
        raise ValueError(
            f"{name} wrote another {' and '.join(wrong)} for {case.name!r}:"
            f" {str(found[field])[:200]} instead of {str(expected[field])[:200]}."
        )

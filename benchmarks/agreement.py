"""Check that the octets that a library wrote match the case."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default
from email.utils import getaddresses

from .cases import Case


def check(name: str, case: Case, octets: bytes) -> None:
    """Parse the octets and compare them with the case.

    :param name: The name of the library, for the error.
    :raises ValueError: if they differ. The times of the library would then mean nothing.
    """
    message = message_from_bytes(octets, policy=default)
    expected = {
        "subject": case.subject,
        "from": getaddresses([case.sender]),
        # One of the libraries writes the recipients in a different order each time.
        "to": sorted(getaddresses(case.recipients)),
        "text": case.text.rstrip(),
        "html": case.html.rstrip(),
        "files": [(file.filename, file.mimetype, file.data) for file in case.files],
        # Not every library gives an image a name, and some write the images after the files.
        "images": [(file.cid, file.mimetype, file.data) for file in case.images],
    }
    text, html = (message.get_body((form,)) for form in ("plain", "html"))
    found = {
        # If it is folded before its first word, the parser leaves a space before it.
        "subject": str(message["Subject"]).strip(),
        "from": getaddresses([message["From"]]),
        "to": sorted(getaddresses([message["To"]])),
        "text": text.get_content().replace("\r\n", "\n").rstrip() if text else "",
        "html": html.get_content().replace("\r\n", "\n").rstrip() if html else "",
        "files": [
            (part.get_filename(), part.get_content_type(), part.get_content())
            for part in message.iter_attachments()
            if part.get_filename() and not part["Content-ID"]
        ],
        "images": [
            (part["Content-ID"].strip("<>"), part.get_content_type(), part.get_content())
            for part in message.walk()
            if part["Content-ID"] and not part.is_multipart()
        ],
    }
    wrong = [field for field, value in expected.items() if found[field] != value]
    if wrong:
        field = wrong[0]
        raise ValueError(
            f"{name} wrote a different {' and '.join(wrong)} for {case.name!r}:"
            f" {str(found[field])[:200]} instead of {str(expected[field])[:200]}."
        )

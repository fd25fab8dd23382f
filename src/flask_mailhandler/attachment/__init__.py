"""Attachments.

::

    attachment       octets, text or a file, with a name and a type
    name_and_type    checks both, and guesses each from the other
    file             a file of this machine that is read while it is sent
    storage          a file of a storage: read while it is sent, or now
"""

from __future__ import annotations

from .attachment import Attachable
from .attachment import Attachment
from .attachment import attachment_of
from .file import File
from .file import Streamed

__all__ = ["Attachable", "Attachment", "File", "Streamed", "attachment_of"]

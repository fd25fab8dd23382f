"""Messages of the standard library's ``email``: sent as they are, and made from ours.

::

    EmailMessage ─┬─ adopt ── header, body ── Content      sent
                  │  envelope ─────────────── Envelope
                  └─ convert ── convert_parts ── Message   Message.from_mime
    Message ───────── convert ── EmailMessage              Message.to_mime

    source        the header fields as they are in there
    address_list  lists of addresses in other people's fields (RFC 5322 section 3.4)
    signed_body   bodies under a signature, of which no octet may change
    as_sent       a policy that writes a message as it was read
"""

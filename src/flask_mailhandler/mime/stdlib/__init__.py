"""Messages of the standard library's ``email``: sent as they are, and converted to ours and back.

::

    EmailMessage ─┬─ render ┬─ body, header ───── Content    send(EmailMessage)
                  │         └─ envelope ───────── Envelope
                  └─ convert ── convert_parts ─── Message    Message.from_mime
    Message ──────── convert ── as_sent ───────── EmailMessage   Message.to_mime

    source         the header fields of a message, as they are in it
    address_list   a parser for lists of addresses             RFC 5322 3.4
    header         a field in a form that can be sent
    envelope       the sender and the recipients, from fields  RFC 5322 3.6.6
    signed_body    a signed body, octet for octet              RFC 1847, 6376
    body           any other body
    render         EmailMessage -> Adopted, ready to be sent
    as_sent        a policy that writes a message as it was parsed
    convert_parts  parts -> the text, HTML and attachments of a Message
    convert        Message <-> EmailMessage
"""

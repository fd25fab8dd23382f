"""Providers that take mail by an HTTP API, with one file each: request, verdicts, limits.

::

    job ── request ──▶ net/http ──▶ response ── judge ──▶ Verdict ──▶ Report
            │           the exchange           │
            └ the provider's file              └ the provider's table

::

    api        APIEmailHandler: the options of every provider, and how its jobs are sent
    oauth      OAuthEmailHandler: an access token, and octets for those in their header
    readers    the options of providers
    addressed  the octets of a message with its envelope in the header
    verdict    Verdict: the meaning of a response, or of none, for the recipients
    fields     a message as the fields of an API that takes no octets
    attached   an attachment as a file of such an API
    spelling   Spelling: tags, metadata, tracking and streams of a message, and their limits
    spellings  what they are called by the API and in the header, for each provider
    sigv4      the signature of a request to AWS
    hearing    passes the responses on, for ``flask mail check --live``

    resend     fields, and a key by which a repeat is recognized
    postmark   fields
    sendgrid   fields
    brevo      fields, and a key by which a repeat is recognized
    ses        the octets of the message
    mailgun    the octets of the message
    graph      the octets of the message, with its envelope in the header
    gmail      the octets of the message, with its envelope in the header

A provider knows nothing of connections, phases and retries.
"""

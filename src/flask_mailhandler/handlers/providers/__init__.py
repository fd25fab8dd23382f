"""Providers that take mail by an HTTP API, with one file each: request, verdicts, limits.

::

    job ── request ──▶ net/http ──▶ response ── judge ──▶ Verdict ──▶ Report
            │           the exchange           │
            └ the provider's file              └ the provider's table

::

    api       APIEmailHandler: the options of every provider, and how its jobs are sent
    verdict   Verdict: the meaning of a response, or of none, for the recipients
    fields    a message as the fields of an API that takes no octets
    sigv4     the signature of a request to AWS

    resend    fields, and a key by which a repeat is recognized
    postmark  fields
    sendgrid  fields
    brevo     fields, and a key by which a repeat is recognized
    ses       the octets of the message

A provider knows nothing of connections, phases and retries.
"""

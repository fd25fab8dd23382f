"""Traces and metrics of what an app sends, for OpenTelemetry (``MAIL_TELEMETRY``).

::

    SendCall ── around_call ─┐                      ┌─ spans    send, prepare, session ...
                             ├─ Watch ── timeline ──┤
    AccountSender ── Batch ──┘   observe(phase)     └─ metrics  a histogram, and sums in a tally

    keys         MAIL_TELEMETRY: read and checked
    api          the one file that imports OpenTelemetry
    telemetry    Telemetry: what one app reports
    watch        Watch: the messages of one call, from the first phase to the report
    channel      Channel: an account and its handler, and a report of each message
    batch        Batch: the rows that a worker of the queue sends together
    timeline     when each phase of a message began, and the steps that they make
    spans        the spans of one message
    attributes   what spans and metrics say: no address, no subject, no text of a server
    tally        sums that cost little to add to
    instruments  the instruments, and what they read
    guard        an error in telemetry never stops a message

Nothing here is loaded by an app that does not set ``MAIL_TELEMETRY``. The code that sends is told
nothing: it calls ``observe`` before each phase in any case. The spans of a message are made when
its report is there, from the times that were noted, so its way to the server is not slowed down.
"""

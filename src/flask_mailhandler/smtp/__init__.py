"""SMTP as a client speaks it (RFC 5321): envelopes and octets, never messages.

::

    pool  ──>  session  ──>  transaction  ──>  dialogue  ──>  stream

================  ===============================================================
endpoint          a server's address, and how to connect to it
stream            a socket with a deadline: lines in, octets out, TLS in between
reply             a server's reply, strictly read
opening           from nothing to a connection that may send
auth              the login
connection_hints  what to do if there is no connection, or no TLS
login_hints       what to do if the login is refused or missing
extensions        the extensions that the server offers
dialogue          commands and replies, in command groups
session           one connection, transaction after transaction, until QUIT
transaction       one envelope and content
states            the states of these three, and their legal steps
notifications     asking for delivery notifications (RFC 3461)
chunk             a small message in one write (BDAT)
stuffing          dots at the start of a line
pool              the connections of a handler: lent, and opened
delivery          the outcomes of one job so far
fault             whose fault a refusal is
================  ===============================================================

The rule of this folder: nothing here imports ``message`` or ``mime``, and nothing here raises
a :class:`.DeliveryError` for a message; it settles deliveries. Only a session that cannot be
opened is an exception.
"""

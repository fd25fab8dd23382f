"""SMTP as a client speaks it (RFC 5321): envelopes and octets, never messages.

===========  ================================================================
deadline     how long something may take in all
stream       a socket with a deadline: lines in, octets out, TLS in between
reply        what a server says, strictly read
server       whom to speak to, and how
auth         the login
stuffing     dots at the start of a line
opening      from nothing to a connection that may send
dialogue     commands and replies, in command groups
session      one connection, message after message, until QUIT
transaction  one envelope and content
chunk        a small message in one write
pool         the connections of a handler: lent, and opened
places       who has which of them, who waits, and which are kept
delivery     what has become of one job so far
===========  ================================================================

The rule of this folder: nothing here imports ``message`` or ``mime``, and nothing here raises
a :class:`.DeliveryError` for a message; it settles deliveries. Only a session that cannot be
had is an exception.
"""

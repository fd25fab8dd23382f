"""HTTP/1.1 as a client speaks it (RFC 9112): octets and a deadline, never messages.

::

    connect ── TLS ── content ── end of data ── response
    └──── the server cannot have it ────┘└─ it may ──┘

::

    pool  ──>  exchange  ──>  connection  ──>  response

    url         a URL that a request can be sent to
    request     the octets of a request
    response    the octets of a response, read by the standard library's parser
    connection  one connection, request after request
    exchange    one request on a connection, and how far it came if there is no response
    pool        the connections of a handler: lent, and opened

The last octets of a request are held back until all others are written, so that a server that
has not been given them has no complete request. A small request is written at once. No
redirection is followed and no proxy is used. A request is repeated in one case only: it was not
complete, on a connection that had been used.

Errors of the standard library are not passed on: their frames hold the octets that were sent and
received.
"""

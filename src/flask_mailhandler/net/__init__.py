"""What every conversation over a network needs, whatever its protocol.

::

    deadline           one time limit for many steps
    received           reading from a socket until a deadline
    tcp                a connection to the first address of a host that answers
    hosts              which hosts are this machine, and a host with its port
    quoting            text from outside, made safe to show
    masking            secrets, masked where a server repeats them
    slots              the connections of a process, and the callers that wait
    http               one HTTP request, limited in time and size
    oauth              access tokens (RFC 6749), from a token endpoint
"""

"""What every conversation over a network needs, whatever its protocol.

::

    deadline    one time limit for many steps
    echo        our secrets, masked where a server repeats them
"""

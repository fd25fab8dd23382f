"""Whether the queue sends its mail: ``mail.queue.health()``, for a person or a probe.

::

    checkup ── in a thread, for a bounded time ── store.health_facts ──▶ HealthFacts
       └────── judge ── remedy ──▶ QueueHealth

    result     QueueHealth and QueueFinding: what the caller gets
    options    the options of the caller, and Bounds: what is too old, too many, too far apart
    checkup    reads the store, however long it takes to answer
    judge      from facts to findings: pure functions
    remedy     which program to start, by the engine
    span       a time in words
"""

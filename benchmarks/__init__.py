"""What it costs to write mail, beside other libraries: ``python -m benchmarks``, or ``make bench``.

::

    cases        the mail that is written
    peers        each library's way to write it, as one function that returns octets
    nodemailer   the one that is not Python, a process of its own
    agreement    whether what was written says the same
    rendering    the time it takes
    memory       the memory it takes
    queueing     the time that the queue takes for a message
    queue_stores  the same in each place where mail may wait, and beside Postfix
    imports      the time and the modules of the import
    table        results as a table of reStructuredText
    targets      what is promised
"""

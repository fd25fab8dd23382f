"""``flask mail check --dns``: what the DNS says about the domains of an account.

::

    options ─ command ─┬─ sender      the domains and keys of an account
                       ├─ checks ─┬─ dkim_record, sample           the record of each key
                       │          ├─ tree_walk ── dmarc, aligned   the policy, and whose mail it is
                       │          ├─ spf_terms ── spf_tree ── spf  the servers that may send
                       │          └─ mail_hosts                    whether mail can come back
                       ├─ reverse     the name of an IP address
                       └─ offline     the records to publish, for ``--offline``

    answer    an answer of the DNS, and how missing differs from not answered
    resolver  asks the DNS; the only file that knows dnspython
    finding   a result: its cause, its cure, and the record to publish
    tags      lists of tag=value
    records   records in the form of a zone file, also for ``flask mail dkim``

A file that judges takes answers, or the function ``ask``, and returns findings. It opens no socket.
"""

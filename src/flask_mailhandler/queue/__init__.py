"""The queue: mail that is sent later, and survives the process that queued it.

::

    send_later ── intake ── row ──▶ store ──▶ worker ── handler.dispatch ── report
                  prepare   JSON    SQLite    claim     the handler of      retry
                  (as send) octets            lease     the account         finish
                              └── engine: rings the bell when mail waits

The row is the queue. An engine only rings the bell, so all engines are equally safe.

::

    mail_queue             MailQueue: what you can do with the queue (mail.queue)
    build                  the queue, its store and its engine, from the MAIL_QUEUE* keys
    components             what the other files are given: the app, the store, the engine
    app_access             what the queue uses of the app
    health/                mail.queue.health(): whether it sends its mail, and what to do
    current                the queue of the current app, for the pages, the commands and the brokers
    stats, ticket          the figures of the queue; what send_later returns
    figures                the figures for metrics (MAIL_TELEMETRY)

    queuing
    send_later             Mail.send_later, Mail.send_later_each
    send_options           delay=, at=, expires=, key=, priority=: read and checked
    intake                 adds messages to the store and rings; in tests, sends at once
    new_row                the row of a new message
    stored_message         what a row stores of a message, and the message read back

    rows
    row                    Row, and its states
    transition             the state changes
    retry                  when to try again: the schedule
    newer, unreadable      what only a newer release knows; why a row cannot be read
    outcomes               the outcome of each recipient, as JSON
    stores/                where rows are kept: key= twice, two workers and one row

    sending
    worker                 Worker: starts a thread for each account whose mail is due
    sending/               what the worker does with it
    bell                   Bell: wakes a worker, or ends it
    outage                 what is logged while the store or a broker is away
    lease                  the lease on claimed rows, and its renewal
    process                whether a worker's process is alive
    shared_rate_limit      the rate limit, shared between workers
    notify                 the log and the signals of queued mail
    engines/               telling a worker that mail waits: thread, Celery, RQ, Dramatiq

    events/                what became of mail, and which addresses get no more

    threads, forks         starting a thread; closing what is open before a fork
    fair_lock              a lock that a busy thread cannot keep from another
"""

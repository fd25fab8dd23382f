"""The extension, a class for a group of its mails, and errors by mail.

::

    mail      Mail, current_mail: app/ and queue/ send, templating/ renders
      |
    mailer    Mailer: what a group of mails shares

    error_mail/  Mail.error_handler: a handler of logging
"""

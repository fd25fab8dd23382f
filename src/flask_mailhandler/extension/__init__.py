"""The extension, and a class for a group of its mails.

::

    mail      Mail, current_mail: app/ and queue/ send, templating/ renders
      |
    mailer    Mailer: what a group of mails shares
"""

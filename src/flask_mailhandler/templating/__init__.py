"""Messages from Jinja templates.

::

    mail.render("mail/welcome", {"user": user}, locale="de", to=...)
      |
      | render         runs the steps below, and makes the Message
      | recipients     the languages of the people in To, Cc and Bcc
      | language       de_AT, de, none; Flask-Babel is set to it
      | lookup         welcome.de.html, welcome.de.txt
      | unprinted      refuses a block that no template prints
      v
    templates          from the app's own loader
      |
      | environments   the app's filters and globals; each part has its own escaping
      | urls           url_for, based on MAIL_BASE_URL
      | images         mail_image
      | accent         mail_accent: the colours of the layout
      | blocks         subject, preheader, html, text
      | undefined      names the file and the line of a variable that is not there, or of
      |                templates that extend one another
      | markdown       welcome.md becomes HTML in a layout
      v
    parts              subject, HTML, text
      |
      | missing        refuses a message without a subject or without content
      | dead_links     refuses links that a mail client cannot follow
      | css/           moves CSS from <style> into style=""
      v
    Message

    package_mail       mails of this package itself, without the app's templates
    package_files      templates and other files of this package
    templates/         the layout, the page around Markdown, and the components
"""

from __future__ import annotations

from ..message.template_name import origin_of
from .render import render
from .render import render_each
from .urls import whole_url

__all__ = ["origin_of", "render", "render_each", "whole_url"]

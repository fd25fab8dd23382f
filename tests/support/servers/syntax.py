"""The syntax that a client may use: the grammar of RFC 5321 section 4.1 as pure functions.

Lines are text in latin-1, so that a character is an octet. Each function returns a list of
what is wrong, each beginning with the clause.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t

# https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2
ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]"
DOT_STRING = re.compile(rf"{ATEXT}+(?:\.{ATEXT}+)*")
QUOTED_STRING = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*"')
LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
DOMAIN = re.compile(rf"{LABEL}(?:\.{LABEL})*")
# https://www.rfc-editor.org/rfc/rfc6531#section-3.3 adds UTF-8 to atext, qtext and labels.
NON_ASCII = re.compile(r"[\x80-\xff]")

PATH = r'<(?:"(?:[^"\\]|\\.)*"|[^<>"\s])*>'
MAIL = re.compile(rf"MAIL FROM:({PATH})((?: [^ ]+)*)", re.IGNORECASE)
RCPT = re.compile(rf"RCPT TO:({PATH})((?: [^ ]+)*)", re.IGNORECASE)
PARAMETER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*(?:=[!-<>-~\x80-\xff]+)?")
BDAT = re.compile(r"BDAT ([0-9]{1,20})( LAST)?", re.IGNORECASE)


class Path(t.NamedTuple):
    """The argument of MAIL or RCPT."""

    mailbox: str
    parameters: dict[str, str]


def parse_path(line: str) -> Path | None:
    """The mailbox (without brackets) and the parameters of a MAIL or RCPT line."""
    found = MAIL.fullmatch(line) or RCPT.fullmatch(line)
    if not found:
        return None
    parameters = {}
    for word in found[2].split():
        keyword, _, value = word.partition("=")
        parameters[keyword.upper()] = value
    return Path(found[1][1:-1], parameters)


def line_faults(line: bytes) -> list[str]:
    """Line ends of one command line, as read up to and with its LF (RFC 5321 2.3.8)."""
    faults = []
    if not line.endswith(b"\r\n"):
        faults.append(f"C-1: line ends in a bare LF: {line!r}")
    if b"\r" in line.removesuffix(b"\n").removesuffix(b"\r"):
        faults.append(f"C-1: bare CR in a command: {line!r}")
    if b"\0" in line:
        faults.append(f"C-1: NUL in a command: {line!r}")
    return faults


def host_faults(name: str) -> list[str]:
    """The argument of EHLO: a domain or an address literal (RFC 5321 4.1.1.1, 4.1.3)."""
    if NON_ASCII.search(name):
        return [f"C-55: EHLO with a name that is not ASCII: {name!r}"]
    if not _is_literal(name) and not DOMAIN.fullmatch(name):
        return [f"C-3: EHLO with neither domain nor address literal: {name!r}"]
    return []


def _is_literal(name: str) -> bool:
    found = re.fullmatch(r"\[(IPv6:)?([^\]]+)\]", name)
    if not found:
        return False
    try:
        (ipaddress.IPv6Address if found[1] else ipaddress.IPv4Address)(found[2])
    except ValueError:
        return False
    return True


def path_faults(line: str, smtputf8: bool) -> list[str]:
    """Syntax and lengths of a MAIL or RCPT line (RFC 5321 4.1.1.2, 4.1.2, 4.5.3.1)."""
    path = parse_path(line)
    if path is None:
        return [f"C-5: not the form of MAIL or RCPT: {line!r}"]
    if path.mailbox == "" or (path.mailbox.lower() == "postmaster" and line[:4].upper() == "RCPT"):
        faults = [] if line[:4].upper() == "MAIL" or path.mailbox else [f"C-5: {line!r}"]
    elif path.mailbox.startswith("@"):
        faults = [f"C-22: source route: {line!r}"]
    else:
        faults = _mailbox_faults(path.mailbox, smtputf8)
    words = line[line.rindex(">") + 1 :].split()
    faults += [f"C-5: parameter {word!r}" for word in words if not PARAMETER.fullmatch(word)]
    if len(words) != len(path.parameters):
        faults.append(f"C-5: a parameter is given twice: {line!r}")
    return faults


def _mailbox_faults(mailbox: str, smtputf8: bool) -> list[str]:
    if NON_ASCII.search(mailbox):
        if not smtputf8:
            return [f"C-51: {mailbox!r} is not ASCII (C-25), and there is no SMTPUTF8"]
        try:
            mailbox.encode("latin-1").decode()
        except UnicodeDecodeError:
            return [f"C-51: {mailbox!r} is not UTF-8"]
    local, _, domain = mailbox.rpartition("@")
    faults = []
    plain_local = NON_ASCII.sub("x", local)
    if not DOT_STRING.fullmatch(plain_local) and not QUOTED_STRING.fullmatch(plain_local):
        faults.append(f"C-5: local part of {mailbox!r}")
    if not _is_literal(domain) and not DOMAIN.fullmatch(NON_ASCII.sub("x", domain)):
        faults.append(f"C-5: domain of {mailbox!r}")
    if len(local) > 64 or len(domain) > 255 or len(mailbox) + 2 > 256:
        faults.append(f"C-7: {len(local)} / {len(domain)} / {len(mailbox) + 2} octets: {mailbox!r}")
    return faults


def content_faults(octets: bytes, binary: bool = False) -> list[str]:
    """Octets that no content may have, before dot-stuffing (RFC 5321 2.3.8, 4.5.3.1.6)."""
    if binary:
        return []
    faults = []
    if found := re.search(rb"\r(?!\n)|(?<!\r)\n", octets):
        around = octets[max(0, found.start() - 20) : found.end() + 20]
        faults.append(f"C-1: bare CR or LF in the content at {found.start()}: {around!r}")
    longest = max(map(len, octets.split(b"\r\n")))
    if longest > 998:
        faults.append(f"C-8: a text line of {longest + 2} octets")
    if b"\0" in octets:
        faults.append("C-54: NUL in the content")
    return faults


def stuffing_faults(raw: bytes) -> list[str]:
    """A line that begins with a single dot and continues was not stuffed (RFC 5321 4.5.2)."""
    if found := re.search(rb"(?:\A|\r\n)(\.(?!\.).{0,20})", raw):
        return [f"C-9: a leading dot that was not doubled: {found[1]!r}"]
    return []


def unstuffed(raw: bytes) -> bytes:
    """The content without dot-stuffing."""
    return re.sub(rb"(\A|\r\n)\.", rb"\1", raw)

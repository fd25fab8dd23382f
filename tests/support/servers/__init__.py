"""Real servers for the tests: a scripted one, aiosmtpd, smtp-server, Postfix and others."""

from __future__ import annotations

from .actions import After as After
from .actions import CLOSE_NOTIFY as CLOSE_NOTIFY
from .actions import Delay as Delay
from .actions import Drip as Drip
from .actions import DROP as DROP
from .actions import drop_after as drop_after
from .actions import Flood as Flood
from .actions import Held as Held
from .actions import RESET as RESET
from .actions import SILENCE as SILENCE
from .actions import STOP_READING as STOP_READING
from .actions import Taken as Taken
from .actions import Then as Then
from .scripted import Accepted as Accepted
from .scripted import ScriptedServer as ScriptedServer

"""Log lines: one event a line, its facts as fields, for people (`text`) or machines (`json`).

Whatever is logged passes the mask: a token or a secret that slipped into a message, a path or a
traceback is replaced before the line is written.
"""

import json
import logging
import re
import sys
import time
from typing import Any

ROOT = "ota_http_server"

# A JWT wherever it stands (its header begins with `{"`), cut short or not.
JWT = re.compile(r"eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,2}")
# The same from issuers that write their JSON with blanks. No file name has so long an ending.
OTHER_JWT = re.compile(
    r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{40,}(?:\.[A-Za-z0-9_-]*)?"
)
TOKEN_PARAMETER = re.compile(r"(?i)\b(token=)[^&\s\"']+")
# An opaque credential or a download ticket, as they stand in a path.
IN_PATH = re.compile(
    r"(?<=/)(?:[A-Za-z0-9]{32}|t[0-9a-f]{8}\.[A-Za-z0-9_-]{0,86}\.[A-Za-z0-9_-]{22})(?=/)"
)
# The same wherever somebody put them by mistake, as the last of a path: 32 of both cases, which
# neither a digest nor a machine's id is.
OPAQUE = re.compile(
    r"(?<![A-Za-z0-9_-])(?=[A-Z0-9]*[a-z])(?=[a-z0-9]*[A-Z])[A-Za-z0-9]{32}(?![A-Za-z0-9_-])"
)
TICKET = re.compile(r"\bt[0-9a-f]{8}\.[A-Za-z0-9_-]{0,86}\.[A-Za-z0-9_-]{22}(?![A-Za-z0-9_-])")
API_KEY = re.compile(r"\botak_[A-Za-z0-9_-]{16,}")
CREDENTIALS = re.compile(r"(?i)\b(bearer|basic|targettoken|gatewaytoken)\s+[A-Za-z0-9._~+/=-]{8,}")
SECRET_HEADER = re.compile(
    r"(?i)(x[-_](?:admin[-_]secret|api[-_]key)['\"]?\s*[:=,]\s*['\"]?)[^'\"\r\n]+"
)
URL_PASSWORD = re.compile(r"(://[^/:@\s]*:)[^@/\s]+@")


def logger(name: str) -> logging.Logger:
    """The logger of one room, below the product's."""
    return logging.getLogger(f"{ROOT}.{name}")


def say(log: logging.Logger, level: int, event: str, **facts: Any) -> None:
    """Logs an event with its facts; those that are None are left out."""
    if log.isEnabledFor(level):
        log.log(level, event, extra={"facts": {k: v for k, v in facts.items() if v is not None}})


def configure(form: str, level: str) -> None:
    """Sends the product's lines to standard error in this form, from this level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if form == "json" else TextLine())
    root = logging.getLogger(ROOT)
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    root.propagate = False


def masked(text: str) -> str:
    """The text with every credential in it replaced."""
    text = OTHER_JWT.sub("(token)", JWT.sub("(token)", text))
    text = OPAQUE.sub("(token)", TICKET.sub("(token)", text))
    text = API_KEY.sub("(key)", IN_PATH.sub("(token)", text))
    text = TOKEN_PARAMETER.sub(r"\1(token)", text)
    text = CREDENTIALS.sub(r"\1 (token)", text)
    text = SECRET_HEADER.sub(r"\1(secret)", text)
    return URL_PASSWORD.sub(r"\1(password)@", text)


class TextLine(logging.Formatter):
    """`2026-01-31T12:00:00Z warning server: certificate expires days_left=12`

    A traceback follows indented: what begins at the margin is a line of ours, whatever a value or
    the message of an exception holds.
    """

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {k}={_quoted(masked(str(v)))}" for k, v in _facts(record).items())
        room = record.name.removeprefix(ROOT).lstrip(".") or "server"
        event = _printable(masked(record.getMessage()))
        line = f"{_time(record)} {record.levelname.lower()} {room}: {event}{facts}"
        if record.exc_info:
            traceback = masked(self.formatException(record.exc_info)).split("\n")
            line += "".join(f"\n  {_printable(each)}" for each in traceback)
        return line


class JsonLine(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "room": record.name.removeprefix(ROOT).lstrip("."),
            "event": masked(record.getMessage()),
        }
        for name, value in _facts(record).items():
            line[name] = value if isinstance(value, int | float) else masked(str(value))
        if record.exc_info:
            line["traceback"] = masked(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=True)


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "facts", {})


def _time(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))


def _quoted(text: str) -> str:
    """Quoted where it could be taken for more than one value; on one line in any case."""
    if not text or re.search(r"[\s\"=\\]", text):
        text = json.dumps(text, ensure_ascii=False)
    return _printable(text)


def _printable(text: str) -> str:
    """Control characters and line breaks of every script spelled out: no value forges a line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

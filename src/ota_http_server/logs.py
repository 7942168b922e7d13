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

# A JWT wherever it stands, and anything in a `token` parameter even if it is cut short.
JWT = re.compile(r"eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,2}")
TOKEN_PARAMETER = re.compile(r"(?i)\b(token=)[^&\s\"']+")
CREDENTIALS = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}")
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
    text = JWT.sub("(token)", text)
    text = TOKEN_PARAMETER.sub(r"\1(token)", text)
    text = CREDENTIALS.sub(r"\1 (token)", text)
    return URL_PASSWORD.sub(r"\1(password)@", text)


class TextLine(logging.Formatter):
    """`2026-01-31T12:00:00Z warning server: certificate expires days_left=12`"""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {k}={_quoted(v)}" for k, v in _facts(record).items())
        room = record.name.removeprefix(ROOT).lstrip(".") or "server"
        line = f"{_time(record)} {record.levelname.lower()} {room}: {record.getMessage()}{facts}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return masked(_printable(line))


class JsonLine(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "room": record.name.removeprefix(ROOT).lstrip("."),
            "event": record.getMessage(),
            **{k: v if isinstance(v, int | float) else str(v) for k, v in _facts(record).items()},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return masked(json.dumps(line, ensure_ascii=True))


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "facts", {})


def _time(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))


def _quoted(value: Any) -> str:
    text = str(value)
    return json.dumps(text) if not text or re.search(r"[\s\"=]", text) else text


def _printable(line: str) -> str:
    """Control characters spelled out, so that no value can forge a line; tracebacks keep theirs."""
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in line
    )

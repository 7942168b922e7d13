"""An event as the one line that people and their tools read in the audit log.

`[2025-10-09T15:34:12Z] [AUDIT] Action=generate_token IP=203.0.113.7 device=… project=… exp=…`
"""

import re
from datetime import UTC, datetime

from ota_http_server.storage.events import Event

# The first four are the form that existing readers expect; what came later stands behind them.
ORDER = ("IP", "device", "project", "exp", "actor", "jti", "sha256", "count", "reason")

UNSAFE_BYTE = re.compile(rb"[^A-Za-z0-9._:+-]")


def audit_line(event: Event) -> str:
    """The line, without its end. No value can forge a field or a line: the rest is escaped."""
    moment = datetime.fromtimestamp(event.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    facts = "".join(
        f" {name}={escaped(event.facts[name])}"
        for name in sorted(event.facts, key=_place)
        if event.facts[name] != ""
    )
    return f"[{moment}] [AUDIT] Action={escaped(event.action)}{facts}"


def escaped(value: str | int) -> str:
    """The value with each byte of its UTF-8 that is not plain as %XX."""
    plain = str(value).encode("utf-8", "replace")
    return UNSAFE_BYTE.sub(lambda byte: b"%%%02X" % byte[0][0], plain).decode("ascii")


def _place(name: str) -> tuple[int, str]:
    return (ORDER.index(name) if name in ORDER else len(ORDER), name)

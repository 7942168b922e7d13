"""A poll every 20 ms, and how long each took.

    python -m benchmarks.polls PORT PATH --seconds … [--ca …] < TOKEN

The time of a poll counts from the moment it was due, so that one slow answer is not hidden by
the polls that it kept from being sent. Eight kept-alive connections take turns, so that every
worker is heard. The token comes in, one JSON object goes out.
"""

import argparse
import http.client
import json
import ssl
import sys
import time

from benchmarks.stage import HOST

EVERY_SECONDS = 0.02
CONNECTIONS = 8
PATIENCE_SECONDS = 10


def measure(
    port: int, path: str, token: str, seconds: float, context: ssl.SSLContext | None
) -> dict[str, object]:
    """Poll for so long; latencies in milliseconds."""
    headers = {"Authorization": f"Bearer {token}"}
    connections = [_connection(port, context) for _ in range(CONNECTIONS)]
    for connection in connections:
        _poll(connection, path, headers)  # connected before the first one counts
    start = time.monotonic()
    took: list[float] = []
    failed = 0
    for turn in range(int(seconds / EVERY_SECONDS)):
        due = start + turn * EVERY_SECONDS
        if (early := due - time.monotonic()) > 0:
            time.sleep(early)
        failed += not _poll(connections[turn % CONNECTIONS], path, headers)
        took.append((time.monotonic() - due) * 1000)
        if time.monotonic() > start + 2 * seconds:
            break  # it can no longer catch up
    for connection in connections:
        connection.close()
    return {
        "polls": len(took),
        "failed": failed,
        "p50_ms": percentile(took, 50),
        "p99_ms": percentile(took, 99),
        "most_ms": max(took),
    }


def percentile(values: list[float], percent: int) -> float:
    """The smallest value that so many percent of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _connection(port: int, context: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if context is None:
        return http.client.HTTPConnection(HOST, port, timeout=PATIENCE_SECONDS)
    return http.client.HTTPSConnection(HOST, port, timeout=PATIENCE_SECONDS, context=context)


def _poll(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> bool:
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return False
    return answer.status == 200


def main() -> None:
    parser = argparse.ArgumentParser(description="one poll every 20 ms")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--ca", help="speak TLS and trust this authority")
    asked = parser.parse_args()
    context = ssl.create_default_context(cafile=asked.ca) if asked.ca else None
    found = measure(asked.port, asked.path, sys.stdin.read().strip(), asked.seconds, context)
    print(json.dumps(found))


if __name__ == "__main__":
    main()

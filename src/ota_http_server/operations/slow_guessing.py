"""How long a network waits that gave wrong admin secrets: the rule alone, no rows, no clock."""

from dataclasses import replace
from ipaddress import IPv6Address, ip_address, ip_network

from ota_http_server.storage.secret_tries import Record

FREE_FAILURES = 5  # typing mistakes of a person
WAIT_SECONDS_MAX = 15 * 60
CALM_SECONDS = 15 * 60  # each such time without a failure halves the count
FAILURES_A_MINUTE_MAX = 100  # over all networks: 53 million guesses a year, nothing for 2^384
KNOWN_SECONDS = 30 * 24 * 3600  # how long a right secret makes a network known


def network_of(address: str) -> str:
    """The network that is slowed down with this address: an IPv4 /24, an IPv6 /64."""
    try:
        ip = ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]  # a Unix socket, or a server that knows no address
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ip_network((ip, 24 if ip.version == 4 else 64), strict=False))


def wait_seconds(own: Record, everywhere: Record, now: int) -> int:
    """How long this network must wait before a secret of it is looked at; 0: not at all."""
    wait = own.blocked_until - now
    if not own.succeeded_at or own.succeeded_at < now - KNOWN_SECONDS:
        wait = max(wait, everywhere.blocked_until - now)
    return max(0, wait)


def after_failure(own: Record, now: int) -> Record:
    """The network's record after one more wrong secret."""
    calm = max(0, now - max(own.failed_at, own.blocked_until)) // CALM_SECONDS
    failures = (own.failures >> min(calm, 31)) + 1
    beyond = failures - FREE_FAILURES
    wait = 0 if beyond <= 0 else min(WAIT_SECONDS_MAX, 1 << min(beyond - 1, 31))
    return replace(own, failures=failures, failed_at=now, blocked_until=now + wait)


def after_failure_anywhere(everywhere: Record, now: int) -> Record:
    """The record of all networks: so many in one minute, and it is closed until the next."""
    minute = now // 60
    failures = (everywhere.failures if everywhere.failed_at // 60 == minute else 0) + 1
    closed = failures >= FAILURES_A_MINUTE_MAX
    until = (minute + 1) * 60 if closed else everywhere.blocked_until
    return replace(everywhere, failures=failures, failed_at=now, blocked_until=until)

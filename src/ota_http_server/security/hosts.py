"""The names and addresses under which boards reach this host, as a certificate may carry them.

Nothing here sends a packet to anybody but the resolver, and that one is never waited for longer
than a second: a server must come up on a bench without a network.
"""

import ipaddress
import re
import socket
import sys
import threading
from collections.abc import Iterator

from ota_http_server.domain.errors import Invalid

DNS_NAME_CHARACTERS_MAX = 253  # RFC 1035 §3.1: 255 octets with lengths and root
LABEL_PATTERN = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")  # RFC 1123 §2.1
RESOLVER_SECONDS_MAX = 1.0

# RFC 5737 and RFC 3849 keep these for documentation, so no route to them is a special one:
# the kernel answers with the source address that it would use for the world outside.
ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def certificate_name(text: str) -> str:
    """A host name, wildcard or address in the one form that certificates carry; else `Invalid`."""
    address = _address(text)
    if address is not None:
        return address
    name = text.lower().removesuffix(".")
    if not name.isascii():
        raise Invalid(f"{text!r} has letters beyond ASCII: give its xn-- form")
    if not name or set(name) & set("/:@[] "):
        raise Invalid(f"{text!r} is no host name: give the name or address alone, no URL or port")
    labels = name.removeprefix("*.").split(".")
    if "*" in name and (not name.startswith("*.") or len(labels) < 2 or "*" in "".join(labels)):
        # RFC 6125 §6.4.3; under a single label it would stand for a whole top-level domain.
        raise Invalid(f"{text!r}: a wildcard is the whole first label, as in *.lab.example.com")
    if labels[-1].isdigit():
        raise Invalid(f"{text!r} is neither an address nor a host name")
    if len(name) > DNS_NAME_CHARACTERS_MAX or not all(map(LABEL_PATTERN.match, labels)):
        raise Invalid(
            f"{text!r} is no host name: labels of 1 to 63 letters, digits and inner hyphens, "
            f"with dots between, {DNS_NAME_CHARACTERS_MAX} characters at most"
        )
    return name


def host_names() -> list[str]:
    """This host's names, then localhost, then its addresses; the first names the certificate.

    A single-label name also stands with `.local`: boards find it so by multicast DNS (RFC 6762).
    """
    name = socket.gethostname()
    canonical, resolved = _resolve(name)
    wanted = [canonical, name, f"{name}.local" if "." not in name else name, "localhost"]
    wanted += ["127.0.0.1", "::1", *_routed(), *_on_interfaces(), *filter(_is_ours, resolved)]
    return list(dict.fromkeys(_usable(wanted)))


def primary_address() -> str | None:
    """The address to tell people ("reach me at"), IPv4 first; None without a network."""
    return next((a for a in _usable(list(_routed())) if _reaches_others(a)), None)


def _usable(names: list[str]) -> Iterator[str]:
    """What of these a certificate may carry; a host may well be called `my_pi`."""
    for name in names:
        try:
            checked = certificate_name(name)
        except Invalid:
            continue
        if _address(checked) is None or checked in ("127.0.0.1", "::1") or _reaches_others(checked):
            yield checked


def _address(text: str) -> str | None:
    # A zone (fe80::1%eth0) means something on this host alone.
    try:
        return None if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _reaches_others(address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    return not (parsed.is_loopback or parsed.is_link_local or parsed.is_unspecified)


def _routed() -> Iterator[str]:
    for family, elsewhere in ELSEWHERE:
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.connect((elsewhere, 9))  # UDP: it picks a route, nothing is sent
                yield str(probe.getsockname()[0])
        except OSError:
            continue


def _on_interfaces() -> Iterator[str]:
    """The IPv4 address of each interface (Linux): the boards' network is often the second one."""
    if sys.platform != "linux":
        return
    import fcntl  # pylint: disable=import-outside-toplevel

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, interface in socket.if_nameindex():
            request = interface.encode().ljust(40, b"\0")  # struct ifreq, netdevice(7)
            try:
                answer = fcntl.ioctl(probe, 0x8915, request)  # SIOCGIFADDR
            except OSError:
                continue
            yield socket.inet_ntoa(answer[20:24])


def _is_ours(address: str) -> bool:
    """A resolver may answer with a stranger's address; only our own can be bound."""
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def _resolve(name: str) -> tuple[str, list[str]]:
    """The full form of a name and its addresses; ("", []) if the resolver knows none in time."""
    found: list[tuple[str, list[str]]] = []

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(name, None, flags=socket.AI_CANONNAME)
        except (OSError, UnicodeError):
            return
        found.append((rows[0][3], [str(row[4][0]) for row in rows]))

    asking = threading.Thread(target=ask, daemon=True)  # a dead resolver holds it for 5 s or more
    asking.start()
    asking.join(RESOLVER_SECONDS_MAX)
    return found[0] if found else ("", [])

"""Who is really calling, and under which name: forwarded headers count from trusted peers only."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from ota_http_server.domain.errors import Invalid

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HOST_PATTERN = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9._-]*(?::\d{1,5})?\Z|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?\Z"
)
HOST_CHARACTERS_MAX = 260  # RFC 1035 §2.3.4: a name has at most 253, then ":" and a port
HOPS_MAX = 20  # more forwarded addresses than any real chain has


class Proxies:
    """Knows which peers speak for others, and the public name if one is configured."""

    def __init__(self, trusted: Sequence[Network] = (), public_url: str | None = None) -> None:
        self._trusted = tuple(trusted)
        self._public_url = public_url.rstrip("/") if public_url else None
        self._trusts = lru_cache(maxsize=1024)(self._trusts_uncached)

    def caller(self, environ: Mapping[str, Any]) -> str:
        """The caller's address: the right-most one of the chain that is no trusted proxy."""
        peer = str(environ.get("REMOTE_ADDR", ""))
        if not self._trusted or not self._trusts(peer):
            return peer
        address = peer
        for hop in reversed(environ.get("HTTP_X_FORWARDED_FOR", "").split(",")[-HOPS_MAX:]):
            parsed = _address(hop.strip())
            if parsed is None:
                break  # what lies behind an unreadable hop is hearsay
            address = parsed
            if not self._trusts(address):
                break
        return address

    def base_url(self, environ: Mapping[str, Any]) -> str:
        """Scheme and host for absolute URLs; a Host that is neither name nor address is Invalid."""
        scheme = str(environ["wsgi.url_scheme"])
        host = environ.get("HTTP_HOST") or ""
        if self._trusted and self._trusts(str(environ.get("REMOTE_ADDR", ""))):
            scheme = _last(environ.get("HTTP_X_FORWARDED_PROTO")) or scheme
            host = _last(environ.get("HTTP_X_FORWARDED_HOST")) or host
        if not host:  # HTTP/1.0 needs none
            host = f"{environ.get('SERVER_NAME', 'localhost')}:{environ.get('SERVER_PORT', '80')}"
        url = _url(scheme, host)
        return self._public_url or url

    def _trusts_uncached(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        mapped = getattr(parsed, "ipv4_mapped", None)
        return any((mapped or parsed) in network for network in self._trusted)


def _address(text: str) -> str | None:
    """An address without its port, in its canonical spelling."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _last(header: str | None) -> str:
    """What the nearest proxy said."""
    return header.rpartition(",")[2].strip() if header else ""


@lru_cache(maxsize=256)
def _url(scheme: str, host: str) -> str:
    if len(host) > HOST_CHARACTERS_MAX or not HOST_PATTERN.match(host):
        raise Invalid("the Host header is no host name or address")
    if scheme not in ("http", "https"):
        raise Invalid("the scheme is neither http nor https")
    return f"{scheme}://{host}"

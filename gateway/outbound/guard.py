"""Which addresses others may name for us to call: public ones, and those the operator allows. Nothing else.

An address is judged twice: as it is written, and, each time it is called, as it resolves (outbound/guarded.py).
Source: OWASP "Server-Side Request Forgery Prevention"; IANA special-purpose registries; WHATWG URL, 3.5 (hosts
whose last label is a number are IPv4 addresses in disguise).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self
from urllib.parse import urlsplit

from gateway.model.errors import Refused

Address = IPv4Address | IPv6Address

_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LOCAL = (
    "localhost",
    "local",
    "internal",
    "intranet",
    "lan",
    "home",
    "corp",
    "arpa",
    "test",
    "invalid",
    "onion",
)
# Addresses that carry an IPv4 address inside, or a whole tunnel: whatever stands in them is not looked at.
_CARRIERS = tuple(
    IPv6Network(net)
    for net in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16",
                "2001::/32", "fec0::/10", "5f00::/16")
)  # fmt: skip
_UNICAST = IPv6Network("2000::/3")  # all that is given out to anybody
_SPECIAL = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))  # protocol assignments, 6to4 relays
MAX_URL_CHARS = 2_000


class AddressRefused(OSError):
    """An OSError, so that a connector takes it for what it is: this host cannot be reached from here."""


@dataclass(frozen=True)
class Guard:
    """What may be called. `hosts` and `networks` are the operator's exceptions; build it with `parse`."""

    hosts: frozenset[str] = frozenset()
    networks: Sequence[object] = field(default=())

    @classmethod
    def parse(cls, allowed: str) -> Self:
        """Reads host names and networks, separated by commas or spaces. Raises: ValueError, quoting none."""
        hosts, networks = set(), []
        for word in allowed.replace(",", " ").split():
            try:
                networks.append(ip_network(word))
            except ValueError:
                if not _is_name(word.lower()):
                    raise ValueError("neither a host name nor a network like 10.1.0.0/16") from None
                hosts.add(word.lower())
        return cls(frozenset(hosts), tuple(networks))

    def check_url(self, url: str) -> str:
        """The host of a URL that may be called. Raises: Refused `callback.url_refused`."""
        host = _host_of(url)
        is_allowed = host in self.hosts
        literal = _literal(host)
        if literal is not None:
            is_allowed = self.allows(literal)
            if not is_allowed and not is_public(literal):
                raise _refused("the address is not public")
        elif not is_allowed and (not _is_name(host) or "." not in host or host.rpartition(".")[2] in _LOCAL):
            raise _refused("the host is no public name")
        if urlsplit(url).scheme == "http" and not (is_allowed or self._may_be_plain(literal)):
            raise _refused("https is needed")
        return host

    def allows(self, address: Address) -> bool:
        """Whether the operator allows this address although it is not public."""
        return any(address in network for network in self.networks)  # type: ignore[operator] # both kinds of network

    def may_connect(self, host: str, address: str) -> bool:
        """Whether a connection to `address`, to which `host` has just resolved, may be opened."""
        found = ip_address(address.partition("%")[0])
        return is_public(found) or self.allows(found) or host.lower() in self.hosts

    def _may_be_plain(self, literal: Address | None) -> bool:
        return literal is not None and self.allows(literal)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet and carries no other address inside."""
    if isinstance(address, IPv6Address):
        if address not in _UNICAST or any(address in net for net in _CARRIERS):
            return False
    elif any(address in net for net in _SPECIAL):
        return False
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    )


def _host_of(url: str) -> str:
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise _refused("the URL is not plain ASCII")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused("the URL cannot be read") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise _refused("the URL is not http(s)")
    if "@" in parts.netloc or parts.fragment:
        raise _refused("the URL holds a user or a fragment")
    return parts.hostname.lower()


def _literal(host: str) -> Address | None:
    """The address where the host is one in its plain form; other spellings of numbers are refused."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    last = host.rstrip(".").rpartition(".")[2]
    if ":" in host or _NUMBER.fullmatch(last):
        raise _refused("the host is an address written in another way")
    return None


def _is_name(host: str) -> bool:
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in host.split("."))


def _refused(why: str) -> Refused:
    return Refused(why, "callback.url_refused")

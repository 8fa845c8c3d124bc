"""Where an http or https address leads: its server, and whether that is in a private network."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple

from urllib3.exceptions import HTTPError
from urllib3.util import parse_url

from cnnkit.text import first_few

_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressError(Exception):
    """An address that is not asked; the text is the reason. `is_passing` if it may be later."""

    def __init__(self, reason: str, *, is_passing: bool = False) -> None:
        super().__init__(reason)
        self.is_passing = is_passing


class Place(NamedTuple):
    """A server, and what to ask it for.

    Args:
        scheme: `http` or `https`.
        host: its name as in the address, which its certificate must have.
        port: number of the port.
        target: path and query.
    """

    scheme: str
    host: str
    port: int
    target: str

    @property
    def header(self) -> str:
        """The value of the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def place_of(url: str) -> Place:
    """Split an address.

    Raises:
        AddressError: it is not one of http or https, or has a user name or a password.
    """
    try:
        parts = parse_url(url)
    except HTTPError as error:
        raise AddressError("it is not a valid web address") from error
    if parts.scheme not in _PORTS or not parts.host:
        raise AddressError("it is not an address of http or https")
    if parts.auth is not None:
        raise AddressError("addresses with a user name or a password are not read")
    host = parts.host.strip("[]")
    port = _PORTS[parts.scheme] if parts.port is None else parts.port
    return Place(parts.scheme, host, port, parts.request_uri)


def ip_addresses(place: Place, *, allow_private: bool) -> list[str]:
    """Look up the IP addresses of a server, in the order in which they should be tried.

    The connection has to go to one of them, not to the name: that may lead elsewhere the next time.

    Args:
        place: the server.
        allow_private: whether addresses of this computer and of private networks are given, too.

    Raises:
        AddressError: the name cannot be looked up, or leads only to addresses that are not allowed.
    """
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # UnicodeError: no name of a computer is so long
        is_passing = isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN
        reason = "the server's name cannot be looked up"
        raise AddressError(reason, is_passing=is_passing) from error
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    allowed = [each for each in addresses if allow_private or is_public(each)]
    if not allowed:
        where = "" if addresses == [place.host] else f" ({first_few(addresses)})"
        raise AddressError(
            f"{place.host}{where} is this computer or in a private network; if that is meant, add "
            "--allow-private-addresses"
        )
    return allowed


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public Internet.

    >>> [is_public(each) for each in ("8.8.8.8", "10.0.0.1", "::1", "::ffff:127.0.0.1")]
    [True, False, False, False]
    """
    return _is_public(ipaddress.ip_address(address.partition("%")[0]))


def _is_public(address: _Ip) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
    return address.is_global and not address.is_multicast

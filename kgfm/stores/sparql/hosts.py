"""Which host a connection may go to, decided after the name was looked up."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Collection

from kgfm.stores.server import ServerUnavailableError


def address_of(host: str, port: int, private_hosts: Collection[str]) -> str:
    """Look a host up and return the address to connect to.

    An address that is not public (loopback, private, link-local, reserved) is for those who named
    it: by writing the address itself or ``localhost``, or by listing the host in
    ``private_hosts``. So a name that somebody else controls cannot lead into the user's network.
    The caller connects to the address that was checked, not to the name, which may mean another one
    a moment later.

    Raises:
        PermissionError: The address is not public, and was not named.
        ServerUnavailableError: The name cannot be looked up.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ServerUnavailableError(f"The host {host!r} cannot be found ({error}).") from None
    addresses = [str(entry[4][0]).partition("%")[0] for entry in found]
    if not _was_named(host, private_hosts):
        for address in addresses:
            if not ipaddress.ip_address(address).is_global:
                raise PermissionError(
                    f"{host!r} leads to {address}, which is no public address. If that is meant, "
                    f"write private_hosts=[{host!r}]."
                )
    return addresses[0]


def _was_named(host: str, private_hosts: Collection[str]) -> bool:
    if host == "localhost" or host in private_hosts:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True

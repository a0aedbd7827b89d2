"""Which host a connection may go to, decided after the name was looked up; and SERVICE."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection
from urllib.parse import urlsplit

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


_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""'
    r"|'''(?:[^'\\]|\\.|'(?!''))*'''"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'(?:[^'\\\n]|\\.)*'"
    r"|(?P<iri><[^<>\"{}|^`\\\x00-\x20]*>)"
    r"|#[^\n]*"
    r"|(?P<word>[?$:]?\w[\w:.-]*)",
    re.DOTALL,
)


def check_services(pattern: str, allow_remote: Collection[str]) -> None:
    """Refuse a pattern that makes the endpoint ask others, but for hosts that were named.

    Raises:
        PermissionError: ``SERVICE`` leads elsewhere, or to what a variable will say.
    """
    tokens = [found for found in _TOKEN.finditer(pattern) if found["iri"] or found["word"]]
    words = [(found["word"] or "").upper() for found in tokens]
    for place, word in enumerate(words):
        if word != "SERVICE":
            continue
        silent = words[place + 1 : place + 2] == ["SILENT"]
        target = tokens[place + 1 + silent : place + 2 + silent]
        iri = target[0]["iri"] if target else None
        host = None if iri is None else urlsplit(iri[1:-1]).hostname
        if host is None or host not in allow_remote:
            raise PermissionError(
                f"The pattern makes the endpoint ask {host or 'what a variable says'} (SERVICE). "
                f"If that is meant, write allow_remote=[{host or '...'!r}]."
            )

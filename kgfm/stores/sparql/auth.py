"""How to sign in at an endpoint; what is secret shows nowhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Basic:
    """User and password, sent with every request; use it over https."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Digest:
    """User and password by challenge (RFC 7616); the password itself is not sent."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Bearer:
    """A token, sent with every request (RFC 6750); use it over https."""

    token: str = field(repr=False)


Auth = Basic | Digest | Bearer


def checked(auth: object, user: str, password: str) -> Auth | None:
    """Return how to sign in; a pair is basic, and so is what stood in the URL.

    Raises:
        TypeError: It is none of these.
    """
    if auth is None:
        return Basic(user, password) if user or password else None
    if isinstance(auth, Auth):
        return auth
    if isinstance(auth, tuple) and len(auth) == 2 and all(isinstance(part, str) for part in auth):
        return Basic(*auth)
    raise TypeError(
        f"auth is (user, password), Basic, Digest or Bearer; got {type(auth).__name__}."
    )


def for_httpx(auth: Auth | None) -> Any:
    """Return what signs the requests of httpx."""
    import httpx

    if isinstance(auth, Basic):
        return httpx.BasicAuth(auth.user, auth.password)
    if isinstance(auth, Digest):
        return httpx.DigestAuth(auth.user, auth.password)
    if isinstance(auth, Bearer):
        header = f"Bearer {auth.token}"

        def sign(request: httpx.Request) -> httpx.Request:
            request.headers["Authorization"] = header
            return request

        return sign
    return None

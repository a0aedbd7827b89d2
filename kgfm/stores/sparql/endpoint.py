"""A thin client of the SPARQL 1.1 protocol: bounded in time and size, no answer cut short."""

from __future__ import annotations

import json
import random
import re
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit, urlunsplit

from kgfm.stores.server import ServerUnavailableError
from kgfm.stores.sparql import auth as signing
from kgfm.stores.sparql.hosts import address_of
from kgfm.stores.sparql.terms import Term, from_json, iri

if TYPE_CHECKING:
    import httpx

Row = tuple[Term | None, ...]

_JSON = "application/sparql-results+json"
_REDIRECTS = 3
_LATER = {408, 425, 429, 500, 502, 503, 504}
# Virtuoso refuses by its estimate of the cost, before it begins.
_TOO_COSTLY = re.compile(
    r"estimated execution time|exceeds the limit|query is too (complex|large)|rows to sort", re.I
)


class AnswerTooLargeError(ValueError):
    """An answer is larger, or costs more, than the server or ``max_bytes`` allows: ask for less."""


class Endpoint:
    """Asks a SPARQL 1.1 endpoint and gives whole answers or errors.

    Queries go out by POST to the host of ``url`` and nowhere else: a redirect is followed only to
    the same host, and never from https to http. Proxies and passwords that the environment names
    are not looked at.

    Args:
        url: The query endpoint; a user and password in it are taken out and used as basic auth.
        auth: ``(user, password)`` for basic, or :class:`~kgfm.stores.sparql.Basic`,
            :class:`~kgfm.stores.sparql.Digest` or :class:`~kgfm.stores.sparql.Bearer`.
        graph: IRIs of the named graphs that make up the graph; by default the endpoint's own
            default graph.
        timeout: Seconds for one try.
        retry_for: Seconds in which a question that failed for the moment is tried again.
        max_bytes: Largest answer, unpacked.
        private_hosts: Host names whose addresses may be private ones.
        server_timeout: Name of the endpoint's own parameter for a time-out, and units in a second,
            such as ``("timeout", 1000.0)`` for milliseconds; ``None`` where it has none.

    Raises:
        ValueError: ``url`` is no http(s) address.
        TypeError: ``auth`` is none of these.
        ModuleNotFoundError: httpx is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        auth: Any = None,
        graph: str | Sequence[str] = (),
        timeout: float = 60.0,
        retry_for: float = 60.0,
        max_bytes: int = 1 << 28,
        private_hosts: Sequence[str] = (),
        server_timeout: tuple[str, float] | None = None,
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(
                f"An endpoint is an http or https address, got one with scheme {parts.scheme!r}."
            )
        self._auth = signing.checked(auth, parts.username or "", parts.password or "")
        host = parts.hostname if ":" not in parts.hostname else f"[{parts.hostname}]"
        where = host if parts.port is None else f"{host}:{parts.port}"
        self.url = urlunsplit((parts.scheme, where, parts.path or "/", parts.query, ""))
        """The address, without user and password."""
        self.graph = (graph,) if isinstance(graph, str) else tuple(graph)
        for name in self.graph:
            iri(name)
        self.timeout, self.retry_for, self.max_bytes = timeout, retry_for, max_bytes
        self._private_hosts = tuple(private_hosts)
        self._server_timeout = server_timeout
        self._client = self._connect()
        self._random = random.Random()
        self.questions = 0
        """Number of questions asked, each try counted."""

    def select(
        self, query: str, *, timeout: float | None = None, within: float | None = None
    ) -> list[Row]:
        """Return all rows of a SELECT, with the columns in the order of the query.

        Args:
            query: SPARQL; values are put into it by :mod:`kgfm.stores.sparql.terms` only.
            timeout: Seconds for one try.
            within: Seconds for all tries together.

        Raises:
            ServerUnavailableError: The endpoint is down, too slow, overloaded, or its answer ended
                early, and did not mend while there was time.
            AnswerTooLargeError: The answer is too large or was refused as too costly.
            PermissionError: The sign-in was refused, or a redirect leads to another host.
            ValueError: The endpoint says that the query is malformed.
        """
        answer, most_rows = self._ask(query, timeout, within)
        try:
            columns, bindings = answer["head"]["vars"], answer["results"]["bindings"]
            blanks: dict[str, str] = {}
            rows = [
                tuple(from_json(row[name], blanks) if name in row else None for name in columns)
                for row in bindings
            ]
        except (KeyError, TypeError, AttributeError):
            raise ValueError(
                f"{self.url} gave no SPARQL 1.1 JSON results; is it a query endpoint?"
            ) from None
        if most_rows and len(rows) >= most_rows:
            raise AnswerTooLargeError(f"{self.url} gives no more than {most_rows:,} rows at once.")
        return rows

    def _ask(self, query: str, timeout: float | None, within: float | None) -> tuple[Any, int]:
        """Ask until there is a whole answer; return its JSON, and the server's limit on rows."""
        start, tries = time.monotonic(), 0
        ends = start + (self.retry_for if within is None else within)
        each = self.timeout if timeout is None else timeout
        while True:
            left = ends - time.monotonic() if within is not None else each
            try:
                return self._once(query, max(0.001, min(each, left)))
            except ServerUnavailableError as error:
                tries += 1
                pause = min(8.0, 0.2 * 2**tries) * self._random.uniform(0.5, 1.5)
                pause = max(pause, error.retry_after)
                if time.monotonic() + pause >= ends:
                    raise
                time.sleep(pause)

    def _once(self, query: str, timeout: float) -> tuple[Any, int]:
        import httpx

        self.questions += 1
        ends = time.monotonic() + timeout
        fields = [("query", query), *(("default-graph-uri", name) for name in self.graph)]
        if self._server_timeout is not None:
            name, per_second = self._server_timeout
            fields.append((name, str(max(1, int(timeout * per_second)))))
        try:
            with self._post(urlencode(fields).encode(), timeout) as response:
                body = self._read(response, ends)
                _check_status(self.url, response, body)
        except httpx.HTTPError as error:
            kind = type(error).__name__
            raise ServerUnavailableError(f"{self.url} gave no whole answer ({kind}).") from None
        if response.headers.get("x-sql-state", "").startswith("S1TA"):  # Virtuoso's partial answers
            raise ServerUnavailableError(f"{self.url} ran out of time and answered in part.")
        try:
            return json.loads(body), int(response.headers.get("x-sparql-maxrows", 0))
        except ValueError:
            if not response.headers.get("content-type", "").startswith(_JSON):
                raise ValueError(
                    f"{self.url} gave no SPARQL JSON; is it a query endpoint?"
                ) from None
            raise ServerUnavailableError(
                f"The answer of {self.url} ended early, after {len(body):,} bytes: it is cut off, "
                "by a time-out of the server or a dropped connection."
            ) from None

    @contextmanager
    def _post(self, body: bytes, timeout: float) -> Iterator[httpx.Response]:
        """Send to the host of the URL, and after it where it redirects on the same host."""
        import httpx

        url = httpx.URL(self.url)
        headers = {"Accept": _JSON, "Content-Type": "application/x-www-form-urlencoded"}
        for _ in range(_REDIRECTS + 1):
            port = url.port or {"http": 80, "https": 443}[url.scheme]
            address = address_of(url.host, port, self._private_hosts)
            with self._client.stream(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers={**headers, "Host": url.netloc.decode("ascii")},
                timeout=timeout,
                extensions={"sni_hostname": url.host},
            ) as response:
                if not response.has_redirect_location:
                    yield response
                    return
                url = self._redirected(url, response.headers["location"])
        raise ValueError(f"{self.url} redirects more than {_REDIRECTS} times.")

    def _redirected(self, url: httpx.URL, location: str) -> httpx.URL:
        target = url.join(location)
        upgrade = (url.scheme, target.scheme) == ("http", "https")
        if target.host != url.host or not (target.scheme == url.scheme or upgrade):
            raise PermissionError(
                f"{self.url} redirects to {target.scheme}://{target.host}, which was not named; "
                "give that address itself if it is meant."
            )
        if target.port != url.port and not upgrade:
            raise PermissionError(
                f"{self.url} redirects to port {target.port} of the same host, which was not named."
            )
        return target.copy_with(userinfo=b"")

    def _read(self, response: httpx.Response, ends: float) -> bytes:
        """Return the body, within the limits of time and size."""
        parts, size = [], 0
        for part in response.iter_bytes():
            parts.append(part)
            size += len(part)
            if size > self.max_bytes:
                raise AnswerTooLargeError(
                    f"{self.url} answers with more than max_bytes={self.max_bytes:,}."
                )
            if time.monotonic() > ends:
                raise ServerUnavailableError(f"{self.url} was too slow to answer in time.")
        return b"".join(parts)

    def close(self) -> None:
        """Give the connections back; the endpoint may be asked again afterwards."""
        self._client.close()
        self._client = self._connect()

    def _connect(self) -> httpx.Client:
        client = _client(self._auth)
        weakref.finalize(self, client.close)  # sockets go with the endpoint
        return client

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r})"


def _client(auth: signing.Auth | None) -> httpx.Client:
    try:
        import httpx
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            'SPARQL endpoints need httpx: pip install "kgfm[sparql]".'
        ) from None
    return httpx.Client(auth=signing.for_httpx(auth), trust_env=False, follow_redirects=False)


def _check_status(url: str, response: httpx.Response, body: bytes) -> None:
    """Turn a status that is no success into the error that says what to do."""
    status = response.status_code
    if response.is_success:
        return
    # Servers repeat the query, which holds the user's values.
    said = body[:4000].decode("utf-8", "replace").partition("SPARQL query:")[0]
    said = " ".join(said.split())[:300]
    if status in (401, 403):
        raise PermissionError(f"{url} refused the sign-in ({status}); check auth=.")
    if status == 413 or (status >= 500 and _TOO_COSTLY.search(said)):
        raise AnswerTooLargeError(f"{url} refuses the question as too large ({status}): {said}")
    if status in _LATER:
        wait = _retry_after(response.headers)
        raise ServerUnavailableError(f"{url} answered {status}: {said}", retry_after=wait)
    if status == 400:
        raise ValueError(f"{url} cannot read the query: {said}")
    raise ValueError(f"{url} answered {status}; is it a SPARQL query endpoint? {said}")


def _retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds that a server asks to wait."""
    given = headers.get("retry-after", "")
    try:
        return (
            float(given)
            if given.isdigit()
            else parsedate_to_datetime(given).timestamp() - time.time()
        )
    except (TypeError, ValueError):
        return 0.0

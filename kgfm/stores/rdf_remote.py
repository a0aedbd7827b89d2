"""RDF and JSON-LD contexts from hosts that the user named, and from no other."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any

from kgfm.stores.rdf_guards import guarded
from kgfm.stores.sparql.hosts import address_of

if TYPE_CHECKING:
    import httpx

_REDIRECTS = 5
_SECONDS = 30.0
_ACCEPT = (
    "application/n-triples, text/turtle, application/ld+json, application/rdf+xml;q=0.9, */*;q=0.1"
)
# Most bytes of a context, and how deep one may name others.
_CONTEXT, _NESTED = 16 << 20, 10


def fetched(url: str, allow_remote: Collection[str], file: BufferedIOBase) -> str:
    """Copy what an address holds to a file; return the address without user and password.

    Raises:
        PermissionError: Its host, or that of a redirect, was not named, or is in a private network
            and was not named by its very address.
        ConnectionError: It does not answer, or too slowly.
    """
    with _response(url, allow_remote, _ACCEPT) as response:
        for part in response.iter_bytes():
            file.write(part)
    file.seek(0)
    return str(response.url.copy_with(userinfo=b""))


def with_contexts(
    stream: BufferedIOBase, name: str, allow_remote: Collection[str]
) -> BufferedIOBase:
    """Return a JSON-LD document in which the contexts from elsewhere are written out.

    Raises:
        ValueError: It is no JSON, or a context is none.
        PermissionError: See :func:`fetched`.
    """
    document = _json(guarded(stream, "jsonld", name).read(), name)
    _Contexts(allow_remote).write_into(document, _NESTED)
    return io.BytesIO(json.dumps(document).encode())


class _Contexts:
    """Fetches each context once."""

    def __init__(self, allow_remote: Collection[str]) -> None:
        self._allow_remote = allow_remote
        self._known: dict[str, Any] = {}

    def write_into(self, node: Any, levels: int) -> None:
        """Put contexts in the place of their addresses, anywhere in a document."""
        for inner in node if isinstance(node, list) else ():
            self.write_into(inner, levels)
        if not isinstance(node, dict):
            return
        for key, value in node.items():
            if key == "@context":
                node[key] = self._written(value, levels)
            else:
                self.write_into(value, levels)

    def _written(self, context: Any, levels: int) -> Any:
        if isinstance(context, list):
            parts = [self._written(part, levels) for part in context]
            return [p for part in parts for p in (part if isinstance(part, list) else [part])]
        if isinstance(context, str):
            return self._fetched(context, levels)
        if isinstance(context, dict):
            self.write_into({k: v for k, v in context.items() if k != "@import"}, levels)
            if isinstance(context.get("@import"), str):
                imported = self._fetched(context["@import"], levels)
                own = {key: value for key, value in context.items() if key != "@import"}
                return {**imported, **own} if isinstance(imported, dict) else [imported, own]
        return context

    def _fetched(self, url: str, levels: int) -> Any:
        if levels == 0:
            raise ValueError(f"Contexts that name others are nested too deeply, at {url[:200]!r}.")
        if url not in self._known:
            with _response(url, self._allow_remote, "application/ld+json") as response:
                link = response.links.get("alternate", {})
                text = _limited(response, url)
            if "json" not in response.headers.get("content-type", "") and "url" in link:
                return self._fetched(str(response.url.join(link["url"])), levels - 1)
            found = _json(text, url)
            if not isinstance(found, dict) or "@context" not in found:
                raise ValueError(f"{url} holds no JSON-LD context.")
            self._known[url] = self._written(found["@context"], levels - 1)
        return self._known[url]


def _limited(response: httpx.Response, url: str) -> bytes:
    text = b""
    for part in response.iter_bytes():
        text += part
        if len(text) > _CONTEXT:
            raise ValueError(f"The context {url} has more than {_CONTEXT:,} bytes.")
    return text


def _json(text: bytes, name: str) -> Any:
    try:
        return json.load(guarded(io.BytesIO(text), "jsonld", name))
    except json.JSONDecodeError as error:
        raise ValueError(f"{name}, line {error.lineno}: {error.msg}.") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8 ({error}).") from None


@contextmanager
def _response(url: str, allow_remote: Collection[str], accept: str) -> Iterator[httpx.Response]:
    try:
        import httpx
    except ModuleNotFoundError:
        raise ModuleNotFoundError('To fetch RDF: pip install "kgfm[sparql]"') from None
    ends = time.monotonic() + _SECONDS
    try:
        target = httpx.URL(url)
        with httpx.Client(trust_env=False, follow_redirects=False, timeout=_SECONDS) as client:
            for _ in range(_REDIRECTS + 1):
                address = _checked(target, allow_remote)
                with client.stream(
                    "GET",
                    target.copy_with(host=address),
                    headers={"Accept": accept, "Host": target.netloc.decode("ascii")},
                    extensions={"sni_hostname": target.host},
                ) as response:
                    if time.monotonic() > ends:
                        raise ConnectionError(f"{_shown(target)} is too slow.")
                    response.request.url = target
                    if not response.has_redirect_location:
                        if not response.is_success:
                            raise ConnectionError(
                                f"{_shown(target)} answers {response.status_code}."
                            )
                        yield response
                        return
                    target = target.join(response.headers["location"])
    except httpx.InvalidURL:
        raise ValueError(f"{url[:200]!r} is no address.") from None
    except httpx.HTTPError as error:
        raise ConnectionError(f"{_shown(target)} gives no answer ({error}).") from None
    raise ConnectionError(f"{_shown(target)} is more than {_REDIRECTS} redirects away.")


def _checked(url: httpx.URL, allow_remote: Collection[str]) -> str:
    """Return the address to connect to, if its host was named."""
    if url.scheme not in ("http", "https"):
        raise PermissionError(
            f"{_shown(url)[:200]!r} is refused: only http and https are fetched. Give a "
            "file by its path."
        )
    if url.host not in allow_remote:
        raise PermissionError(
            f"{_shown(url)[:200]} is on a host that nobody named, and nothing is fetched unasked. "
            f"If it is meant: allow_remote=[{url.host!r}]."
        )
    port = url.port or {"http": 80, "https": 443}[url.scheme]
    try:
        return address_of(url.host, port, ())
    except PermissionError:
        raise PermissionError(
            f"{url.host!r} leads into a private network. If that is meant, give the address "
            "itself, and name it in allow_remote."
        ) from None


def _shown(url: httpx.URL) -> str:
    return str(url.copy_with(userinfo=b""))

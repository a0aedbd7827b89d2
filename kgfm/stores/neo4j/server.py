"""One database of a Neo4j server, asked in managed transactions with deadlines at both ends."""

from __future__ import annotations

import os
import queue
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from kgfm.stores.server import ServerUnavailableError

if TYPE_CHECKING:
    import neo4j

T = TypeVar("T")
SCHEMES = ("bolt", "bolt+s", "bolt+ssc", "neo4j", "neo4j+s", "neo4j+ssc")
# What a deadline here allows beyond the server's own, which should be the first to speak.
_GRACE = 5.0
_LOST_COMMITS = 3


class Server:
    """A Neo4j database, or another that speaks Bolt; connected to when it is first asked.

    Every statement runs in a managed transaction (``execute_read``, routed to readers, or
    ``execute_write``), so that the driver retries what a lost connection or a deadlock broke off.
    Neither the password nor any parameter comes into a message.

    Args:
        uri: ``bolt://host:7687``, ``neo4j://...`` for routing; ``+s`` for TLS.
        auth: ``(user, password)``, or what ``neo4j.bearer_auth``, ``neo4j.kerberos_auth`` or an
            auth manager of the driver gives; ``None`` for a server without accounts.
        database: Its name; ``None`` is the user's home database.
        deadline: Seconds to connect and to retry before giving up.
        timeout: Seconds that one transaction may take; told to the server and kept here.
        driver: Further settings of the driver, such as ``trusted_certificates``.

    Raises:
        ValueError: The address is none, or holds a password.
        TypeError: ``auth`` is of another kind.
    """

    def __init__(
        self,
        uri: str,
        *,
        auth: Any = None,
        database: str | None = None,
        deadline: float = 15.0,
        timeout: float = 600.0,
        driver: Mapping[str, Any] | None = None,
    ) -> None:
        self.place = _place_of(uri)
        self.database = database
        self.deadline, self.timeout = deadline, timeout
        self._uri, self._auth, self._settings = uri, _checked_auth(auth), dict(driver or {})
        self._opened: tuple[int, neo4j.Driver] | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Server({self.place!r}, database={self.database!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {
            name: value for name, value in self.__dict__.items() if name not in ("_opened", "_lock")
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._opened, self._lock = None, threading.Lock()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next statement opens new ones."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            _close(*opened)

    def _driver(self) -> neo4j.Driver:
        """Return the driver of this process: a forked one must not share its parent's sockets."""
        import neo4j

        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                settings = {
                    "connection_timeout": min(5.0, self.deadline),
                    "connection_acquisition_timeout": self.deadline,
                    "max_transaction_retry_time": self.deadline,
                    "notifications_min_severity": "OFF",
                    "telemetry_disabled": True,
                    "user_agent": "kgfm",
                    **self._settings,
                }
                driver = neo4j.GraphDatabase.driver(self._uri, auth=self._auth, **settings)
                self._opened = (os.getpid(), driver)
                # Whoever forgets to close a server loses it, and its connections with it.
                weakref.finalize(self, _close, os.getpid(), driver).atexit = False
            return self._opened[1]

    # -- asking -----------------------------------------------------------------------------------

    def stream(
        self,
        query: str,
        parameters: Mapping[str, Any] | None,
        consume: Callable[[neo4j.Result], T],
        *,
        timeout: float | None = None,
        strict: bool = False,
    ) -> T:
        """Run a query that only reads, and return what ``consume`` makes of its rows.

        Rows come as they are consumed. Where the connection is lost the query runs again and
        ``consume`` is called anew, so it must begin from nothing.

        Args:
            query: Cypher.
            parameters: Its values.
            consume: Reads the rows.
            timeout: Seconds that a transaction may take, in place of the server's own.
            strict: Whether connecting and all retries must fit into ``timeout`` too.
        """
        limit = self.timeout if timeout is None else timeout
        with self._explained(limit):
            return self._attempt("execute_read", query, parameters, consume, limit, strict)

    def rows(
        self,
        query: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> list[list[Any]]:
        """Run a query that only reads, and return its rows."""
        return self.stream(query, parameters, list_of, timeout=timeout)

    def write(
        self,
        query: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> list[list[Any]]:
        """Run a statement that writes, in a transaction of its own, and return its rows.

        Doing it twice must be the same as doing it once: where the connection is lost while the
        server commits, nobody knows whether it did, and the statement runs again.
        """
        import neo4j

        limit = self.timeout if timeout is None else timeout
        with self._explained(limit):
            for _ in range(_LOST_COMMITS):
                with suppress(neo4j.exceptions.IncompleteCommit):
                    return self._attempt("execute_write", query, parameters, list_of, limit, False)
            return self._attempt("execute_write", query, parameters, list_of, limit, False)

    def _attempt(
        self,
        how: str,
        query: str,
        parameters: Mapping[str, Any] | None,
        consume: Callable[[neo4j.Result], T],
        limit: float,
        strict: bool,
    ) -> T:
        import neo4j

        ends = monotonic() + limit + (0 if strict else self.deadline + _GRACE)

        @neo4j.unit_of_work(timeout=limit, metadata={"app": "kgfm"})
        def work(transaction: neo4j.ManagedTransaction) -> T:
            nonlocal ends
            if not strict:  # each attempt has the whole limit
                ends = monotonic() + limit + _GRACE
            return consume(transaction.run(query, dict(parameters or {})))

        def ask() -> T:
            with self._driver().session(database=self.database) as session:
                return getattr(session, how)(work)  # type: ignore[no-any-return]

        try:
            return within(lambda: ends - monotonic(), ask)
        except TimeoutError:
            # Closing may wait for the same server, so nobody waits for it.
            threading.Thread(target=self.close, daemon=True).start()
            raise

    @contextmanager
    def _explained(self, limit: float) -> Iterator[None]:
        """Turn the driver's errors into built-in ones that say what to do."""
        from neo4j import exceptions

        try:
            yield
        except exceptions.AuthError as error:
            raise PermissionError(
                f"{self.place} refused the login ({_code(error)}). Check user and password, given "
                "as auth=(user, password), or the token."
            ) from None
        except exceptions.Neo4jError as error:
            raise self._of_server(error, limit) from None
        except (exceptions.DriverError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise TimeoutError(
                    f"{self.place} did not answer within {limit:g} s. Ask for less, or give more "
                    "time with timeout=."
                ) from None
            if isinstance(error, exceptions.ConfigurationError):
                raise ValueError(f"The settings for {self.place} do not fit: {error}") from None
            raise ServerUnavailableError(
                f"No Neo4j answers at {self.place} ({type(error).__name__}, tried for "
                f"{self.deadline:g} s). Is it running, and is the address right?"
            ) from None

    def _of_server(self, error: neo4j.exceptions.Neo4jError, limit: float) -> Exception:
        code = _code(error)
        if "TransactionTimedOut" in code or code.endswith("LockClientStopped"):
            return TimeoutError(
                f"{self.place} stopped a query after {limit:g} s. Ask for less, or give more time "
                "with timeout=."
            )
        if "OutOfMemory" in code:
            return MemoryError(f"{self.place} ran out of memory; make the batches smaller.")
        if code.endswith("DatabaseNotFound"):
            return LookupError(f"No database {self.database!r} at {self.place}.")
        if code.endswith("DatabaseUnavailable"):
            return ServerUnavailableError(
                f"Database {self.database!r} at {self.place} is not available."
            )
        if ".Statement.SyntaxError" in code or ".Statement.AccessMode" in code:
            return ValueError(f"{self.place} refused a query: {error.message}")
        if error.is_retryable():
            return ServerUnavailableError(
                f"{self.place} could not do it for {self.deadline:g} s ({code}); try again later."
            )
        if ".Security." in code:
            return PermissionError(f"{self.place} does not allow this ({code}).")
        return RuntimeError(f"{self.place} could not do it ({code}).")


def list_of(result: neo4j.Result) -> list[list[Any]]:
    """Return all rows of a result."""
    return result.values()


def _close(process: int, driver: neo4j.Driver) -> None:
    """Close a driver in the process that opened it."""
    if process == os.getpid():
        driver.close()


def _code(error: neo4j.exceptions.Neo4jError) -> str:
    return str(error.code or type(error).__name__)


def _place_of(uri: str) -> str:
    """Return scheme, host and port, all of an address that may be shown."""
    if not isinstance(uri, str):
        raise TypeError(f"The address is a string such as 'bolt://localhost:7687', not {uri!r}.")
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.username is not None or parts.password is not None:
        raise ValueError("The address holds a user or password; give auth=(user, password).")
    if parts.scheme not in SCHEMES or not host:
        raise ValueError(
            f"A Neo4j address begins with one of {', '.join(SCHEMES)} and names a host, such as "
            "bolt://localhost:7687."
        )
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or 7687}"


def _checked_auth(auth: Any) -> Any:
    if isinstance(auth, (tuple, list)) and len(auth) == 2 and all(isinstance(a, str) for a in auth):
        return tuple(auth)
    if auth is None or hasattr(auth, "scheme") or hasattr(auth, "get_auth"):
        return auth
    raise TypeError(
        "auth is (user, password), or what neo4j.bearer_auth(...) or neo4j.kerberos_auth(...) "
        f"gives; got {type(auth).__name__}."
    )


def within(left: Callable[[], float], work: Callable[[], T]) -> T:
    """Return what ``work`` returns, or stop waiting for it.

    It runs in a thread, which is left behind when the time is up: a socket that is never answered
    has no deadline of its own.

    Args:
        left: Seconds that are left; asked again when they have passed.
        work: Runs.

    Raises:
        TimeoutError: It took longer.
    """
    done: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((True, work()))
        except BaseException as error:  # handed to the caller's thread
            done.put((False, error))

    threading.Thread(target=run, daemon=True).start()
    while (seconds := left()) > 0:
        try:
            succeeded, value = done.get(timeout=seconds)
        except queue.Empty:
            continue
        if not succeeded:
            raise value
        return value  # type: ignore[no-any-return]
    raise TimeoutError("the time is up")

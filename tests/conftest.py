"""What all tests share: one thread, no network, and reasons for leaving a test out."""

from __future__ import annotations

import os

# Before anything loads numpy or torch: tiny models lose more to threads than they gain.
for _name, _value in {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "MPLBACKEND": "Agg",
}.items():
    os.environ.setdefault(_name, _value)

import socket  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import jaxtyping  # noqa: E402
import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

pytest_plugins = ["neo4j_server", "sparql_server"]

settings.register_profile("kgfm", deadline=None, derandomize=True)
settings.load_profile("kgfm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, with the reason."""
    if not os.environ.get("KGFM_DATA"):
        for item in items:
            if item.get_closest_marker("data") is not None:
                item.add_marker(pytest.mark.skip(reason="KGFM_DATA is not set"))
    gpu = [item for item in items if item.get_closest_marker("gpu") is not None]
    if gpu:
        import torch  # only here: collecting must not load it

        if not torch.cuda.is_available():
            for item in gpu:
                item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let wrong types reach kgfm's own messages, as they do outside the tests."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse connections that leave this machine: nothing in kgfm needs one unless asked."""
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else ""
        if host not in ("", "localhost", "::1") and not str(host).startswith("127."):
            raise OSError(f"A test tried to reach {host!r}; tests stay on this machine.")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local_only)
        yield


@pytest.fixture(scope="session")
def public_data() -> Path:
    """The folder with public data sets; for tests marked ``data``."""
    return Path(os.environ["KGFM_DATA"])

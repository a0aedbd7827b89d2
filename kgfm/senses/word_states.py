"""What an untrained backbone makes of each word in its context, computed once and kept on disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from kgfm.senses.batch import PreparedWindow, SenseCollator
from kgfm.senses.model import SenseModel
from kgfm.shards import Shards

KIND = "word-states"
SHARD_WINDOWS = 1024


class WordStates:
    """A disk cache of the words' states, by layer, before the head's own normalisation.

    With all of the backbone frozen an epoch costs the head alone. Keyed by the tokens, the places
    of the words in them, and the backbone's weights; complete shards survive an interruption.

    Args:
        model: Its backbone reads the windows.
        folder: Where the states of all backbones are kept.
    """

    def __init__(self, model: SenseModel, folder: str | Path) -> None:
        self.model = model
        digest = blake2b(f"{model.backbone.name} {model.read}".encode(), digest_size=12)
        for parameter in model.backbone.parameters():
            digest.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        self._shards = Shards(Path(folder) / f"words-{digest.hexdigest()}", KIND)

    def get(self, window: PreparedWindow) -> Float[np.ndarray, "word layer width"] | None:
        """Return the states of a window's words, or ``None`` if they are not there."""
        return self._shards.get(key_of(window))

    def fill(
        self,
        windows: Sequence[PreparedWindow],
        collator: SenseCollator,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Compute and keep the states of all windows that are not there yet."""
        missing = {key_of(w): w for w in windows if key_of(w) not in self._shards}
        rows = sorted(missing.values(), key=lambda window: len(window.input_ids))
        for start in range(0, len(rows), SHARD_WINDOWS):
            part = rows[start : start + SHARD_WINDOWS]
            self.keep(part, np.concatenate(self._states(part, collator)))
            if progress is not None:
                progress(start + len(part), len(rows))

    def keep(
        self, windows: Sequence[PreparedWindow], states: Float[np.ndarray, "word layer width"]
    ) -> None:
        """Write a shard: the states of the words of some windows, one after another."""
        counts = [len(window.ids) for window in windows]
        self._shards.write(list(map(key_of, windows)), counts, states.astype(np.float16))

    @torch.inference_mode()
    def _states(
        self, windows: Sequence[PreparedWindow], collator: SenseCollator, batch_size: int = 32
    ) -> list[np.ndarray]:
        self.model.eval()
        device = next(self.model.parameters()).device
        return [
            self.model.word_states(collator.pack(windows[start : start + batch_size]).to(device))
            .cpu()
            .numpy()
            for start in range(0, len(windows), batch_size)
        ]


def key_of(window: PreparedWindow) -> bytes:
    """Hash the tokens of a window and the places of its words."""
    digest = blake2b(digest_size=16)
    for part in (window.input_ids, window.pieces, window.piece_word):
        digest.update(np.asarray(part, dtype=np.int64).tobytes() + b"|")
    return digest.digest()

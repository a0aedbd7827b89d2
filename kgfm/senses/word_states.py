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
from kgfm.storage import file_path, read_manifest, write_folder

KIND, FORMAT = "word-states", 1
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
        self.folder = Path(folder) / f"words-{digest.hexdigest()}"
        self._places: dict[bytes, tuple[np.ndarray, int, int]] = {}
        for shard in sorted(self.folder.glob("shard-*")):
            self._open(shard)

    def get(self, window: PreparedWindow) -> Float[np.ndarray, "word layer width"] | None:
        """Return the states of a window's words, or ``None`` if they are not there."""
        place = self._places.get(key_of(window))
        return None if place is None else place[0][place[1] : place[2]]

    def fill(
        self,
        windows: Sequence[PreparedWindow],
        collator: SenseCollator,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        """Compute and keep the states of all windows that are not there yet."""
        missing = {key_of(w): w for w in windows if key_of(w) not in self._places}
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
        keys = np.frombuffer(b"".join(map(key_of, windows)), dtype=np.uint8).reshape(-1, 16)
        offsets = np.concatenate([[0], np.cumsum([len(window.ids) for window in windows])])
        arrays = {"states": states.astype(np.float16), "offsets": offsets, "keys": keys}
        shard = self.folder / f"shard-{blake2b(keys.tobytes(), digest_size=16).hexdigest()}"
        write_folder(
            shard,
            {
                f"{name}.npy": lambda path, array=array: np.save(path, array)  # type: ignore[misc]
                for name, array in arrays.items()
            },
            {"kind": KIND, "format": FORMAT},
        )
        self._open(shard)

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

    def _open(self, shard: Path) -> None:
        """Find the shard's windows; those of a damaged one are computed again."""
        try:
            manifest = read_manifest(shard, KIND, FORMAT)
            paths = {  # the states are too large to be read whole just to compare their hash
                name: file_path(shard, manifest, f"{name}.npy", verify=name != "states")
                for name in ("states", "offsets", "keys")
            }
            states = np.load(paths["states"], mmap_mode="r")
            offsets, keys = np.load(paths["offsets"]).tolist(), np.load(paths["keys"])
        except (ValueError, OSError):  # among them DamagedFileError
            return
        for number, key in enumerate(keys):
            self._places[key.tobytes()] = (states, offsets[number], offsets[number + 1])


def key_of(window: PreparedWindow) -> bytes:
    """Hash the tokens of a window and the places of its words."""
    digest = blake2b(digest_size=16)
    for part in (window.input_ids, window.pieces, window.piece_word):
        digest.update(np.asarray(part, dtype=np.int64).tobytes() + b"|")
    return digest.digest()

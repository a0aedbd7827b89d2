"""Hash tables with open addressing that numpy builds without a loop, and looks many keys up in.

An entry's home is ``(key * FACTOR mod 2**64 >> 32) * slots >> 32``; it stands there or in the next
free slot. Entries sorted by home stand at ``place[i] = max(place[i - 1] + 1, home[i])``, which is
a running maximum. The table ends with :data:`NEAR` empty slots, so that a search needs no
wrap-around, and may look at so many slots at once.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, UInt64

FACTOR = np.uint64(0x9E3779B97F4A7C15)
HALF = np.uint64(32)
NEAR = 4


def homes(keys: UInt64[np.ndarray, "key"], slots: int) -> Int64[np.ndarray, "key"]:
    """Return the slot where each key would like to stand."""
    return (((keys * FACTOR) >> HALF) * np.uint64(slots) >> HALF).astype(np.int64)


def num_slots(entries: int) -> int:
    """Return the number of home slots for so many entries: two for three."""
    return entries + entries // 2 + 1


def build_table(
    keys: UInt64[np.ndarray, "entry"], values: Int64[np.ndarray, "entry"]
) -> UInt64[np.ndarray, "slot 2"]:
    """Return a table of (key, value) rows; keys differ, values are above zero, 0 marks a gap."""
    slots = num_slots(len(keys))
    home = homes(keys, slots)
    order = np.argsort(home, kind="stable")
    step = np.arange(len(keys))
    place = step + np.maximum.accumulate(home[order] - step)
    size = max(slots, int(place[-1]) + 1 if len(place) else 0) + NEAR
    table = np.zeros((size, 2), np.uint64)
    table[place, 0] = keys[order]
    table[place, 1] = values[order].astype(np.uint64)
    return table


def build_filter(keys: UInt64[np.ndarray, "key"]) -> UInt64[np.ndarray, "block"]:
    """Return a bit map of hashes, 16 bits a key or more: the first bits of a hash are its place."""
    width = max(6, (max(1, len(keys)) * 16 - 1).bit_length())
    bits = np.zeros(1 << width, np.uint8)
    bits[(keys * FACTOR) >> np.uint64(64 - width)] = 1
    return np.packbits(bits, bitorder="little").view("<u8").astype(np.uint64, copy=False)


def look_up(
    table: UInt64[np.ndarray, "slot 2"], keys: UInt64[np.ndarray, "key"], entries: int
) -> Int64[np.ndarray, "key"]:
    """Return the value of each key, 0 where it is not in the table of so many entries."""
    slot = homes(keys, num_slots(entries))
    found = np.zeros(len(keys), np.int64)
    open_rows = np.arange(len(keys))
    while len(open_rows):
        entry = table[slot]
        value = entry[:, 1].astype(np.int64)
        hit = entry[:, 0] == keys[open_rows]
        found[open_rows[hit]] = value[hit]
        on = ~hit & (value > 0)
        open_rows, slot = open_rows[on], slot[on] + 1
    return found

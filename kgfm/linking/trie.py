"""Names as paths through numbered tokens: a trie in flat arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt64

from kgfm.linking.hashing import build_filter, build_table, look_up

MAX_TOKENS = 64
"""Longer names are left out, so that the time for a text stays linear in its length."""

TOKEN_BITS = np.uint64(32)


@dataclass(frozen=True, slots=True)
class Trie:
    """Steps from node to node, by token; nodes ``1 .. num_names`` end a name, later ones do not.

    A step leads to ``2 * node``, plus one where the node has steps of its own; 0 is no step.

    Args:
        roots: First step of each token of the vocabulary.
        filter: A bit for the hash of each later step; it fits into the caches, the table does not,
            and most tokens that follow each other in a text are in no name.
        table: ``node << 32 | token`` -> later step.
        sizes: How many names, and how many later steps.
    """

    roots: Int32[np.ndarray, "token"]
    filter: UInt64[np.ndarray, "block"]
    table: UInt64[np.ndarray, "slot 2"]
    sizes: Int64[np.ndarray, "2"]

    @property
    def num_names(self) -> int:
        return int(self.sizes[0])

    @property
    def num_steps(self) -> int:
        return int(self.sizes[1])

    def steps(
        self, nodes: Int64[np.ndarray, "step"], tokens: Int64[np.ndarray, "step"]
    ) -> Int64[np.ndarray, "step"]:
        """Return where the step from each node by each token leads."""
        return look_up(self.table, _packed(nodes, tokens), self.num_steps)

    def name_tokens(self) -> tuple[Int64[np.ndarray, "token"], Int64[np.ndarray, "token"]]:
        """Return (name, token) of the tokens of all names, in their order."""
        used = self.table[:, 1] > 0
        keys, leads = self.table[used, 0], (self.table[used, 1] >> np.uint64(1)).astype(np.int64)
        first = np.flatnonzero(self.roots)
        size = len(first) + len(leads) + 1
        parent, token = np.zeros(size, np.int64), np.zeros(size, np.int64)
        token[self.roots[first] >> 1] = first
        parent[leads] = (keys >> TOKEN_BITS).astype(np.int64)
        token[leads] = (keys & np.uint64(0xFFFFFFFF)).astype(np.int64)
        names = nodes = np.arange(1, self.num_names + 1)
        owners, tokens = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
        while len(nodes):
            owners.append(names)
            tokens.append(token[nodes])
            on = parent[nodes] > 0
            names, nodes = names[on], parent[nodes[on]]
        # Each name was walked from its end.
        flat, last_first = np.concatenate(owners)[::-1], np.concatenate(tokens)[::-1]
        order = np.argsort(flat, kind="stable")
        return flat[order], last_first[order]


def _packed(
    nodes: Int64[np.ndarray, "step"], tokens: Int64[np.ndarray, "step"]
) -> UInt64[np.ndarray, "step"]:
    return nodes.astype(np.uint64) << TOKEN_BITS | tokens.astype(np.uint64)


def build_trie(
    tokens: Int64[np.ndarray, "token"], firsts: Int64[np.ndarray, "boundary"], num_tokens: int
) -> tuple[Trie, Int64[np.ndarray, "name"]]:
    """Return the trie of names given as tokens, and the node where each of them ends.

    Args:
        tokens: Of all names, one after the other.
        firsts: Where each name begins there, and the end; none is empty.
        num_tokens: Size of the vocabulary.
    """
    lengths = np.diff(firsts)
    ends = np.zeros(len(lengths), np.int64)
    names = np.arange(len(lengths))
    nodes = np.zeros(len(lengths), np.int64)
    parents, steps, total = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0
    depth = 0
    while len(names):
        token = tokens[firsts[names] + depth]
        known, place = np.unique(nodes << 32 | token, return_inverse=True)
        nodes = place + total + 1
        parents.append(known >> 32)
        steps.append(known & 0xFFFFFFFF)
        total += len(known)
        depth += 1
        done = lengths[names] == depth
        ends[names[done]] = nodes[done]
        names, nodes = names[~done], nodes[~done]
    number, num_names = _names_first(ends, total)
    parent, step = number[np.concatenate(parents)], np.concatenate(steps)
    has_steps = np.zeros(total + 1, bool)
    has_steps[parent] = True
    child = number[1:]
    leads = 2 * child + has_steps[child]
    root = parent == 0
    roots = np.zeros(num_tokens, np.int32)
    roots[step[root]] = leads[root]
    later = ~root
    packed = _packed(parent[later], step[later])
    table = build_table(packed, leads[later])
    sizes = np.array([num_names, np.count_nonzero(later)], np.int64)
    return Trie(roots, build_filter(packed), table, sizes), number[ends]


def _names_first(
    ends: Int64[np.ndarray, "name"], total: int
) -> tuple[Int64[np.ndarray, "node"], int]:
    """Return new numbers of the nodes, so that those that end a name come first."""
    is_name = np.zeros(total + 1, bool)
    is_name[ends] = True
    is_name[0] = False
    num_names = int(np.count_nonzero(is_name))
    number = np.zeros(total + 1, np.int64)
    number[is_name] = np.arange(1, num_names + 1)
    other: Bool[np.ndarray, "node"] = ~is_name
    other[0] = False
    number[other] = np.arange(num_names + 1, total + 1)
    return number, num_names

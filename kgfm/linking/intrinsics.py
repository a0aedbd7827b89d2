"""Single instructions that numba has no Python for: 64 bytes at a time, words, fetches ahead."""

# numba infers the types here.
# mypy: allow-untyped-defs, allow-untyped-calls

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from kgfm.linking.codes import WALL_BYTE

WIDTH = 64
"""So many bytes :func:`byte_kinds` reads."""

_BYTE = ir.IntType(8)
_WORD = ir.IntType(64)
_VECTOR = ir.VectorType(_BYTE, WIDTH)


def _instruction(function: Callable[..., Any]) -> Any:
    return intrinsic(inspect.unwrap(function))  # tests wrap every function in a type checker


def _address(context, builder, array_type, row, as_type):
    """Return the address of a row of an array, as a pointer to something else."""
    array, place = row
    view = context.make_array(array_type)(context, builder, array)
    stride = builder.extract_value(view.strides, 0)
    start = builder.ptrtoint(view.data, _WORD)
    return builder.inttoptr(builder.add(start, builder.mul(place, stride)), as_type.as_pointer())


def _fill(value):
    return ir.Constant(_VECTOR, [value] * WIDTH)


@_instruction
def fetch_ahead(typing_context, array, row):
    """Ask for a row of an array, which will be read soon, and go on without it."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], arguments, _BYTE)
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [_BYTE.as_pointer(), number, number, number])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(prefetch, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


@_instruction
def eight_bytes(typing_context, array, place):
    """Return the eight bytes from a place on, the first one lowest."""

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], arguments, _WORD)
        return builder.load(address, align=1)

    return types.uint64(array, types.int64), generate


@_instruction
def byte_kinds(typing_context, array, place):
    """Return three masks of 64 bytes without capitals, a bit a byte.

    They are those of letters, digits and underscores; of other printable characters but white
    space, and the barrier; and of bytes whose kind is not settled here: control characters, and
    whatever is beyond ASCII.
    """
    result = types.UniTuple(types.uint64, 3)

    def generate(context, builder, signature, arguments):
        address = _address(context, builder, signature.args[0], arguments, _VECTOR)
        seen = builder.load(address, align=1)

        def within(first, last):
            return builder.icmp_unsigned("<=", builder.sub(seen, _fill(first)), _fill(last - first))

        letter = within(ord("a"), ord("z"))
        other = builder.or_(within(ord("0"), ord("9")), within(ord("_"), ord("_")))
        word = builder.or_(letter, other)
        space = builder.or_(within(9, 13), within(28, 32))
        printable = builder.or_(within(33, 126), within(WALL_BYTE, WALL_BYTE))
        symbol = builder.and_(printable, builder.not_(word))
        odd = builder.not_(builder.or_(builder.or_(word, symbol), space))
        masks = [builder.bitcast(mask, _WORD) for mask in (word, symbol, odd)]
        return context.make_tuple(builder, signature.return_type, masks)

    return result(array, types.int64), generate


@_instruction
def lowest_bit(typing_context, mask):
    """Return the place of the lowest bit that is set, 64 if there is none."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.IntType(1)(0))

    return types.uint64(types.uint64), generate


@_instruction
def near_value(typing_context, table, slot, key):
    """Return the value that a key has in four slots of a table from one on, 0 if in none of them.

    All four are compared at once: a branch for each would often be foreseen wrongly.
    """

    def generate(context, builder, signature, arguments):
        row, key = arguments[:2], arguments[2]
        four, eight = ir.VectorType(_WORD, 4), ir.VectorType(_WORD, 8)
        address = _address(context, builder, signature.args[0], row, eight)
        seen = builder.load(address, align=8)
        lane = ir.IntType(32)
        even, odd = (
            ir.Constant(ir.VectorType(lane, 4), [first, first + 2, first + 4, first + 6])
            for first in (0, 1)
        )
        undefined = ir.Constant(eight, ir.Undefined)
        keys = builder.shuffle_vector(seen, undefined, even)
        values = builder.shuffle_vector(seen, undefined, odd)
        wanted = ir.Constant(four, ir.Undefined)
        for place in range(4):
            wanted = builder.insert_element(wanted, key, lane(place))
        same = builder.icmp_unsigned("==", keys, wanted)
        found = builder.select(same, values, ir.Constant(four, [0] * 4))
        parts = [builder.extract_element(found, lane(place)) for place in range(4)]
        return builder.or_(builder.or_(parts[0], parts[1]), builder.or_(parts[2], parts[3]))

    return types.uint64(table, types.int64, types.uint64), generate

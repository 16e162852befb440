"""Three small numba intrinsics: test 64 gains at once, find the lowest set bit, fetch memory early.

LLVM lowers the vector comparison to whatever the machine has (one instruction per 64 bytes under AVX-512,
two under AVX2), so nothing here depends on a processor. They're the only hand-written code generation.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 64
_WORD = ir.IntType(64)


@intrinsic
def accept_mask(typingctx: Any, fields: Any, start: Any, thresholds: Any, offset: Any, up: Any) -> Any:
    """Bit j is set where spin_j * fields[start + j] >= thresholds[offset + j], j = 0 … 63.

    Spin j is +1 where bit j of ``up`` is set, else -1. Nothing is bounds-checked.
    """
    if fields.dtype != thresholds.dtype:
        raise TypeError("fields and thresholds must have the same dtype")
    signature = types.uint64(fields, types.intp, thresholds, types.intp, types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        field_type, _, threshold_type, _, _ = signature.args
        scalar = context.get_value_type(field_type.dtype)
        vector = ir.VectorType(scalar, LANES)

        def load(array_type: Any, array: Any, index: Any) -> Any:
            data = context.make_array(array_type)(context, builder, array).data
            pointer = builder.bitcast(builder.gep(data, [index]), vector.as_pointer())
            loaded = builder.load(pointer)
            loaded.align = array_type.dtype.bitwidth // 8  # the offset is arbitrary: no wider alignment
            return loaded

        h = load(field_type, args[0], args[1])
        t = load(threshold_type, args[2], args[3])
        if isinstance(field_type.dtype, types.Float):
            minus_t = builder.fneg(t)
            if_up, if_down = builder.fcmp_ordered(">=", h, t), builder.fcmp_ordered("<=", h, minus_t)
        else:
            minus_t = builder.neg(t)
            if_up, if_down = builder.icmp_signed(">=", h, t), builder.icmp_signed("<=", h, minus_t)
        up = args[4]
        positive = builder.and_(up, builder.bitcast(if_up, _WORD))
        negative = builder.and_(builder.not_(up), builder.bitcast(if_down, _WORD))
        return builder.or_(positive, negative)

    return signature, generate


@intrinsic
def lowest_bit(typingctx: Any, word: Any) -> Any:
    """Index of the lowest set bit of a word that isn't 0."""
    signature = types.intp(types.uint64)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], cgutils.true_bit)

    return signature, generate


@intrinsic
def prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Ask the processor to bring ``array[index]`` nearer; nothing is read or checked."""
    signature = types.void(array, types.intp)

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.bitcast(builder.gep(data, [args[1]]), ir.IntType(8).as_pointer())
        flag = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
        builder.call(function, [pointer, flag(0), flag(3), flag(1)])
        return context.get_dummy_value()

    return signature, generate

"""What the C code does for a network, step by step, and where in memory it keeps the layers.

A step computes one node, and with it the nodes that take each of its values as it is made: a shift
or requantisation (`finish`), a pool over the whole map (`pool`), and those of the inputs of an
addition (`prologues`). So sums are never stored, only what becomes of them.

A stored layer lies in memory as `[pixel][group][channel in the group]`, a group being as many
channels as fit 32 bits: 4 of `u8`, 2 of `s16`, 1 of `s32` or `s64`; the last group is filled up.
A layer of `u8` holds `value + offset`. Layers that are not needed at the same time share memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from golden.integer_math import signed_limits
from golden.network import INPUT_NAME, IntegerNetwork
from golden.nodes import (
    Add,
    Convolution,
    DepthwiseConvolution,
    FullyConnected,
    GlobalMaxPool,
    GlobalSumPool,
    Node,
    Pad,
    Requantise,
    Reshape,
    ShiftRelu,
)
from golden.windows import Pair, Shape

Finish = ShiftRelu | Requantise
Copy = Pad | Reshape
Pool = GlobalMaxPool | GlobalSumPool
Kernels = Convolution | DepthwiseConvolution
_LARGEST_BYTE = 255
GROUPS = {"u8": 4, "s16": 2, "s32": 1, "s64": 1}
_ALIGNMENT = 8  # bytes, of the widest type


@dataclass(frozen=True)
class Storage:
    """How a layer of `shape` lies in memory: `kind` is u8, s16, s32 or s64."""

    kind: str
    offset: int
    shape: Shape

    @property
    def pixels(self) -> int:
        return math.prod(self.shape[:-1])

    @property
    def channels(self) -> int:
        return self.shape[-1]

    @property
    def group(self) -> int:
        """Channels of a group."""
        return GROUPS[self.kind]

    @property
    def pixel_values(self) -> int:
        """Values of one pixel, those included that fill its last group up."""
        return -(-self.channels // self.group) * self.group

    @property
    def values(self) -> int:
        return self.pixels * self.pixel_values

    @property
    def size(self) -> int:
        """Bytes of the layer."""
        return self.values * (8 if self.kind == "s64" else 4 // self.group)

    def holds_as(self, other: Storage) -> bool:
        """Say whether the same bytes are also those of another shape, last axis fastest."""
        if (self.kind, self.offset) != (other.kind, other.offset):
            return False
        filled_up = self.pixel_values != self.channels or other.pixel_values != other.channels
        return not filled_up or self.shape[-1] == other.shape[-1]


@dataclass(frozen=True)
class Step:
    """`node`, and what is done with its values on the way to memory.

    A finish or pool that no other node takes along is both `node` and `finish` or `pool`.
    """

    node: Node
    finish: Finish | None = None
    pool: Pool | None = None
    prologues: tuple[Finish | None, ...] = ()

    @property
    def result(self) -> str:
        """Name of the layer that is stored."""
        return (self.pool or self.finish or self.node).name

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the stored layers that the step reads."""
        if not self.prologues:
            return self.node.sources
        pairs = zip(self.prologues, self.node.sources, strict=True)
        return tuple(finish.input if finish else name for finish, name in pairs)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node of the step once, in order; the last is stored."""
        nodes = (*self.prologues, self.node, self.finish, self.pool)
        return tuple({node.name: node for node in nodes if node is not None}.values())

    @property
    def finishes(self) -> tuple[Finish, ...]:
        """The shifts and requantisations of the step."""
        return tuple(node for node in self.nodes if isinstance(node, Finish))


@dataclass(frozen=True)
class Buffer:
    """A piece of the memory: `size` bytes, needed from one step to another, both included."""

    name: str
    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Plan:
    """The steps of a network, how each result is stored, and its place in memory."""

    network: IntegerNetwork
    steps: tuple[Step, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(_steps(self.network)))

    @cached_property
    def input_reader(self) -> Node | None:
        """The only node that reads the input, if there is only one."""
        readers = [step.node for step in self.steps if INPUT_NAME in step.sources]
        return readers[0] if len(readers) == 1 else None

    @cached_property
    def unfolded_for(self) -> Kernels | None:
        """The convolution for which a pixel of the input is what one row of its kernel reads.

        So a few channels fill groups; the pixels lie apart by its stride.
        """
        shape, node = self.network.shapes[INPUT_NAME], self.input_reader
        if not isinstance(node, Kernels) or node.dilation[1] != 1:
            return None
        sums_all_channels = isinstance(node, Convolution) or shape[-1] == 1
        return node if sums_all_channels and shape[-1] % GROUPS["u8"] else None

    @cached_property
    def input_shape(self) -> Shape:
        """Shape in which the input is stored: that in which its only reader takes it, if it can."""
        shape, node = self.network.shapes[INPUT_NAME], self.input_reader
        if isinstance(node, Reshape):
            return node.shape
        if isinstance(node, FullyConnected):
            return (math.prod(shape),)
        if self.unfolded_for:
            row = self.unfolded_for.weights.shape[2] * shape[2]
            return (shape[0], self.unfolded_for.windows.grid(shape)[1], row)
        return shape

    @cached_property
    def storage(self) -> Mapping[str, Storage]:
        """Storage of the input and of the result of every step."""
        reaches = self.network.reaches
        shapes = {**self.network.shapes, INPUT_NAME: self.input_shape}
        stored = {
            name: _storage(reaches[name], shapes[name])
            for name in (INPUT_NAME, *(step.result for step in self.steps))
        }
        for step in self.steps:
            if isinstance(step.pool, GlobalSumPool):
                stored[step.result] = _unshifted(reaches, shapes, step.result)
        output = self.network.output_name
        stored[output] = _unshifted(reaches, shapes, output)
        return stored

    @cached_property
    def aliases(self) -> Mapping[str, str]:
        """Reshapings whose result is the memory of another layer, and that layer."""
        aliases: dict[str, str] = {}
        for step in self.steps:
            source, result = step.sources[0], step.result
            is_reshaping = isinstance(step.node, Reshape) and result != self.network.output_name
            if is_reshaping and self.storage[source].holds_as(self.storage[result]):
                aliases[result] = aliases.get(source, source)
        return aliases

    def memory_of(self, name: str) -> str:
        """Return the stored layer whose memory holds the layer of that name."""
        return self.aliases.get(name, name)

    @cached_property
    def outsides(self) -> Mapping[str, Storage]:
        """What lies outside the maps of each storage kind and offset, as one pixel, by name."""
        found: dict[str, Storage] = {}
        for step in self.steps:
            if has_outside(self.network, step.node):
                storage = self.storage[step.sources[0]]
                name = outside_name(storage)
                size = max(storage.channels, found[name].channels if name in found else 0)
                found[name] = Storage(storage.kind, storage.offset, (size,))
        return found

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Byte offset of every buffer in the memory; see `memory_size`."""
        return _placed(list(self._buffers()))

    @property
    def by_place(self) -> list[tuple[str, int]]:
        """Every buffer with its place, the lowest first."""
        return sorted(self.places.items(), key=lambda item: item[1])

    @cached_property
    def memory_size(self) -> int:
        """Bytes of the memory."""
        sizes = {name: self.storage_of(name).size for name in self.places}
        return max(place + sizes[name] for name, place in self.places.items())

    def storage_of(self, buffer: str) -> Storage:
        """Return the storage of a layer, or of what lies outside a map."""
        return self.outsides.get(buffer) or self.storage[buffer]

    def _buffers(self) -> Iterator[Buffer]:
        made = {INPUT_NAME: -1} | {step.result: at for at, step in enumerate(self.steps)}
        read = dict(made)
        for at, step in enumerate(self.steps):
            for source in step.sources:
                read[self.memory_of(source)] = at
        read[self.network.output_name] = len(self.steps)
        for name, first in made.items():
            if name not in self.aliases:
                yield Buffer(name, self.storage[name].size, first, read[name])
        for name, outside in self.outsides.items():
            yield Buffer(name, outside.size, -1, len(self.steps))


def outside_name(storage: Storage) -> str:
    """Return the name, which no node has, of the buffer of what lies outside such maps."""
    return f"OUTSIDE_{storage.kind}_{storage.offset}"


def has_outside(network: IntegerNetwork, node: Node) -> bool:
    """Say whether kernels of a node reach beyond its input; pools leave out what lies there."""
    if not isinstance(node, Kernels):
        return False
    return any(map(any, node.windows.padding_of(network.shapes[node.input])))


def _steps(network: IntegerNetwork) -> Iterator[Step]:
    """Yield the steps in order; each node is in one."""
    readers: dict[str, list[Node]] = {}
    for node in network.nodes:
        for source in node.sources:
            readers.setdefault(source, []).append(node)

    def only_reader(name: str) -> Node | None:
        found = readers.get(name, [])
        return found[0] if len(found) == 1 else None

    taken: set[str] = set()
    prologues: dict[str, Finish] = {}
    for node in network.nodes:
        if node.name in taken:
            continue
        if isinstance(node, Finish) and isinstance(only_reader(node.name), Add):
            prologues[node.name] = node
            continue
        finish = node if isinstance(node, Finish) else None
        pool = node if isinstance(node, Pool) else None
        if not isinstance(node, Finish | Pool | Copy):
            reader = only_reader(node.name)
            finish = reader if isinstance(reader, Finish) else None
        if not isinstance(node, Pool | Copy):
            reader = only_reader((finish or node).name)
            pool = reader if isinstance(reader, Pool) else None
        taken |= {member.name for member in (finish, pool) if member}
        before = tuple(map(prologues.get, node.sources)) if isinstance(node, Add) else ()
        yield Step(node, finish, pool, before)


def _storage(reach: Pair, shape: Shape) -> Storage:
    low, high = reach
    if high - low <= _LARGEST_BYTE:
        return Storage("u8", -low if low < 0 else 0, shape)
    for bits in (16, 32):
        least, most = signed_limits(bits)
        if least <= low and high <= most:
            return Storage(f"s{bits}", 0, shape)
    return Storage("s64", 0, shape)


def _unshifted(reaches: Mapping[str, Pair], shapes: Mapping[str, Shape], name: str) -> Storage:
    """Return the storage of a layer in 32 bits, or in 64 if need be."""
    storage = _storage(reaches[name], shapes[name])
    return Storage("s64" if storage.kind == "s64" else "s32", 0, shapes[name])


def _placed(buffers: Sequence[Buffer]) -> dict[str, int]:
    """Place buffers so that no two needed at one time overlap: the largest first, each lowest."""
    places: dict[str, int] = {}
    placed: list[Buffer] = []
    for buffer in sorted(buffers, key=lambda each: -each.size):
        at = 0
        beside = [b for b in placed if b.first <= buffer.last and buffer.first <= b.last]
        for other in sorted(beside, key=lambda each: places[each.name]):
            if at + buffer.size <= places[other.name]:
                break
            at = max(at, places[other.name] + -(-other.size // _ALIGNMENT) * _ALIGNMENT)
        places[buffer.name] = at
        placed.append(buffer)
    return places

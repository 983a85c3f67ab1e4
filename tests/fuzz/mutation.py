"""A seeded mutator of our own: what the suite tries without a coverage-guided one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from tests.fuzz.target import Target, tokens


def inputs(target: Target, seed: int, count: int) -> Iterator[bytes]:
    """So many inputs of a target: each seed changed in one to six places. The same for the same seed."""
    rng, seeds, words = random.Random(f"{target.name} {seed}"), target.seeds(), list(tokens(target.dictionary))
    for _number in range(count):
        data = rng.choice(seeds)
        for _change in range(rng.randint(1, 6)):
            data = _changed(data, rng, seeds, words)
        yield data[: target.longest]


def _changed(data: bytes, rng: random.Random, seeds: Sequence[bytes], words: Sequence[bytes]) -> bytes:
    start = rng.randint(0, len(data))
    stop = min(len(data), start + int(rng.expovariate(0.2)))
    match rng.randrange(9):
        case 0:
            return data[:start] + bytes([rng.randrange(256)]) + data[start + 1 :]
        case 1:
            return data[:start] + data[stop:]
        case 2:
            return data[:stop] + data[start:stop] * rng.randint(1, 20) + data[stop:]
        case 3:
            other = rng.choice(seeds)
            return data[:start] + other[rng.randint(0, len(other)) :]
        case 4 | 5:
            return data[:start] + rng.choice(words) + data[start:]
        case 6:
            return data[:start] + rng.choice(words) + data[stop:]
        case _:
            return _lines_changed(data, rng)


def _lines_changed(data: bytes, rng: random.Random) -> bytes:
    """A line left out, doubled, or put elsewhere; in some, one field of it."""
    lines = data.split(b"\r")
    number = rng.randrange(len(lines))
    line = lines.pop(number)
    if rng.random() < 0.5:
        fields = line.split(b"|")
        place = rng.randrange(len(fields))
        fields[place] = rng.choice((b"", b'""', fields[place] * 2, rng.choice(fields)))
        lines.insert(number, b"|".join(fields))
    elif rng.random() < 0.7:
        for _time in range(rng.randint(1, 2)):
            lines.insert(rng.randint(0, len(lines)), line)
    return b"\r".join(lines)

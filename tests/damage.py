"""Damage to the bytes of files, for the tests that every reader has to pass."""

from __future__ import annotations

import random
from collections.abc import Callable


def flip_byte(rng: random.Random, data: bytes) -> bytes:
    if not data:
        return data
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]


def edit_lines(change: Callable[[random.Random, list[bytes], int], None]):
    """A mutation of a file's lines, given the place of one of them."""

    def mutate(rng: random.Random, data: bytes) -> bytes:
        lines = data.split(b"\n")
        change(rng, lines, rng.randrange(len(lines)))
        return b"\n".join(lines)

    mutate.__name__ = change.__name__
    return mutate


@edit_lines
def delete_line(rng: random.Random, lines: list[bytes], place: int) -> None:
    del lines[place]


@edit_lines
def duplicate_line(rng: random.Random, lines: list[bytes], place: int) -> None:
    lines.insert(rng.randrange(len(lines) + 1), lines[place])


@edit_lines
def truncate_line(rng: random.Random, lines: list[bytes], place: int) -> None:
    lines[place] = lines[place][: rng.randrange(len(lines[place]) + 1)]


@edit_lines
def join_lines(rng: random.Random, lines: list[bytes], place: int) -> None:
    lines[place : place + 2] = [b"".join(lines[place : place + 2])]


@edit_lines
def shuffle_lines(rng: random.Random, lines: list[bytes], place: int) -> None:
    rng.shuffle(lines)


def truncate_file(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def to_crlf(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def to_cr(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", b"\r")


def to_latin1(rng: random.Random, data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode("latin-1", "replace")


def to_utf16(rng: random.Random, data: bytes) -> bytes:
    return data.decode("utf-8", "replace").encode("utf-16")


def widen_spaces(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b" ", b"  ")


def empty(rng: random.Random, data: bytes) -> bytes:
    return b""

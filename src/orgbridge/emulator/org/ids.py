"""Record ids in blocks: the same ids as `wire.ids.make_id`, some thirty times faster for many in a row."""

from __future__ import annotations

from functools import lru_cache

from orgbridge.wire.ids import make_id

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
#: For each last digit, the bit it sets in the last character of the checksum.
_LAST = tuple((digit, 16 if "A" <= digit <= "Z" else 0) for digit in _DIGITS)


def make_ids(key_prefix: str, first: int, count: int) -> list[str]:
    """Return the ids of the `first`-th and the following `count - 1` records under a key prefix."""
    if count == 1:
        return [_following(key_prefix, first // 62)[first % 62]]
    ids: list[str] = []
    number, end = first, first + count
    while number < end:
        start, stop = number % 62, min(62, number % 62 + end - number)
        ids += _block(key_prefix, number // 62, start, stop)
        number += stop - start
    return ids


def _block(key_prefix: str, block: int, start: int = 0, stop: int = 62) -> list[str]:
    """Return ids that differ in the last digit only: they share fourteen characters and two of the checksum."""
    whole = make_id(key_prefix, block * 62)
    head = whole[:14]
    return [head + end for end in _ends(whole[15:])[start:stop]]


@lru_cache(maxsize=1_024)
def _ends(checksum: str) -> tuple[str, ...]:
    """Return the last digit and checksum of the ids of a block whose first has this checksum."""
    check, bits = checksum[:2], _CHECK.index(checksum[2])
    return tuple(f"{digit}{check}{_CHECK[bits | bit]}" for digit, bit in _LAST)


#: For ids that are taken one by one: the next ones are made along with the first.
_following = lru_cache(maxsize=256)(_block)

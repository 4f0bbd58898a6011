"""Codes of coupons, made in bulk: derived from a key, so that none is stored before it is claimed.

    A3F7QK-0000G2-XP5ZM1     batch (16 bits), number in it (24 bits), and 50 bits that nobody makes without the key

Written in Crockford's base 32, in any case and with or without dashes; O is read as 0, I and L as 1. Whether a code is genuine
is a matter of its form and needs no look at any state: HMAC-SHA-256 over program, batch and number, as an account number has
its check digits. Guessing one takes 2^50 tries for each number. Source of the alphabet: https://www.crockford.com/base32.html
"""

import hmac
from typing import NamedTuple

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
BATCHES_MAX = 2**16 - 1
NUMBERS_MAX = 2**24 - 1

PREFIX = "code:"
"""Begins the names of coupons that were claimed with a code."""

_NUMBER_BITS = 24
_NAMED_CHARACTERS = 8
_PROOF_BITS, _PROOF_CHARACTERS = 50, 10
_GROUP = 6
_LENGTH = _NAMED_CHARACTERS + _PROOF_CHARACTERS
_READ = {letter: value for value, letter in enumerate(ALPHABET)} | {"O": 0, "I": 1, "L": 1}


class Code(NamedTuple):
    """A code as its text says it: which batch of the program, which number of it, from 1."""

    batch: int
    number: int
    proof: int

    @property
    def text(self) -> str:
        """The one way in which a code is written."""
        letters = _letters(self.batch << _NUMBER_BITS | self.number, _NAMED_CHARACTERS)
        letters += _letters(self.proof, _PROOF_CHARACTERS)
        return "-".join(letters[start : start + _GROUP] for start in range(0, _LENGTH, _GROUP))


def make(key: bytes, program: str, batch: int, number: int) -> Code:
    """The code of a number of a batch."""
    return Code(batch, number, _proof(key, program, batch, number))


def read(text: str) -> Code | None:
    """What a text says, genuine or not; None where it is no code at all."""
    letters = text.replace("-", "").upper()
    if len(letters) != _LENGTH or any(letter not in _READ for letter in letters):
        return None
    named, proof = _value(letters[:_NAMED_CHARACTERS]), _value(letters[_NAMED_CHARACTERS:])
    return Code(named >> _NUMBER_BITS, named & NUMBERS_MAX, proof)


def is_genuine(key: bytes, program: str, code: Code) -> bool:
    """Whether a code was made with the key for the program; takes the same time whatever is wrong with it."""
    wanted = _proof(key, program, code.batch, code.number)
    return hmac.compare_digest(wanted.to_bytes(7), code.proof.to_bytes(7))


def _proof(key: bytes, program: str, batch: int, number: int) -> int:
    digest = hmac.digest(key, f"{program}/{batch}/{number}".encode(), "sha256")
    return int.from_bytes(digest[:7]) >> (56 - _PROOF_BITS)


def _letters(value: int, characters: int) -> str:
    return "".join(ALPHABET[value >> 5 * place & 31] for place in reversed(range(characters)))


def _value(letters: str) -> int:
    value = 0
    for letter in letters:
        value = value << 5 | _READ[letter]
    return value

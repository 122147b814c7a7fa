"""Mutated safetensors headers, and what the reference reader makes of them: test/fixtures/headers.json.

Needs the package safetensors (python3 -m pip install safetensors==0.8.0), which Debian does not have; therefore no part of
make_references.py.   python3 scripts/reference/make_headers.py
"""

import json
import random
import struct
from pathlib import Path

import safetensors

OUT = Path(__file__).parents[2] / "test/fixtures/headers.json"
BIG = [2**31, 2**32, 2**53 - 1, 2**53, 2**62, 2**63, 2**64 - 1, 2**64, 10**30]
random.seed(7)


def tensor(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


SOUND = [
    ({"a": tensor()}, 4),
    ({"a": tensor("F64", (2, 1), (0, 16)), "b": tensor("BF16", (3,), (16, 22))}, 22),
    ({"__metadata__": {"k": "v"}, "é": tensor("I8", (), (0, 1)), "z": tensor("F16", (0, 3), (1, 1))}, 1),
    ({"a": tensor("F4", (2, 3), (0, 3)), "b": tensor("F6_E2M3", (4,), (3, 6)), "c": tensor("C64", (1,), (6, 14))}, 14),
    ({}, 0),
]
SNIPPETS = [b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"0", b"-", b".", b"e5", b"null", b"true", b'"a"', b"\xff", b" ", b"\n",
            b"\x00", b"\\u0061", b"\\ud800", b"[]", b"{}", b"1e1", b"00", b'"x":1,', "é".encode(), b"\x7f", b"\xef\xbb\xbf"]


def mutated():
    header, size = random.choice(SOUND)
    data = bytearray(json.dumps(header, ensure_ascii=random.random() < 0.5, separators=random.choice([(",", ":"), (", ", ": ")])).encode())
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        at = random.randrange(len(data) + 1)
        kind = random.randrange(5)
        if kind == 0:
            data[at:at] = random.choice(SNIPPETS)
        elif kind == 1:
            del data[at : at + random.randint(1, 4)]
        elif kind == 2 and at < len(data):
            data[at] = random.randrange(256)
        elif kind == 3:
            piece = data[at : at + random.randint(1, 30)]
            data[at:at] = piece
        else:
            digits = [i for i, c in enumerate(data) if chr(c).isdigit()]
            if digits:
                i = random.choice(digits)
                data[i : i + 1] = str(random.choice(BIG + list(range(20)))).encode()
    return bytes(data), max(0, size + random.choice([0, 0, 0, 0, 1, -1]))


def shaped():
    """Shapes of large and empty dimensions in every order."""
    shape = [random.choice([0, 1, 2, 3, *BIG[:6]]) for _ in range(random.randint(1, 5))]
    product = 1
    for n in shape:
        product *= n
    size = product * 4 if product < 100 else 0
    return json.dumps({"a": tensor("F32", shape, (0, size))}).encode(), size


def verdict(header, size):
    try:
        read = safetensors.deserialize(struct.pack("<Q", len(header)) + header + bytes(size))
    except Exception:
        return None
    return {name: [info["dtype"], info["shape"]] for name, info in read}


def main():
    cases = {}
    while len(cases) < 800:
        header, size = mutated() if random.random() < 0.8 else shaped()
        found = verdict(header, size)
        if found is not None or random.random() < 0.1:  # most mutations are plainly wrong
            cases[header.decode("latin1"), size] = found
    rows = [json.dumps([header, size, found]) for (header, size), found in cases.items()]
    OUT.write_text("[\n" + ",\n".join(rows) + "\n]\n")
    print(f"{len(rows)} headers, {sum(found is not None for found in cases.values())} read by safetensors {safetensors.__version__}")


main()

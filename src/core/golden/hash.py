"""Golden keys of texts: python3 src/core/golden/hash.py > src/core/golden/hash.json

Two murmur3 lanes over 32-bit little-endian words, the second with murmur3_x86_128's constants, crossed at the end.
"""
import json

M = 0xFFFFFFFF


def rotl(x, r):
    return ((x << r) | (x >> (32 - r))) & M


def mix(h):
    h ^= h >> 16
    h = h * 0x85EBCA6B & M
    h ^= h >> 13
    h = h * 0xC2B2AE35 & M
    return h ^ (h >> 16)


def key(data):
    a = 0x9747B28C ^ len(data)
    b = 0x1B873593 ^ (len(data) * 0x9E3779B1 & M)
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little")
        a ^= rotl(k * 0xCC9E2D51 & M, 15) * 0x1B873593 & M
        a = (rotl(a, 13) * 5 + 0xE6546B64) & M
        b ^= rotl(k * 0x239B961B & M, 16) * 0xAB0E9789 & M
        b = (rotl(b, 19) * 5 + 0x561CCD1B) & M
    tail = int.from_bytes(data[whole:], "little")
    a = mix(a ^ (tail * 0xCC9E2D51 & M))
    b = mix(b ^ (tail * 0x38B34AE5 & M))
    a = (a + b) & M
    b = (b + a) & M
    return mix(b) << 32 | a


texts = ["", "a", "ad", "ads", "adId", "campaign-4711", "\ufeffmark", "Überraschung 🎉", "x" * 100]
print(json.dumps({text: str(key(text.encode())) for text in texts}, indent=1))

"""Is this the key? Keys and tokens are kept and compared as SHA-256 digests, in constant time.

A digest of a random key of 128 bits or more cannot be turned back, so it needs no salt; comparing digests of
equal length leaks nothing of the key's own length.
"""

import hashlib
import hmac


def digest(key: str) -> str:
    """Give the hexadecimal SHA-256 of a key: what is stored in its place."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def matches_digest(given: str, expected_digest: str) -> bool:
    """Tell whether `given` is the key with this digest, in constant time."""
    return hmac.compare_digest(digest(given), expected_digest)


def same_digest(given: str, expected: str) -> bool:
    """Tell whether two digests are the same, in constant time."""
    return hmac.compare_digest(given, expected)


def matches(given: str, expected: str) -> bool:
    """Tell whether two keys are the same, in constant time."""
    return matches_digest(given, digest(expected))


def from_authorization(header: str) -> str:
    """Read the key from an `Authorization` header: `Bearer KEY` or the bare key; "" when there is none.

    The platform's SDKs send the first form, many of its documentation's examples the second.
    """
    scheme, _, rest = header.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else header.strip()

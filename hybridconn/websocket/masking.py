"""
Masking by native code: the one thing that a WebSocket does to every byte
(RFC 6455 section 5.3).
"""

from __future__ import annotations

from typing import Final

from hybridconn.core.frames import Mask


def _find() -> tuple[Mask, bool]:
    try:
        from websockets.speedups import apply_mask
    except ImportError:  # no wheel and no compiler when it was installed
        from websockets.utils import apply_mask as slow

        return slow, False
    return apply_mask, True


_found = _find()

#: C{apply_mask(data, key)}: C{data} xor C{key}, repeated.
apply_mask: Final[Mask] = _found[0]

#: Whether that is native code; without it a byte costs some 50 times as much.
NATIVE: Final = _found[1]

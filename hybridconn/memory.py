"""
Giving freed memory back to the system, and looking for garbage less often.

The allocator keeps what a burst of traffic took, scattered between what is still
in use, and a process that once was busy stays large.  glibc can be asked to give
back whole pages of it, wherever they are.
"""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable


def _find_trim() -> Callable[[int], int] | None:
    try:
        trim = ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):  # another C library, or none
        return None
    trim.argtypes = [ctypes.c_size_t]
    return trim


_trim = _find_trim()


def give_back() -> bool:
    """
    Give freed pages back.  It takes about a millisecond for 100 MiB.

    @return: whether this is possible here.
    """
    if _trim is None:
        return False
    _trim(0)
    return True


#: Objects made, and not freed, between two looks of the garbage collector.
_BETWEEN_LOOKS = 5000


def settle() -> None:
    """
    Keep Python's garbage collector from looking at what start-up made, which lives
    as long as the process: some 100,000 objects, tens of milliseconds each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_BETWEEN_LOOKS, 20, 50)

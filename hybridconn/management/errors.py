"""What the management API says no with (management-api section 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import frozen

if TYPE_CHECKING:
    from hybridconn.management.tokens import Caller

#: Codes that say that this one may not.
REFUSED: Final = ("AuthenticationFailed", "AuthorizationFailed")


_T = TypeVar("_T")


@frozen
class ApiError(Exception):
    """
    An answer that is no success.

    @ivar status: 400 to 499, never one that clients would repeat by themselves; or
        503, which is not the caller's fault.
    @ivar code: for programs.
    @ivar message: for people: what, where and how to mend it.
    @ivar who: who called, if that was found out on the way to this.
    """

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()
    who: Caller | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


def bad_request(message: str, code: str = "BadRequest") -> ApiError:
    """A wrong name, value or body."""
    return ApiError(400, code, message)


def not_found(what: str) -> ApiError:
    """There is no such thing."""
    return ApiError(404, "ResourceNotFound", f"{what} was not found.")


def of_parent(find: Callable[[], _T]) -> _T:
    """
    Find what something is in.

    @raise ApiError: 404, there is no such thing; the code says that it is the parent
        that is missing.
    """
    try:
        return find()
    except ApiError as error:
        if error.status != 404:
            raise
        raise ApiError(404, "ParentResourceNotFound", error.message) from None


def conflict(message: str, code: str = "Conflict") -> ApiError:
    """It contradicts what is there."""
    return ApiError(409, code, message)


def quota(message: str) -> ApiError:
    """A limit of section 6."""
    return ApiError(403, "QuotaExceeded", message)


def unauthenticated(message: str) -> ApiError:
    """
    Nobody knows who calls.

    C{WWW-Authenticate} says no more than it must: with C{error} in it, Azure's
    clients would call again (section 2).
    """
    return ApiError(
        401, "AuthenticationFailed", message, (("WWW-Authenticate", "Bearer"),)
    )


def forbidden(message: str, who: Caller | None = None) -> ApiError:
    """It is known who calls, and that he may not."""
    return ApiError(403, "AuthorizationFailed", message, who=who)


def unavailable(message: str) -> ApiError:
    """The store cannot be changed now."""
    return ApiError(503, "ServiceUnavailable", message, (("Retry-After", "5"),))

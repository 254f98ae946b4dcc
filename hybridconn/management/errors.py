"""What the management API says no with (management-api section 3)."""

from __future__ import annotations

from attrs import frozen


@frozen
class ApiError(Exception):
    """
    An answer that is no success.

    @ivar status: 400 to 499, never one that clients would repeat by themselves; or
        503, which is not the caller's fault.
    @ivar code: for programs.
    @ivar message: for people: what, where and how to mend it.
    """

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


def bad_request(message: str, code: str = "BadRequest") -> ApiError:
    """A wrong name, value or body."""
    return ApiError(400, code, message)


def not_found(what: str) -> ApiError:
    """There is no such thing."""
    return ApiError(404, "ResourceNotFound", f"{what} was not found.")


def parent_not_found(what: str) -> ApiError:
    """There is nothing that it could be in."""
    return ApiError(404, "ParentResourceNotFound", f"{what} was not found.")


def conflict(message: str, code: str = "Conflict") -> ApiError:
    """It contradicts what is there."""
    return ApiError(409, code, message)


def quota(message: str) -> ApiError:
    """A limit of section 6."""
    return ApiError(403, "QuotaExceeded", message)


def unavailable(message: str) -> ApiError:
    """The store cannot be changed now."""
    return ApiError(503, "ServiceUnavailable", message, (("Retry-After", "5"),))

"""
Every "no" of the relay: which status it has and what it says.  Take each name from
here; they are sorted by whose part in it is wrong.

::

    base        Refusal
                Later                      says when to come back
    asking      BadRequest 400             PathInvalid
                MethodNotAllowed 405, RequestTimedOut 408, TargetTooLong 414,
                MisdirectedRequest 421, VersionNotSupported 426, HeadersTooLarge 431
    rights      Unauthorized 401           TokenMissing TokenMalformed TokenInvalid
                                           TokenExpired AddressRefused
                Forbidden 403              WrongAudience ClaimMissing ListenerQuota
                                           RendezvousUnknown TLSTooOld
    beyond      NotFound 404               EndpointNotFound NoListeners
                                           ListenersExcluded AcceptTimedOut
                RejectionTaken 410
                NotImplementedHere 501     a listener's
                BadGateway 502             NobodyListens ListenerFailed
                GatewayTimeout 504         ResponseTimedOut RendezvousTimedOut
                                           TargetTimedOut
                Rejected 400 to 999        the listener's own words
    trouble     InternalError 500
                TooManyRequests 429        a Later, as are the next ones
                Unavailable 503            ConnectionQuota TooManyPending ShuttingDown
                                           EndedByOperator
    wording     describe()

Statuses and sentences are those of relay-protocol section 4.  L{describe} words
a refusal for the wire.
"""

from hybridconn.core.refusals.asking import (
    BadRequest,
    HeadersTooLarge,
    MethodNotAllowed,
    MisdirectedRequest,
    PathInvalid,
    RequestTimedOut,
    TargetTooLong,
    VersionNotSupported,
)
from hybridconn.core.refusals.base import Headers, Later, Refusal
from hybridconn.core.refusals.beyond import (
    MAX_DESCRIPTION,
    AcceptTimedOut,
    BadGateway,
    EndpointNotFound,
    GatewayTimeout,
    ListenerFailed,
    ListenersExcluded,
    NobodyListens,
    NoListeners,
    NotFound,
    NotImplementedHere,
    Rejected,
    RejectionTaken,
    RendezvousTimedOut,
    ResponseTimedOut,
    TargetTimedOut,
)
from hybridconn.core.refusals.rights import (
    AddressRefused,
    ClaimMissing,
    Forbidden,
    ListenerQuota,
    RendezvousUnknown,
    TLSTooOld,
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    Unauthorized,
    WrongAudience,
)
from hybridconn.core.refusals.trouble import (
    ConnectionQuota,
    EndedByOperator,
    InternalError,
    ShuttingDown,
    TooManyPending,
    TooManyRequests,
    Unavailable,
)
from hybridconn.core.refusals.wording import describe

__all__ = [
    "MAX_DESCRIPTION",
    "AcceptTimedOut",
    "AddressRefused",
    "BadGateway",
    "BadRequest",
    "ClaimMissing",
    "ConnectionQuota",
    "EndedByOperator",
    "EndpointNotFound",
    "Forbidden",
    "GatewayTimeout",
    "Headers",
    "HeadersTooLarge",
    "InternalError",
    "Later",
    "ListenerFailed",
    "ListenerQuota",
    "ListenersExcluded",
    "MethodNotAllowed",
    "MisdirectedRequest",
    "NoListeners",
    "NobodyListens",
    "NotFound",
    "NotImplementedHere",
    "PathInvalid",
    "Refusal",
    "Rejected",
    "RejectionTaken",
    "RendezvousTimedOut",
    "RendezvousUnknown",
    "RequestTimedOut",
    "ResponseTimedOut",
    "ShuttingDown",
    "TLSTooOld",
    "TargetTimedOut",
    "TargetTooLong",
    "TokenExpired",
    "TokenInvalid",
    "TokenMalformed",
    "TokenMissing",
    "TooManyPending",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "VersionNotSupported",
    "WrongAudience",
    "describe",
]

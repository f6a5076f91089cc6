"""Canonical status codes: how a call ended, in one word for gRPC, REST, metrics and errors."""

from enum import IntEnum

RETRY_AFTER = "grpc-retry-pushback-ms"
"""Metadata behind an error: when to try again; negative = never (gRPC's proposal A6, retry design)."""


class Code(IntEnum):
    """Canonical status codes, numbered as in gRPC; ``Code.NOT_FOUND.name`` is the word that metrics and JSON show."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16

"""Requests that cannot be met, as Kubernetes says it: a v1 Status with code, reason and message.

Scripts match some of the messages, so they are the API server's own (apimachinery/pkg/api/errors).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    415: "UnsupportedMediaType",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    501: "NotImplemented",
    503: "ServiceUnavailable",
    504: "Timeout",
}


class Failure(Exception):
    """The answer is a Status of this code. `reason` defaults to the code's own."""

    def __init__(self, code: int, message: str, reason: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason or REASONS.get(code, "Unknown")
        self.details = details or {}

    def status(self) -> dict[str, Any]:
        """The v1 Status."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code,
        }


def not_found(resource: str, name: str) -> Failure:
    """There is no object of that name."""
    return Failure(404, f'{resource} "{name}" not found', details={"name": name, "kind": resource})


def no_route() -> Failure:
    """Nothing is served at this path."""
    return Failure(404, "the server could not find the requested resource")


def not_allowed() -> Failure:
    """The path has no such method."""
    return Failure(405, "the server does not allow this method on the requested resource")


def internal(why: str) -> Failure:
    """It is understood, and could not be done."""
    return Failure(500, f"Internal error occurred: {why}", details={"causes": [{"message": why}]})


def bad_request(message: str) -> Failure:
    """The request makes no sense."""
    return Failure(400, message)


def forbidden(resource: str, name: str, why: str) -> Failure:
    """It is understood, and will not be done."""
    return Failure(403, f'{resource} "{name}" is forbidden: {why}', details={"name": name, "kind": resource})


def exists(resource: str, name: str) -> Failure:
    """Something of that name is there already."""
    details = {"name": name, "kind": resource}
    return Failure(409, f'{resource} "{name}" already exists', "AlreadyExists", details)


def conflict(resource: str, name: str, why: str) -> Failure:
    """The object is not what the client takes it for."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return Failure(409, message, details={"name": name, "kind": resource})


def unsupported(field: str, value: str, known: Iterable[str]) -> tuple[str, str, str]:
    """A problem for `invalid`: a word that is none of the known ones."""
    words = ", ".join(f'"{word}"' for word in known)
    return field, "FieldValueNotSupported", f'Unsupported value: "{value}": supported values: {words}'


def invalid(kind: str, name: str, *problems: tuple[str, str, str]) -> Failure:
    """The object would not be valid; each problem has a field, a reason such as FieldValueInvalid, and a message."""
    causes = [{"reason": reason, "message": message, "field": field} for field, reason, message in problems]
    told = [f"{field}: {message}" for field, _, message in problems]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    return Failure(422, f'{kind} "{name}" is invalid: {text}', details={"name": name, "kind": kind, "causes": causes})

"""Which instance of a container a request for logs means, and whether it still writes: read from the Pod object."""

from __future__ import annotations

from typing import Any

from initsup.errors import InitsupError


def attempt_of(pod: dict[str, Any], container: str, *, previous: bool) -> int:
    """Which instance's log is meant (pkg/kubelet/kubelet_pods.go, validateContainerLogStatus).

    `pod` is a v1 Pod. Raises InitsupError with kubelet's words when there is none.
    """
    status = _status(pod, container)
    what = f'container "{container}" in pod "{pod["metadata"]["name"]}"'
    if status is None:
        raise InitsupError(f"{what} is not available")
    state = status.get("state") or {}
    last = (status.get("lastState") or {}).get("terminated")
    if previous:
        if not last or not last.get("containerID"):
            raise InitsupError(f"previous terminated {what} not found")
        return _attempt(last)
    if "running" in state:
        return _attempt(status)
    ended = [one for one in (state.get("terminated"), last) if one is not None]
    for one in ended:
        if one.get("containerID"):
            return _attempt(one)
    if ended:
        raise InitsupError(f"{what} is terminated")
    reason = (state.get("waiting") or {}).get("reason")
    raise InitsupError(f"{what} is waiting to start" + (f": {reason}" if reason else " - no logs yet"))


def runs(pod: dict[str, Any], container: str, attempt: int) -> bool:
    """Whether this instance runs, so that its log may grow."""
    status = _status(pod, container) or {}
    return "running" in (status.get("state") or {}) and _attempt(status) == attempt


def _status(pod: dict[str, Any], container: str) -> dict[str, Any] | None:
    kinds = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")
    statuses = [one for kind in kinds for one in (pod.get("status") or {}).get(kind) or ()]
    return next((one for one in statuses if one["name"] == container), None)


def _attempt(owner: dict[str, Any]) -> int:
    return int(owner["containerID"].rpartition("/")[2])

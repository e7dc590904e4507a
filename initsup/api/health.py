"""/livez and /healthz: initsup answers. /readyz: the pod is Ready as well (apiserver/pkg/server/healthz)."""

from __future__ import annotations

from typing import Any

from initsup.api.exchange import Reply, Request, text
from initsup.engine import Engine


def answer(engine: Engine, request: Request) -> Reply:
    """`ok`, or 500 with what is not; with `?verbose` check by check."""
    path = request.path.strip("/")
    checks = _checks(engine) if path == "readyz" else {"ping": ""}
    excluded = request.query.get("exclude", ())
    bad = [name for name, problem in checks.items() if problem and name not in excluded]
    if not bad and "verbose" not in request.query:
        return text("ok")
    lines = [f"[{'-' if name in bad else '+'}]{name} {checks[name] or 'ok'}" for name in checks]
    lines.append(f"{path} check {'failed' if bad else 'passed'}")
    return text("\n".join(lines) + "\n", 500 if bad else 200)


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a v1 Pod is Ready."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _checks(engine: Engine) -> dict[str, str]:
    """Check → what is wrong, "" if nothing is."""
    status = engine.pod()["status"]
    found = {"ping": "", "journal": engine.journal.degraded}
    for member in (*engine.plan.inits, *engine.plan.mains):
        if member.kind != "init":
            found[f"container/{member.name}"] = "" if engine.facts.containers[member.name].ready else "not ready"
    found["pod"] = "" if is_ready({"status": status}) else f"not ready, it is {status['phase']}"
    return found

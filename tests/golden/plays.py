"""What the containers of each golden trace do, in the words of the simulated world."""

from __future__ import annotations

from typing import Any

import msgspec

from tests.sim import HookRun, Life, Script

NO_SUCH_FILE = 'exec: "/no/such/program": stat /no/such/program: no such file or directory'
NOT_IN_PATH = 'exec: "no-such-program": executable file not found in $PATH'
HOOK_FAILED = (
    'Exec lifecycle hook ([/bin/sh -c echo hook says; sleep 1; exit 7]) for Container "main" in Pod '
    "\"{}_default(POD-UID)\" failed - error: command '/bin/sh -c echo hook says; sleep 1; exit 7' exited with 7: , "
    'message: "hook says\\n"'
)
RUNS_AS_ROOT = 'container has runAsNonRoot and image will run as root (pod: "{}_default(POD-UID)", container: main)'
RUNNING = (("running", ()), (), 0, "ready started", (0, 0))
READY = ("True", "", "")


class Play(msgspec.Struct, frozen=True):
    """How a trace is played.

    `ask_at`: when to do what the trace asks for, where its own time does not fit, because initsup is faster. `missed`:
    what kubelet came too late to see, by what is compared (`main`, `Ready`, …), and `events` that its recorder dropped.
    `beat`: seconds of which the wall clock was at a multiple at the start, where the pod looks at that.
    """

    script: Script
    ask_at: float | None = None
    missed: dict[str, tuple[Any, ...]] = {}
    beat: float = 0.0


def cannot_start(text: str) -> Life:
    return Life(refuses=("RunContainerError", text))


def cannot_create(text: str) -> Life:
    return Life(refuses=("CreateContainerConfigError", text))


def after(seconds: float) -> Any:
    """A probe that succeeds from then on."""
    return lambda t: "success" if t >= seconds else "failure"


def until(seconds: float) -> Any:
    """A probe that succeeds until then."""
    return lambda t: "success" if t < seconds else "failure"


def failing_hook(pod: str) -> Life:
    return Life(on_stop=(0, 0), post_start=HookRun(takes=1, ok=False, message=HOOK_FAILED.format(pod)))


AT_ONCE = Life(lasts=0.1)
SECOND = Life(lasts=1)
TWO_SECONDS = Life(lasts=2)
FAILING = Life(lasts=0.1, code=1)


def unready(names: str) -> tuple[str, str, str]:
    """How a condition says that these are not ready."""
    return "False", "ContainersNotReady", f"containers with unready status: [{names}]"


PLAYS: dict[str, Play] = {
    "command_not_found_always": Play({"main": cannot_start(NO_SUCH_FILE)}),
    "command_not_found_never": Play({"main": cannot_start(NO_SUCH_FILE)}),
    "command_not_in_path": Play({"main": cannot_start(NOT_IN_PATH)}),
    "crashloop_deleted": Play({"main": FAILING}, ask_at=10.3),
    "crashloop_exit1": Play({"main": FAILING}),
    "crashloop_onfailure_then_ok": Play({"main": (FAILING, FAILING, AT_ONCE)}),
    "deadline": Play({"main": Life(on_stop=(1, 0))}),
    "delete_during_init": Play({"i1": Life(on_stop=(0.1, 4))}),
    "delete_running": Play({"main": Life(on_stop=(1, 0))}),
    "delete_stubborn": Play({"main": Life(on_stop=None)}),
    "env_expansion": Play({"main": AT_ONCE}),
    "init_fail_always": Play({"i1": Life(lasts=1, code=3)}),
    "init_fail_never": Play({"i1": Life(lasts=1, code=3)}),
    "init_ok_always": Play({"i1": SECOND, "i2": SECOND, "main": TWO_SECONDS}),
    "init_ok_onfailure": Play({"i1": SECOND, "i2": SECOND, "main": TWO_SECONDS}),
    "kubernetes_dollars": Play({"main": AT_ONCE}),
    "liveness_kill_always": Play(
        {"main": Life(on_stop=(1, 3), pre_stop=HookRun(takes=1), probes={"liveness": until(6)})}
    ),
    "missing_config_map_env": Play({"main": cannot_create('configmap "nope" not found')}),
    "oom": Play({"main": Life(lasts=0.5, code=137, oom=True)}),
    "pid_1_has_no_default_actions": Play({"main": Life(on_stop=None)}),
    "plain_failure": Play({"main": Life(lasts=2, code=7)}),
    "plain_success": Play({"main": TWO_SECONDS}),
    "poststart_fails_always": Play({"main": failing_hook("poststart-fails-always")}),
    "poststart_fails_never": Play({"main": failing_hook("poststart-fails-never")}),
    "prestop_longer_than_grace": Play({"main": Life(on_stop=(0, 0), pre_stop=HookRun(takes=20))}),
    "readiness_flapping": Play(
        {"main": Life(probes={"readiness": lambda t: "failure" if t // 4 % 2 else "success"})}, beat=8
    ),
    "restart_all_containers": Play(
        {
            "i1": SECOND,
            "s1": Life(on_stop=(0, 0)),
            "source": (Life(lasts=2, code=42), Life(lasts=4)),
            "other": Life(lasts=6, on_stop=(0, 0)),
        },
        missed={"events": (("Normal", "Killing", "Stopping container s1", "spec.initContainers{s1}"),)},
    ),
    "run_as_non_root_error": Play({"main": cannot_create(RUNS_AS_ROOT.format("run-as-non-root-error"))}),
    "sidecar_exit_code_ignored": Play({"s1": Life(on_stop=(0, 9)), "main": TWO_SECONDS}),
    "sidecar_order_deleted": Play(
        {"s1": Life(on_stop=(1, 0)), "s2": Life(on_stop=(1, 0)), "main": Life(on_stop=(2, 0))}
    ),
    "sidecar_startup_probe": Play(
        {"s1": Life(on_stop=(0, 0), probes={"startup": after(4)}), "i2": SECOND, "main": TWO_SECONDS}
    ),
    "startup_probe_then_ready": Play({"main": Life(on_stop=(0, 0), probes={"startup": after(4)})}),
    "termination_message": Play(
        {
            "file": Life(lasts=0.1, code=1, message="from the file\n"),
            "tail": Life(lasts=0.1, code=1, message="from the log\n"),
            "ok": AT_ONCE,
            "both": Life(lasts=0.5, code=1, message="file"),
        },
        missed=dict.fromkeys(("file", "tail", "ok"), (RUNNING,))
        | dict.fromkeys(("Ready", "ContainersReady"), (READY, unready("file"), unready("file tail"))),
    ),
    "two_containers_one_completes_always": Play({"a": SECOND, "b": Life(lasts=4, code=1)}),
    "two_containers_one_completes_never": Play({"a": SECOND, "b": Life(lasts=4, code=1)}),
}

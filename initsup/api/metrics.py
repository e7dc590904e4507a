"""/metrics: what kubelet would count, under kubelet's names, for one pod (pkg/kubelet/metrics, prober, kube-state)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector, CollectorRegistry

from initsup.api.exchange import Answer, Reply, Request
from initsup.api.usage import Usage, usage
from initsup.core.facts import Exited, Running, Stopping
from initsup.engine import Engine

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_CONTAINER = ("namespace", "pod", "container")


async def answer(engine: Engine, state_dir: str, request: Request) -> Answer:
    """All figures, as OpenMetrics or in Prometheus' older form, whichever is wanted."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Pod(engine, state_dir, (await usage(engine))[0]))
    encode, content_type = choose_encoder(request.header("accept"))
    return Reply(encode(registry), 200, content_type)


class _Pod(Collector):
    def __init__(self, engine: Engine, state_dir: str, used: dict[str, Usage]) -> None:
        self._engine = engine
        self._logs = f"{state_dir}/logs"
        self._used = used
        meta = engine.plan.pod.metadata
        self._labels = [meta.namespace or "default", meta.name]

    def collect(self) -> Iterator[Metric]:
        yield from self._pod()
        yield from self._containers()
        yield from self._probes()
        yield from self._resources()
        yield from self._self()

    def _pod(self) -> Iterator[Metric]:
        engine = self._engine
        status = engine.pod()["status"]
        phases = GaugeMetricFamily("kube_pod_status_phase", "The pod's phase.", labels=("namespace", "pod", "phase"))
        for phase in ("Pending", "Running", "Succeeded", "Failed", "Unknown"):
            phases.add_metric([*self._labels, phase], float(status["phase"] == phase))
        yield phases
        ready = GaugeMetricFamily("kube_pod_status_ready", "Whether the pod is Ready.", labels=("namespace", "pod"))
        truth = {one["type"]: one["status"] for one in status["conditions"]}
        ready.add_metric(self._labels, float(truth.get("Ready") == "True"))
        yield ready
        began = GaugeMetricFamily("kube_pod_start_time", "When the pod was begun.", labels=("namespace", "pod"))
        began.add_metric(self._labels, engine.wall(engine.facts.began_at))
        yield began

    def _containers(self) -> Iterator[Metric]:
        facts = self._engine.facts.containers
        restarts = self._counter("kube_pod_container_status_restarts", "How often the container was started again.")
        running = self._gauge("kube_pod_container_status_running", "Whether the container runs.")
        ready = self._gauge("kube_pod_container_status_ready", "Whether the container is ready.")
        back_off = self._gauge("initsup_container_backoff_seconds", "How long it still waits before it starts again.")
        latency = self._gauge("initsup_container_start_seconds", "From the pod's begin to the newest start.")
        last = self._gauge("kube_pod_container_status_last_terminated_exitcode", "How it ended the last time.")
        size = self._gauge("kubelet_container_log_filesystem_used_bytes", "What its logs take of the disk.")
        now = self._engine.now()
        for name, one in facts.items():
            labels = [*self._labels, name]
            restarts.add_metric(labels, max(one.attempt, 0))
            running.add_metric(labels, float(isinstance(one.state, Running | Stopping)))
            ready.add_metric(labels, float(one.ready))
            back_off.add_metric(labels, max(one.refused.until - now, 0.0) if one.refused is not None else 0.0)
            if isinstance(one.state, Running | Stopping):
                latency.add_metric(labels, one.state.since - self._engine.facts.began_at)
            end = one.state.exit if isinstance(one.state, Exited) else one.last
            if end is not None:
                last.add_metric(labels, end.code)
            size.add_metric(labels, self._log_bytes(name))
        yield from (restarts, running, ready, back_off, latency, last, size)

    def _probes(self) -> Iterator[Metric]:
        labels = ("probe_type", "result", "container", "pod", "namespace")
        total = CounterMetricFamily("prober_probe", "Attempts of probes, by result.", labels=labels)
        namespace, pod = self._labels
        for (container, probe, outcome), count in sorted(self._engine.probed.items()):
            result = {"success": "successful", "failure": "failed", "error": "unknown"}.get(outcome, outcome)
            total.add_metric([probe.capitalize(), result, container, pod, namespace], count)
        yield total

    def _resources(self) -> Iterator[Metric]:
        cpu = self._gauge("initsup_container_cpu_cores", "CPU used, as a mean since the last look.")
        memory = self._gauge("container_memory_working_set_bytes", "Memory used.")
        processes = self._gauge("container_processes", "Processes that live.")
        for name, one in self._used.items():
            cpu.add_metric([*self._labels, name], one.cpu)
            memory.add_metric([*self._labels, name], one.memory)
            processes.add_metric([*self._labels, name], len(self._engine.node.processes(name)))
        yield from (cpu, memory, processes)

    def _self(self) -> Iterator[Metric]:
        import psutil

        from initsup import __version__

        own = psutil.Process()
        times = own.cpu_times()
        yield InfoMetricFamily("initsup", "The supervisor.", value={"version": __version__})
        yield CounterMetricFamily("process_cpu_seconds", "CPU used by initsup itself.", value=times.user + times.system)
        yield GaugeMetricFamily("process_resident_memory_bytes", "Memory of initsup itself.", own.memory_info().rss)
        yield GaugeMetricFamily("process_open_fds", "Open descriptors of initsup itself.", own.num_fds())
        yield GaugeMetricFamily("process_start_time_seconds", "When initsup was started.", own.create_time())
        trouble = len(self._engine.trouble())
        yield GaugeMetricFamily("initsup_degraded", "How many things do not work as they should.", trouble)

    def _gauge(self, name: str, meaning: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(name, meaning, labels=_CONTAINER)

    def _counter(self, name: str, meaning: str) -> CounterMetricFamily:
        return CounterMetricFamily(name, meaning, labels=_CONTAINER)

    def _log_bytes(self, container: str) -> int:
        try:
            return sum(entry.stat().st_size for entry in os.scandir(f"{self._logs}/{container}"))
        except OSError:
            return 0

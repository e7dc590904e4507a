"""Probes and hooks: what is done to a container from outside, and when (core/v1 Probe, Lifecycle)."""

from .base import Base, Int32, Int64

Port = Int32 | str
"""A port number, or the name of one of the container's ports."""


class ExecAction(Base):
    """Run a command inside the container; exit code 0 is success."""

    command: tuple[str, ...] = ()


class HTTPHeader(Base):
    """One request header."""

    name: str = ""
    value: str = ""


class HTTPGetAction(Base):
    """GET a page; a status from 200 to 399 is success."""

    path: str = "/"
    port: Port = 0
    host: str = ""
    scheme: str = "HTTP"
    http_headers: tuple[HTTPHeader, ...] = ()


class TCPSocketAction(Base):
    """Open a TCP connection."""

    port: Port = 0
    host: str = ""


class GRPCAction(Base):
    """Ask the gRPC health service."""

    SHOWN = ("service",)

    port: Int32 = 0
    service: str = ""


class SleepAction(Base):
    """Wait; hooks only."""

    SHOWN = ("seconds",)

    seconds: Int64 = 0


class Probe(Base):
    """A check that is repeated. Exactly one of the four actions is set; all times are whole seconds."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    grpc: GRPCAction | None = None
    initial_delay_seconds: Int32 = 0
    period_seconds: Int32 = 10
    timeout_seconds: Int32 = 1
    success_threshold: Int32 = 1
    failure_threshold: Int32 = 3
    termination_grace_period_seconds: Int64 | None = None

    @property
    def action(self) -> ExecAction | HTTPGetAction | TCPSocketAction | GRPCAction | None:
        """The action that is set; None only before validation."""
        return self.exec or self.http_get or self.tcp_socket or self.grpc


class LifecycleHandler(Base):
    """A hook. Exactly one of the four actions is set."""

    exec: ExecAction | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    sleep: SleepAction | None = None

    @property
    def action(self) -> ExecAction | HTTPGetAction | TCPSocketAction | SleepAction | None:
        """The action that is set; None only before validation."""
        return self.exec or self.http_get or self.tcp_socket or self.sleep


class Lifecycle(Base):
    """What runs after a container's start and before its stop, and the signal that stops it."""

    post_start: LifecycleHandler | None = None
    pre_stop: LifecycleHandler | None = None
    stop_signal: str | None = None

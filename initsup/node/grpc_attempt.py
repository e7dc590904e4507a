"""grpc: one `grpc.health.v1.Health/Check` over plain HTTP/2 (pkg/probe/grpc, github.com/grpc/grpc health-checking.md).

The two messages have one field each, so they are written and read here; HTTP/2 itself is h2's, which is imported with
this module: import it when the first grpc probe runs.
"""

from __future__ import annotations

from urllib.parse import unquote

import anyio
import h2.config
import h2.connection
import h2.events
import h2.exceptions

from initsup.node.dial import DialError, Wire, dial
from initsup.node.go_text import join_host_port, quote
from initsup.spec.units import format_duration

_CONFIG = h2.config.H2Configuration(
    client_side=True, header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
)
_CODE_NAMES = (
    "OK", "Canceled", "Unknown", "InvalidArgument", "DeadlineExceeded", "NotFound", "AlreadyExists", "PermissionDenied",
    "ResourceExhausted", "FailedPrecondition", "Aborted", "OutOfRange", "Unimplemented", "Internal", "Unavailable",
    "DataLoss", "Unauthenticated",
)  # fmt: skip
_CODES = {str(number): name for number, name in enumerate(_CODE_NAMES)}
_STATUSES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_OF_HTTP = {"400": "Internal", "401": "Unauthenticated", "403": "PermissionDenied", "404": "Unimplemented",
            "429": "Unavailable", "502": "Unavailable", "503": "Unavailable", "504": "Unavailable"}  # fmt: skip
"""What an HTTP status means when a server does not speak gRPC (grpc doc/http-grpc-status-mapping.md)."""

_FIRST_PAUSE = 1.0
_PAUSE_FACTOR = 1.6
"""Pauses between attempts to connect, within the probe's time-out (grpc doc/connection-backoff.md, without jitter)."""

_MOST_DATA = 1024
"""Bytes kept of an answer; a health response has 7."""


class Unhealthy(Exception):
    """The probe failed; the message is kubelet's."""


async def check(host: str, port: int, service: str, timeout: float, agent: str) -> None:
    """Ask whether `service` is served; `timeout` is in seconds and covers everything. Raises Unhealthy.

    As kubelet's client does, one that cannot connect tries again until the time is over.
    """
    address = join_host_port(host, port)
    call = _Call(address, service, timeout, agent)
    with anyio.move_on_after(timeout):
        pause = _FIRST_PAUSE
        while not await call.attempt(host, port):
            await anyio.sleep(pause)
            pause *= _PAUSE_FACTOR
        return call.verdict()
    if call.connected:
        raise call.late()
    within = format_duration(timeout)
    raise Unhealthy(f"timeout: failed to connect service {quote(address)} within {within}: context deadline exceeded")


class _Call:
    """The health call. `connected` is true once the server has shown that it speaks HTTP/2."""

    def __init__(self, address: str, service: str, timeout: float, agent: str) -> None:
        self.connected = False
        self._timeout = timeout
        name = service.encode()
        message = b"\x0a" + _varint(len(name)) + name if name else b""
        self._body = b"\0" + len(message).to_bytes(4, "big") + message
        self._headers = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", address),
            ("content-type", "application/grpc"),
            ("user-agent", agent),
            ("te", "trailers"),
            ("grpc-timeout", f"{round(timeout * 1000)}m"),
        ]
        self._reset()

    def _reset(self) -> None:
        self._answer: dict[str, str] = {}
        self._data = b""
        self._done = False

    async def attempt(self, host: str, port: int) -> bool:
        """Connect and ask; False when the connection never came about. Raises Unhealthy when it broke."""
        self._reset()
        try:
            wire = Wire(await dial(host, port))
        except DialError:
            return False
        try:
            await self._ask(wire)
        except (ConnectionError, h2.exceptions.ProtocolError, UnicodeDecodeError) as error:
            if not self.connected:
                return False
            raise self._failed("Unavailable", f"error reading from server: {error}") from None
        finally:
            wire.close()
        return True

    async def _ask(self, wire: Wire) -> None:
        """Send everything at once, and read until the stream is over."""
        protocol = h2.connection.H2Connection(_CONFIG)
        protocol.initiate_connection()
        protocol.send_headers(1, self._headers)
        protocol.send_data(1, self._body, end_stream=True)
        await wire.send(protocol.data_to_send())
        while not self._done:
            data = await wire.receive()
            if not data:
                raise ConnectionError("EOF")
            for event in protocol.receive_data(data):
                self._take(protocol, event)
            await wire.send(protocol.data_to_send())

    def _take(self, protocol: h2.connection.H2Connection, event: h2.events.Event) -> None:
        match event:
            case h2.events.RemoteSettingsChanged():
                self.connected = True
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                self._answer.update((str(name), str(value)) for name, value in event.headers or ())
            case h2.events.DataReceived():
                self._data = (self._data + (event.data or b""))[:_MOST_DATA]
                protocol.acknowledge_received_data(event.flow_controlled_length or 0, 1)
            case h2.events.StreamEnded():
                self._done = True
            case h2.events.StreamReset():
                reset = f"stream terminated by RST_STREAM with error code: {event.error_code}"
                self._answer |= {"grpc-status": "14", "grpc-message": reset}
                self._done = True
            case h2.events.ConnectionTerminated() if not self._answer:
                raise ConnectionError("EOF")

    def verdict(self) -> None:
        """What the answer says. Raises Unhealthy unless it is SERVING."""
        code, message = self._status()
        if code == "Unimplemented":
            raise Unhealthy(
                f"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {message}"
            )
        if code == "DeadlineExceeded":
            raise self.late()
        if code != "OK":
            raise self._failed(code, message)
        status = _health(self._data)
        if status != "SERVING":
            raise Unhealthy(f"service unhealthy (responded with {quote(status)})")

    def _status(self) -> tuple[str, str]:
        """The gRPC code and message."""
        answer = self._answer
        http = answer.get(":status", "200")
        if (number := answer.get("grpc-status")) is not None:
            return _CODES.get(number, f"Code({number})"), unquote(answer.get("grpc-message", ""))
        if http != "200" or not answer.get("content-type", "").startswith("application/grpc"):
            text = f"unexpected HTTP status code received from server: {http}; "
            text += f"transport: received unexpected content-type {quote(answer.get('content-type', ''))}"
            return _OF_HTTP.get(http, "Unknown"), text
        return "Internal", "server closed the stream without sending trailers"

    def late(self) -> Unhealthy:
        """The failure of an answer that did not come in time."""
        return Unhealthy(f"timeout: health rpc did not complete within {format_duration(self._timeout)}")

    @staticmethod
    def _failed(code: str, message: str) -> Unhealthy:
        return Unhealthy(f"error: health rpc probe failed: rpc error: code = {code} desc = {message}")


def _varint(number: int) -> bytes:
    """Protocol buffers' base-128 number."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _health(data: bytes) -> str:
    """The status in a framed HealthCheckResponse: field 1, a varint; nothing at all means 0.

    Fields that a later version may add are not looked for: the health protocol has had one for a decade.
    """
    message = data[5 : 5 + int.from_bytes(data[1:5], "big")]
    number = message[1] if len(message) > 1 and message[0] == 0x08 else 0
    return _STATUSES[number] if number < len(_STATUSES) else str(number)

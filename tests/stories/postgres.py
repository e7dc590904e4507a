"""A real PostgreSQL server in a directory of its own."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from tests.stories.driver import need, until

DEBIAN = "usr/lib/postgresql/*/bin/"


def _unprivileged() -> list[str]:
    """How to run a program as a user that PostgreSQL accepts: it refuses root."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return [need("setpriv"), f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


class Postgres:
    """`address` is one of 127.0.0.0/8, the port is always 5432. Made at once, started when asked to."""

    def __init__(self, home: Path, address: str) -> None:
        self.address = address
        self.data = home / "data"
        self.server: subprocess.Popen[bytes] | None = None
        self.programs = {name: need(name, DEBIAN + name) for name in ("initdb", "postgres", "psql")}
        self.user = _unprivileged()
        home.mkdir(mode=0o777)
        home.chmod(0o777)
        options = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"]
        subprocess.run(
            [*self.user, self.programs["initdb"], *options, "-D", str(self.data)],
            check=True, stdin=subprocess.DEVNULL, capture_output=True, cwd=home,
        )  # fmt: skip

    def start(self) -> None:
        """Start the server; it may take a moment until it answers."""
        settings = {
            "listen_addresses": self.address,
            "unix_socket_directories": "",
            "fsync": "off",
            "track_commit_timestamp": "on",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.data.parent / "server.log").open("wb") as log:
            self.server = subprocess.Popen(
                [*self.user, self.programs["postgres"], "-D", str(self.data), *options],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.data.parent,
            )  # fmt: skip

    def sql(self, text: str) -> str:
        """Run a statement and return what it answers; waits until the server is there."""

        def attempt() -> subprocess.CompletedProcess[str] | None:
            options = ["-h", self.address, "-U", "postgres", "-AtqX", "-v", "ON_ERROR_STOP=1"]
            done = subprocess.run(
                [self.programs["psql"], *options, "-c", text], stdin=subprocess.DEVNULL, capture_output=True, text=True
            )
            return None if done.returncode == 2 else done  # 2: no connection

        done = until(attempt, "PostgreSQL answers", process=self.server)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def close(self) -> None:
        if self.server and self.server.poll() is None:
            self.server.terminate()
            self.server.wait(30)

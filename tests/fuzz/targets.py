"""What is fed, by name: everything that reads what a user, a client, a container or a crash may have written."""

from __future__ import annotations

from tests.fuzz import api, files, peers
from tests.fuzz.judge import Target

TARGETS: dict[str, Target] = {**files.TARGETS, **api.TARGETS, **peers.TARGETS}

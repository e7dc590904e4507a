"""One target in a process of its own, until its time is up."""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from tests.fuzz.judge import Judge
from tests.fuzz.mutate import mutated

REPORT = 256
"""Executions between two words to the parent, so that little is missed when the process is torn down."""


def hunt(name: str, seconds: float, seed: int, parent: Connection) -> None:
    """Send the parent what has come of it so far, as JSON, again and again; `seconds` are of CPU."""
    try:
        import atheris

        with atheris.instrument_imports(include=["initsup"]):
            from tests.fuzz.targets import TARGETS
    except ImportError:
        atheris = None
        from tests.fuzz.targets import TARGETS
    judge = Judge(TARGETS[name])

    def one(data: bytes) -> None:
        judge(data)
        if judge.executions % REPORT == 0 or time.process_time() >= seconds:
            told = {"executions": judge.executions, "cpu": time.process_time(), "findings": judge.findings}
            parent.send_bytes(json.dumps(told).encode())
        if time.process_time() >= seconds:
            parent.close()
            os._exit(0)  # nothing else gets past atheris

    if atheris is None:
        chance = random.Random(seed)
        while True:
            one(mutated(chance, judge.target.seeds))
    corpus = Path(tempfile.mkdtemp())
    for number, data in enumerate(judge.target.seeds):
        (corpus / str(number)).write_bytes(data)
    options = ("-max_len=40000", "-timeout=1000", "-rss_limit_mb=0", "-verbosity=0", f"-artifact_prefix={corpus}/")
    atheris.Setup(["fuzz", f"-seed={seed + 1}", *options, str(corpus)], one)
    atheris.Fuzz()

"""The stories about limits again, in a kernel that has cgroups of version 2 whatever this one has: user-mode Linux."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from initsup.node.hierarchies import find_hierarchies
from tests.stories import test_limits
from tests.stories.driver import SCALE, need

pytestmark = pytest.mark.real

GUEST = """\
#!/bin/sh
set -e
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir /run/tmp
for path in {paths}; do mkdir -p "/run/$path" && mount --bind "$path" "/run/$path"; done
mount --rbind /run/tmp /tmp
mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
cd {checkout}
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/run PYTHONPATH={checkout} PYTHONDONTWRITEBYTECODE=1
export INITSUP_TIMEOUT_SCALE=8
{python} -m pytest -q --color=no -p no:cacheprovider {stories} -k "{chosen}" && echo "all" passed
{python} -c "import ctypes; ctypes.CDLL(None).reboot({power_off})"
"""
"""Its first and only program. It has the file system of this machine, which it cannot write to."""

POWER_OFF = 0x4321FEDC
CHOSEN = "nested and (oom_kill or cannot_fork or values) or here and values"
"""What differs between the versions. Not the CPU: that kernel does not know when it does not run itself."""


def test_limits_hold_with_cgroups_of_version_2(home: Path) -> None:
    if any(one.version == 2 and "memory" in one.controllers for one in find_hierarchies()[0]):
        pytest.skip("this kernel has version 2 itself")
    if os.geteuid() != 0:
        pytest.skip("only root can read the whole file system")
    linux = need("linux.uml")
    checkout = Path(__file__).parents[2]
    inside = [str(path) for path in (checkout, Path(sys.prefix)) if path.is_relative_to("/tmp")]
    (home / "init").write_text(
        GUEST.format(
            checkout=checkout,
            chosen=CHOSEN,
            paths=" ".join(inside),
            power_off=POWER_OFF,
            python=sys.executable,
            stories=test_limits.__file__,
        )
    )
    (home / "init").chmod(0o755)
    machine = ["mem=1G", f"uml_dir={home}/uml", "con=null", "con0=null,fd:1", "quiet"]
    root = ["rootfstype=hostfs", "rootflags=/", "ro", f"init={home}/init"]
    done = subprocess.run([linux, *machine, *root], stdin=subprocess.DEVNULL, capture_output=True, timeout=900 * SCALE)
    said = done.stdout.decode(errors="replace")
    assert "all passed" in said, said[-8000:]
    assert "skipped" not in said, said[-2000:]

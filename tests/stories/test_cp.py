"""Files out of a container, which may be made by an enemy, also by a Python that does not know PEP 706."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from initsup.cli.cp import _harmless
from tests.node.image_world import Entry, device, directory, entry, hardlink, symlink
from tests.stories.driver import Story


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        pytest.param(entry("x"), None, id="a file"),
        pytest.param(directory("x/y"), None, id="a directory"),
        pytest.param(symlink("x/y", "z"), None, id="a link to beside it"),
        pytest.param(symlink("x/y", "../z"), None, id="a link to above, but inside"),
        pytest.param(entry("../x"), "leads outside", id="dots"),
        pytest.param(entry("/etc/x"), "leads outside", id="an absolute name"),
        pytest.param(symlink("x", "../z"), "leads outside", id="a link to outside"),
        pytest.param(symlink("x", "/etc"), "leads outside", id="a link to an absolute name"),
        pytest.param(hardlink("x", "../z"), "leads outside", id="a hard link to outside"),
        pytest.param(entry("out/x"), "leads outside", id="through a link that is there"),
        pytest.param(device("x", tarfile.CHRTYPE, 1, 3), "a special file", id="a device"),
        pytest.param(entry("x", kind=tarfile.FIFOTYPE), "a special file", id="a fifo"),
    ],
)
def test_what_leads_outside_is_refused(tmp_path: Path, given: Entry, problem: str | None) -> None:
    (tmp_path / "out").symlink_to("/usr")
    if problem is None:
        assert _harmless(given[0], str(tmp_path)).name == given[0].name
    else:
        with pytest.raises(OSError, match=problem):
            _harmless(given[0], str(tmp_path))


def test_nothing_is_setuid_or_somebody_elses(tmp_path: Path) -> None:
    member = _harmless(entry("x", mode=0o6777, uid=0, gid=0, uname="root", gname="root")[0], str(tmp_path))
    assert (member.mode, member.uname, member.gname) == (0o755, "", "")


@pytest.mark.real
def test_out_of_a_container_that_does_not_run(home: Path, run: Callable[..., Story]) -> None:
    (home / "pod.toml").write_text(
        '[[initContainers]]\nname = "first"\ncommand = ["sleep", "1000"]\n'
        '[[containers]]\nname = "main"\ncommand = ["true"]'
    )
    story = run(home / "pod.toml")
    story.until(lambda: story.container("first").get("state", {}).get("running"), "the first one runs")
    done = story.ask("cp", ":/etc/passwd", str(home / "copy"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == 'initsup: container "main" is not running'
    assert "Traceback" not in done.stderr
    story.signal()
    assert story.ended() == 0

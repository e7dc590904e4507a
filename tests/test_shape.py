"""The shape of the project: what stands at the top, that every example is valid, and that README.md says what is so."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from initsup.cli.main import load as load_verb
from initsup.load.read import load as read
from initsup.spec.settings import SupervisorConfiguration
from tests import fields

ROOT = Path(__file__).parent.parent
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*") if path.suffix in {".toml", ".yaml", ".json"})
# What a manifest leaves to its images is in a file of its own, so that the manifest stays fit for a cluster.
RUNNABLE = [path for path in CONFIGS if not path.name.endswith(".host.yaml")]
README = (ROOT / "README.md").read_text()


def files(config: Path) -> list[str]:
    """What is given to `initsup run` for one example: the file, and its host file where there is one."""
    host = config.with_suffix(".host.yaml")
    return [str(path) for path in (config, host) if path == config or (config.suffix == ".yaml" and host.exists())]


def initsup(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "initsup", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)


def test_the_top_level_holds_what_is_agreed_and_nothing_else() -> None:
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    top = {line.partition("/")[0] for line in listed.stdout.splitlines()}
    if listed.returncode:  # an unpacked archive, with what an installation has built
        top = {path.name for path in ROOT.iterdir() if path.suffix != ".egg-info"} - {"build", "dist"}
    assert {name for name in top if not name.startswith(".")} == {
        "LICENSE", "README.md", "configs", "initsup", "pyproject.toml", "systemd", "tests",
    }  # fmt: skip


@pytest.mark.real
@pytest.mark.parametrize("config", RUNNABLE, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_example_is_valid(config: Path) -> None:
    done = initsup("check", *files(config))
    assert done.returncode == 0, done.stderr


@pytest.mark.real
@pytest.mark.parametrize("config", [path for path in RUNNABLE if path.suffix == ".yaml"], ids=lambda path: path.stem)
def test_both_forms_of_an_example_say_the_same(config: Path) -> None:
    kubernetes = initsup("convert", *files(config), "-o", "yaml")
    ours = initsup("convert", str(config.with_suffix(".toml")), "-o", "yaml")
    assert kubernetes.returncode == 0, kubernetes.stderr
    assert ours.stdout == kubernetes.stdout


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", sorted((ROOT / "systemd").iterdir()), ids=lambda path: path.name)
def test_units_are_valid(unit: Path, tmp_path: Path) -> None:
    """systemd-analyze wants the program to exist, so it gets one that does."""
    text, count = re.subn(r"^ExecStart=initsup ", f"ExecStart={shutil.which('true')} ", unit.read_text(), flags=re.M)
    assert count == 1
    (tmp_path / unit.name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(tmp_path / unit.name)], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["run", "test"])
def test_readme_marks_its_two_commands(name: str) -> None:
    command = re.search(rf"^<!-- command: {name} -->\n+```sh\n(.+)\n```$", README, flags=re.M)
    assert command
    assert command[1].startswith("python3 -m venv .venv && .venv/bin/pip install ")


IMPORTED_BEFORE_THE_FIRST_CONTAINER = {
    # the interpreter, and what msgspec cannot do without
    "abc", "codecs", "collections", "contextlib", "copyreg", "datetime", "decimal", "encodings", "enum", "functools",
    "genericpath", "importlib", "io", "itertools", "keyword", "math", "msgspec", "numbers", "operator", "os",
    "posixpath", "re", "reprlib", "site", "stat", "textwrap", "types", "typing", "uuid", "warnings", "zipimport",
    # ours, and what we need of the standard library
    "ctypes", "errno", "fcntl", "gc", "initsup", "resource", "select", "signal", "struct", "time",
}  # fmt: skip

STARTS = """
import os, sys
spawn = os.posix_spawn
def noting(path, argv, *rest, **more):
    if argv[0] == "/bin/true":
        print("\\n".join(sys.modules), file=sys.stderr)
    return spawn(path, argv, *rest, **more)
os.posix_spawn = noting
from initsup.cli.main import main
sys.exit(main())
"""


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's containers are started by this very process")
def test_the_first_container_starts_before_anything_is_imported_that_it_does_not_need(tmp_path: Path) -> None:
    containers = [{"name": "main", "command": ["/bin/true"]}]
    spec = {"restartPolicy": "Never", "containers": containers}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
    (tmp_path / "pod.json").write_text(json.dumps(pod))
    (tmp_path / "starts.py").write_text(f"import sys; sys.path[:0] = {sys.path!r}\n{STARTS}")
    command = [sys.executable, "-I", "-S", str(tmp_path / "starts.py")]
    arguments = ["run", str(tmp_path / "pod.json"), "--state-dir", str(tmp_path / "state")]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    names = {line.partition(".")[0] for line in done.stderr.splitlines() if not line.startswith("initsup:")}
    assert "msgspec" in names
    assert {name for name in names if not name.startswith("_")} <= IMPORTED_BEFORE_THE_FIRST_CONTAINER | {
        *sys.builtin_module_names
    }


def test_readme_names_only_files_that_exist() -> None:
    named = {
        match.rstrip("/.") for match in re.findall(r"(?<![\w/])(?:configs|systemd|initsup|tests)/[\w./@-]*", README)
    }
    missing = {name for name in named if not (ROOT / name).exists()}
    assert not missing


def blocks(language: str) -> list[str]:
    """The code blocks of README.md in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.M | re.S)


@pytest.mark.parametrize(
    "line", [line for block in blocks("sh") for line in block.splitlines() if line[:7] == "initsup"]
)
def test_commands_of_readme_can_be_parsed(line: str) -> None:
    verb, *words = shlex.split(line, comments=True)[1:]
    parser, _ = load_verb(verb)
    assert vars(parser.parse(words)) == vars(parser.full().parse(words))


def test_readme_lists_every_setting_with_its_default() -> None:
    table = README[README.index("| setting |") :].partition("\n\n")[0]
    rows = dict(re.findall(r"^\| `([\w.]+)` \| (.*?) \|", table, flags=re.M))
    listed = {name.partition(".")[0] for name in rows}
    every = {field.encode_name for field in msgspec.structs.fields(SupervisorConfiguration)}
    assert every - listed == {"apiVersion", "kind", "metadata"}
    example = str(ROOT / "configs/minimal.toml")
    overrides = [f"{name}={default.strip('`')}" for name, default in rows.items() if default.startswith("`")]
    assert len(overrides) == len(rows) - 4  # images, imageCache, listen and inheritEnv are empty
    assert read([example], overrides).settings == read([example]).settings


@pytest.mark.parametrize("number", range(len(blocks("toml"))))
def test_toml_in_readme_is_a_valid_pod(number: int, tmp_path: Path) -> None:
    (tmp_path / "pod.toml").write_text(blocks("toml")[number])
    read([str(tmp_path / "pod.toml")])


def test_the_table_of_fields_is_up_to_date() -> None:
    found = fields.MARKS.search(README)
    assert found
    assert found[0].strip() == fields.text().strip(), "run python -m tests.fields"


def test_yaml_in_readme_is_valid(tmp_path: Path) -> None:
    (document,) = blocks("yaml")
    (tmp_path / "host.yaml").write_text(document)
    assert read([str(ROOT / "configs/content.yaml"), str(tmp_path / "host.yaml")]).settings.images["nginx"].command


def test_the_wheel_has_all_that_is_loaded_at_run_time(tmp_path: Path) -> None:
    """As installed from one: unpacked, and away from the checkout."""
    for name in ("initsup", "pyproject.toml", "README.md", "LICENSE"):
        source, copy = ROOT / name, tmp_path / "source" / name
        if source.is_dir():
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(tmp_path), "."]
    built = subprocess.run(build, cwd=tmp_path / "source", capture_output=True, text=True, timeout=300)
    if "setuptools" in built.stderr and "No matching distribution" in built.stderr:
        pytest.skip("setuptools is not to be had here")
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    shutil.unpack_archive(wheel, tmp_path / "site", "zip")
    load = "import sys; sys.path.insert(0, sys.argv[1]); from initsup.api import dashboard; " \
        "print(dashboard.__file__, dashboard.page().code)"  # fmt: skip
    used = subprocess.run([sys.executable, "-c", load, str(tmp_path / "site")], cwd="/", capture_output=True, text=True)
    assert used.stdout.split() == [str(tmp_path / "site/initsup/api/dashboard.py"), "200"], used.stderr
    data = {path.relative_to(ROOT) for path in (ROOT / "initsup").rglob("*") if path.suffix in {".html", ".css", ".js"}}
    assert data == {Path("initsup/api/web") / path.name for path in (tmp_path / "site/initsup/api/web").iterdir()}


@pytest.mark.skipif(not os.access(ROOT / ".ci", os.R_OK), reason="no .ci directory")
def test_ci_runs_the_commands_of_readme() -> None:
    script = (ROOT / ".ci/run").read_text()
    assert "$(readme run)" in script
    assert "$(readme test)" in script
    assert os.access(ROOT / ".ci/run", os.X_OK)

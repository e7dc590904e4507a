"""The second story: git fetches a site into a volume, and a real nginx serves it."""

from __future__ import annotations

import os
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.stories.driver import Story, need, private

MANIFEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: content
spec:
  initContainers:
    - name: fetch-content
      image: alpine/git
      command: ['git', 'clone', 'https://github.com/example/content.git', '/content']
      volumeMounts:
        - name: content-volume
          mountPath: /content
  containers:
    - name: web
      image: nginx
      volumeMounts:
        - name: content-volume
          mountPath: /usr/share/nginx/html
  volumes:
    - name: content-volume
      emptyDir: {}
"""

NGINX = """\
daemon off;
{user}
worker_processes 1;
pid {home}/nginx.pid;
error_log stderr;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {home}/body; proxy_temp_path {home}/proxy; fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi; scgi_temp_path {home}/scgi;
    server {{ listen 127.0.0.1:{port}; root /usr/share/nginx/html; }}
}}
"""

HOST = """\
apiVersion: initsup.dev/v1alpha1
kind: SupervisorConfiguration
inheritEnv: [GIT_CONFIG_COUNT, GIT_CONFIG_KEY_0, GIT_CONFIG_VALUE_0]
images:
  nginx: {{command: [{nginx}, -c, {home}/nginx.conf]}}
"""

HTML = Path("/usr/share/nginx/html")
PAGE = "<h1>from the repository</h1>\n"

pytestmark = pytest.mark.real


def git(place: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=story", "-c", "user.email=story@example.com"]
    subprocess.run([need("git"), "-C", str(place), *identity, *arguments], check=True, capture_output=True)


def repository(home: Path) -> Path:
    """A directory that holds content.git, a repository with one page."""
    work = home / "work"
    work.mkdir()
    git(work, "init", "--quiet", "--initial-branch=main")
    (work / "index.html").write_text(PAGE)
    git(work, "add", "index.html")
    git(work, "commit", "--quiet", "--message=A page")
    git(home, "clone", "--quiet", "--bare", "work", "remote/content.git")
    return home / "remote"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def page(port: int) -> str | None:
    """What nginx serves, None as long as it does not."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return None


def tree(place: Path) -> dict[str, bytes]:
    """Every file below a directory."""
    return {str(path): path.read_bytes() for path in sorted(place.rglob("*")) if path.is_file()}


def test_the_manifest_is_the_one_in_configs(checkout: Path) -> None:
    assert yaml.safe_load((checkout / "configs/content.yaml").read_text()) == yaml.safe_load(MANIFEST)


def test_nginx_serves_what_git_fetched(home: Path, run: Callable[..., Story]) -> None:
    nginx, _ = need("nginx"), private("--mount")
    before, mounts = tree(HTML), Path("/proc/self/mountinfo").read_text()
    had_content = Path("/content").exists()
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(NGINX.format(home=home, port=port, user=user))
    (home / "pod.yaml").write_text(MANIFEST)
    (home / "host.yaml").write_text(HOST.format(nginx=nginx, home=home))
    env = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository(home)}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/example/",
    }

    story = run(home / "pod.yaml", home / "host.yaml", env=env)
    story.until_ready()
    assert story.until(lambda: page(port), "nginx answers") == PAGE
    assert tree(HTML) == before
    assert Path("/proc/self/mountinfo").read_text() == mounts

    story.signal()
    assert story.ended() == 0
    assert page(port) is None
    assert tree(HTML) == before
    assert Path("/content").exists() == had_content
    assert not story.strays()

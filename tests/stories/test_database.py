"""The first story: wait for a real PostgreSQL, migrate it with real SQL, then start the app."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stories.driver import Story, need, private
from tests.stories.postgres import Postgres

MANIFEST = """\
apiVersion: v1
kind: Pod
metadata:
  name: app
spec:
  initContainers:
    - name: wait-for-db
      image: busybox
      command: ['sh', '-c', 'until nc -z db-service 5432; do sleep 2; done']
    - name: run-migrations
      image: myapp-migrator:1.0
      command: ['./migrate.sh']
  containers:
    - name: app
      image: myapp:1.0
"""

HOST = """\
apiVersion: initsup.dev/v1alpha1
kind: SupervisorConfiguration
images:
  myapp:1.0: {command: [./app.sh]}
"""

# The commit comes a second after the table, so that an app which does not wait for it fails.
MIGRATION = """
BEGIN;
{before}
CREATE TABLE greeting (text text);
INSERT INTO greeting VALUES ('hello from the migration');
SELECT pg_sleep(1);
COMMIT;
"""

pytestmark = pytest.mark.real


@pytest.fixture
def database(home: Path) -> Iterator[Postgres]:
    """A PostgreSQL that is not running yet, at an address of its own, so that port 5432 is free."""
    need("nc")
    server = Postgres(home / "pg", f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.{random.randint(2, 254)}")
    yield server
    server.close()


class Deployment:
    """The manifest with everything that its images would hold: scripts in the directory where initsup is started."""

    def __init__(self, home: Path, run: Callable[..., Story], database: Postgres) -> None:
        self.run, self.database = run, database
        self.place = home / "app"
        self.place.mkdir()
        self.hosts = home / "hosts"
        self.hosts.write_text(Path("/etc/hosts").read_text() + f"\n{database.address} db-service\n")
        psql = f"{database.programs['psql']} -h db-service -U postgres -AtqX -v ON_ERROR_STOP=1"
        self.script("migrate.sh", f"exec {psql} -f migration.sql")
        self.script(
            "app.sh",
            f"""
            date +%s.%N >> starts
            {psql} -c 'SELECT text FROM greeting' || exit
            exec sleep 1000
            """,
        )
        (self.place / "pod.yaml").write_text(MANIFEST)
        (self.place / "host.yaml").write_text(HOST)

    def script(self, name: str, text: str) -> None:
        path = self.place / name
        path.write_text("#!/bin/sh\n" + textwrap.dedent(text))
        path.chmod(0o755)

    def start(self, migration: str, *options: str) -> Story:
        """Start initsup where `db-service` is known: in a mount namespace with another /etc/hosts."""
        (self.place / "migration.sql").write_text(migration)
        bind = f'mount --bind {self.hosts} /etc/hosts && exec "$@"'
        wrapper = [*private("--mount"), "sh", "-c", bind, "sh"]
        return self.run("pod.yaml", "host.yaml", options=options, wrapper=wrapper, cwd=self.place)

    def starts(self) -> list[float]:
        """When the app was started, in seconds since 1970."""
        path = self.place / "starts"
        return [float(line) for line in path.read_text().split()] if path.exists() else []

    def committed(self) -> float:
        """When the migration was committed, by the clock of PostgreSQL, which is this machine's."""
        return float(self.database.sql("SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin)) FROM greeting"))


@pytest.fixture
def deployment(home: Path, run: Callable[..., Story], database: Postgres) -> Deployment:
    return Deployment(home, run, database)


def when(status: dict[str, Any], moment: str) -> datetime:
    """A time in the state of a container."""
    (state,) = status["state"].values()
    return datetime.fromisoformat(state[moment])


def test_the_manifest_is_the_one_in_configs(checkout: Path) -> None:
    assert yaml.safe_load((checkout / "configs/database.yaml").read_text()) == yaml.safe_load(MANIFEST)


def test_the_app_starts_after_the_commit(deployment: Deployment) -> None:
    story = deployment.start(MIGRATION.format(before=""))
    story.until_status("Init:0/2")
    story.until(lambda: "sleep" in story.programs(), "wait-for-db has looked for the database in vain")

    deployment.database.start()
    story.until_status("Init:1/2")
    story.until_ready()

    story.until(lambda: story.logs("app") == "hello from the migration\n", "the app has read what was migrated")
    assert deployment.committed() <= deployment.starts()[0]
    assert len(deployment.starts()) == 1
    waited, migrated, app = (story.container(name) for name in ("wait-for-db", "run-migrations", "app"))
    assert [one["restartCount"] for one in (waited, migrated, app)] == [0, 0, 0]
    assert [one["state"]["terminated"]["reason"] for one in (waited, migrated)] == ["Completed", "Completed"]
    assert when(waited, "finishedAt") <= when(migrated, "startedAt")
    assert when(migrated, "finishedAt") <= when(app, "startedAt")

    story.signal()
    assert story.ended() == 0


def test_a_failing_migration_is_tried_until_it_succeeds(deployment: Deployment) -> None:
    deployment.database.start()
    deployment.database.sql("SELECT 1")
    back_off = [f"--set=crashLoopBackOff.{period}=4s" for period in ("initialPeriod", "maxPeriod")]
    story = deployment.start(MIGRATION.format(before="ALTER TABLE customer ADD COLUMN email text;"), *back_off)
    story.watch()
    story.until(lambda: "Init:CrashLoopBackOff" in story.seen(), "the migration waits in its back-off")
    assert story.seen()[story.seen().index("Init:CrashLoopBackOff") - 1] == "Init:Error"
    assert 'relation "customer" does not exist' in story.logs("run-migrations")
    assert deployment.starts() == []

    deployment.database.sql("CREATE TABLE customer (name text)")
    story.until_ready()

    migrated = story.container("run-migrations")
    assert migrated["restartCount"] >= 1
    assert migrated["lastState"]["terminated"]["exitCode"] == 3  # psql: an error in a script
    assert migrated["state"]["terminated"]["exitCode"] == 0
    assert story.container("wait-for-db")["restartCount"] == 0
    assert deployment.committed() <= deployment.starts()[0]
    assert len(deployment.starts()) == 1

    story.signal()
    assert story.ended() == 0

"""The images that containers are made of: the settings' `images`, those with an `archive` unpacked when first needed.

Unpacking takes its time, so a child does it, and whoever needs the image is called when that is over. An archive is
looked at again at each start: if it has changed it is another image, while what runs keeps what it has.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec

from initsup.node.failures import CannotCreate, SpawnError
from initsup.spec.settings import ImageMapping, SupervisorConfiguration, split_archive

if TYPE_CHECKING:
    from initsup.node.processes import Process

    Then = Callable[[], None]
    Run = Callable[[tuple[str, ...], dict[str, str], tuple[int, ...], Callable[[int], None]], Process]
    """Runs a command with an environment and descriptors 0, 1, 2; calls with its exit code. Raises SpawnError."""


class _Job:
    """A process that unpacks, the descriptor of what it says, and who waits for it."""

    __slots__ = ("is_cancelled", "process", "said", "waiting")

    def __init__(self, process: Process, said: int) -> None:
        self.process = process
        self.said = said
        self.waiting: list[Then] = []
        self.is_cancelled = False


class Images:
    """The images of one pod. `run` starts processes; `say` is told what an image has lost on its way."""

    def __init__(self, settings: SupervisorConfiguration, run: Run, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._run = run
        self._say = say
        self._jobs: dict[str, _Job] = {}
        self._there: dict[str, ImageMapping] = {}
        """By archive, what the image in it says itself."""
        self._failed: dict[str, str] = {}

    @property
    def any_archive(self) -> bool:
        """Whether there is any image that may have to be unpacked."""
        return any(mapping.archive for mapping in self._settings.images.values())

    def handed_over(self) -> dict[str, ImageMapping]:
        """What a successor needs to know: what has been unpacked. What is being unpacked begins anew there."""
        return self._there

    def resume(self, kept: dict[str, ImageMapping]) -> None:
        """Go on with what was handed over."""
        self._there = dict(kept)

    def take_over(self, settings: SupervisorConfiguration) -> None:
        """Use changed settings from now on."""
        self._settings = settings

    def mapping(self, image: str) -> ImageMapping | None:
        """What is known about an image, of its own and from the settings; None: nothing.

        `rootfs` is set for one with an archive. Raises CannotCreate when it could not be unpacked.
        """
        found = self._settings.mapping(image)
        if found is None or not found.archive:
            return found
        if found.archive in self._failed:
            raise CannotCreate("CreateContainerError", self._failed[found.archive])
        if (own := self._there.get(found.archive)) is None:
            raise CannotCreate("CreateContainerError", f'the image "{image}" has not been unpacked')
        from initsup.node.image_config import merged

        return merged(found, own)

    def wait_for(self, images: Iterable[str], then: Then) -> bool:
        """Have these images unpacked. Whether that takes time; `then` is called from `run` when it is over.

        It is over also when it has failed; `mapping` tells.
        """
        archives = {found.archive for image in images if (found := self._settings.mapping(image)) is not None}
        missing = sorted(archive for archive in archives if archive and not self._is_there(archive))
        begun = [archive for archive in missing if self._begin(archive)]
        left = set(begun)
        for archive in begun:
            self._jobs[archive].waiting.append(_Part(left, archive, then))
        return bool(begun)

    def cancel(self) -> None:
        """Nobody needs them any more: end what is being unpacked. Who waits is called soon."""
        for job in list(self._jobs.values()):
            job.is_cancelled = True
            job.process.kill()

    def close(self) -> None:
        """End what is being unpacked, and call nobody."""
        for job in self._jobs.values():
            job.waiting.clear()
        self.cancel()

    def _is_there(self, archive: str) -> bool:
        """Whether it has been unpacked, now or in another run, and has not changed since."""
        from initsup.node.image_cache import Cache

        if archive in self._there and not os.path.exists(split_archive(archive)[0]):
            return True  # what has been unpacked does not need it any longer
        cache = Cache(self._directory())
        image = cache.recall(archive)
        place = cache.find(image) if image else None
        if place is None:
            return False
        try:
            self._take(archive, place)
        except (OSError, msgspec.DecodeError):
            return False
        return True

    def _take(self, archive: str, place: str) -> None:
        from initsup.node.image_config import of_image, parse

        with open(f"{place}/config.json", "rb") as file:
            self._there[archive] = of_image(parse(file.read()), f"{place}/rootfs")
        self._failed.pop(archive, None)

    def _directory(self) -> str:
        from initsup.node.image_cache import default_directory

        return self._settings.image_cache or default_directory()

    # -- the child ---------------------------------------------------------------------------------------------------

    def _begin(self, archive: str) -> bool:
        """Unpack it, if that is not done already. False: it has failed at once."""
        if archive in self._jobs:
            return True
        paths = [os.path.dirname(os.path.dirname(os.path.dirname(__file__))), os.environ.get("PYTHONPATH", "")]
        variables = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUTF8": "1"}
        arguments = (archive, self._directory(), str(self._settings.image_max_size))
        command = (sys.executable, "-P", "-m", "initsup.node.image_unpack", *arguments)
        said = os.memfd_create("initsup-image")
        null = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        try:
            process = self._run(command, variables, (null, said, said), lambda code: self._ended(archive, code))
        except SpawnError as problem:
            os.close(said)
            self._failed[archive] = f"cannot start to unpack the image: {problem.message}"
            return False
        finally:
            os.close(null)
        self._jobs[archive] = _Job(process, said)
        return True

    def _ended(self, archive: str, code: int) -> None:
        job = self._jobs.pop(archive)
        with open(job.said, "rb") as said:
            said.seek(0)
            lines = said.read().strip().splitlines()
        if job.is_cancelled:
            self._failed[archive] = "unpacking the image was given up, as the pod ends"
        else:
            self._learn(archive, lines[-1] if lines else b"", code)
        for then in job.waiting:
            then()

    def _learn(self, archive: str, said: bytes, code: int) -> None:
        from initsup.node.image_cache import Cache
        from initsup.node.image_config import Outcome

        try:
            outcome = msgspec.json.decode(said, type=Outcome)
            place = Cache(self._directory()).find(outcome.image) if outcome.image else None
            if place is not None:
                self._take(archive, place)
        except (OSError, msgspec.DecodeError):
            last = f": {said.decode(errors='replace')}" if said else ""
            self._failed[archive] = f"unpacking the image in {archive} ended with code {code}{last}"
            return
        if place is None:
            self._failed[archive] = outcome.error or "the image has been removed from the cache"
        for note in outcome.notes:
            self._say(f"image in {archive}: {note}")


class _Part:
    """Calls `then` when it is the last of its kind to be called."""

    def __init__(self, left: set[str], one: str, then: Then) -> None:
        self._left = left
        self._one = one
        self._then = then

    def __call__(self) -> None:
        self._left.discard(self._one)
        if not self._left:
            self._then()

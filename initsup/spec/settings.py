"""SupervisorConfiguration: everything that is not Kubernetes' own.

Names follow KubeletConfiguration where it has them. In files durations are Go's (`1m30s`) and sizes are quantities
(`64Mi`); here they are seconds and bytes. The two aliases tell the loader which fields these are.
"""

from typing import Annotated

import msgspec

from .base import Base, Int32, Int64
from .pod import ObjectMeta
from .units import whole_number

API_VERSION = "initsup.dev/v1alpha1"

Duration = Annotated[float, msgspec.Meta(extra={"unit": "duration"})]
"""Seconds; read from Go's notation or a plain number."""
Size = Annotated[int, msgspec.Meta(extra={"unit": "size"})]
"""Bytes; read from a quantity or a plain number."""


class CrashLoopBackOff(Base):
    """How long a container waits before it starts again: doubled each time, forgotten after 10 minutes of running."""

    initial_period: Duration = 10.0
    max_period: Duration = 300.0


class ImageMapping(Base):
    """What a container of this image runs on the host when its manifest does not say."""

    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: dict[str, str] = {}
    working_dir: str = ""
    user: Int64 | str | None = None
    rootfs: str = ""
    """A directory that is the container's root; it is not changed where overlayfs is to be had."""
    archive: str = ""
    """An image on disk: the directory of an OCI image layout, a tar file of one, or of `docker save`.

    An absolute path; `#NAME` after it says which of several images: its tag, or its whole name. Its Entrypoint, Cmd,
    Env, WorkingDir and User are the defaults of the fields above, and its files the root.
    """


class Console(Base):
    """What initsup writes on its own stdout: `auto`, `text`, `json`, `raw` or `none`."""

    format: str = "auto"


class Volumes(Base):
    """How volumes get to their mount paths: `mount` (private to the container), `link` (a symlink), `auto`."""

    mode: str = "auto"


class SupervisorConfiguration(Base):
    """The settings of one `initsup run`."""

    api_version: str = API_VERSION
    kind: str = "SupervisorConfiguration"
    metadata: ObjectMeta = ObjectMeta()
    crash_loop_back_off: CrashLoopBackOff = CrashLoopBackOff()
    container_log_max_size: Size = 10 * 2**20
    container_log_max_files: Int32 = 5
    images: dict[str, ImageMapping] = {}
    image_cache: str = ""
    """Where archives are unpacked to; as root /var/cache/initsup/images, else initsup/images in $XDG_CACHE_HOME."""
    image_max_size: Size = 8 * 2**30
    """Bytes that an image may have when it is unpacked."""
    pod_pids_limit: Int64 = -1
    """Processes and threads that all containers of the pod may have together; -1: no limit."""
    console: Console = Console()
    volumes: Volumes = Volumes()
    best_effort: bool = False
    """Run also where a promise of isolation or safety cannot be kept."""
    listen: str = ""
    """Where kubectl is let in on TCP as well, such as `127.0.0.1:6443`; port 0 is any. With TLS and a token."""
    inherit_env: tuple[str, ...] = ()
    """Names of variables that containers inherit from initsup's own environment."""

    def mapping(self, image: str) -> ImageMapping | None:
        """What a container of `image` runs on the host: the entry of that name, else of it without tag and digest."""
        if not image:
            return None
        found = self.images.get(image)
        if found is None:
            bare = image.partition("@")[0]
            head, slash, name = bare.rpartition("/")
            found = self.images.get(head + slash + name.partition(":")[0])
        return found


def split_archive(archive: str) -> tuple[str, str]:
    """The path and the name (empty: none) in an `ImageMapping.archive`."""
    path, mark, name = archive.rpartition("#")
    return (path, name) if mark else (archive, "")


def split_address(address: str) -> tuple[str, int] | None:
    """The host, an IP address without its brackets, and the port of a `listen`; None when it has not both."""
    host, _, port = address.rpartition(":")
    host, number = host.removeprefix("[").removesuffix("]"), whole_number(port)
    if not host or number is None or number > 65535:
        return None
    return "127.0.0.1" if host == "localhost" else host, number

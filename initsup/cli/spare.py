"""What the first container of `initsup run` does not wait for."""

from __future__ import annotations

import gc
import os
import sys
from types import ModuleType


def spare_imports() -> None:
    """Import msgspec without what it imports for nothing here. To be called before anything else imports it.

    From Python 3.11 on it needs no typing_extensions, which takes as long to import as all of msgspec's own. And what
    `uuid` asks `platform` for is what uname says, for which that module would compile its patterns.
    """
    gc.disable()  # nothing of what is made until the pod runs is garbage
    platform = ModuleType("platform")
    platform.system = lambda: os.uname().sysname  # type: ignore[attr-defined]
    stand_ins: dict[str, ModuleType | None] = {"typing_extensions": None, "platform": platform}
    stand_ins = {name: one for name, one in stand_ins.items() if name not in sys.modules}
    sys.modules.update(stand_ins)  # type: ignore[arg-type]  # None means: there is no such module
    try:
        import msgspec  # noqa: F401
    finally:
        for name in stand_ins:
            del sys.modules[name]

"""One run a file: a lock beside it that the death of its holder releases, however it died."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import stat
import sys
import threading
from pathlib import Path

from cem.checkpoint.file import companion

log = logging.getLogger("cem")

PARTIAL = re.compile(r"[0-9a-f]{16}\.partial")  # how `write` names its temporary files
_held: dict[str, int] = {}  # path of the lock -> process; record locks do not bind a process against itself
_guard = threading.RLock()  # a lock may be collected, and so released, while another is taken
_UNSUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)  # of a file system without locks


class Lock:
    """The right to write a checkpoint.

    It is a record lock of the operating system on a hidden file beside the checkpoint, which says the
    process; workers do not inherit it, and a file that is left behind binds nobody.

    Parameters
    ----------
    target : path
        The checkpoint, symbolic links followed.
    """

    def __init__(self, target: Path) -> None:
        self._target = target
        self._path = companion(target, "lock")
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether it is held by this object in this process."""
        return self._descriptor is not None and _held.get(str(self._path)) == os.getpid()

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        BlockingIOError
            If another run has it.
        OSError
            If the file of the lock cannot be made.
        """
        with _guard:
            if _held.get(str(self._path)) == os.getpid():
                raise self._refusal(str(os.getpid()))
            self._descriptor = self._locked()
            _held[str(self._path)] = os.getpid()
        self._remove_leftovers()

    def release(self) -> None:
        """Give the lock back, if it is held."""
        with _guard:
            if self._descriptor is None or _held.get(str(self._path)) != os.getpid():
                return
            del _held[str(self._path)]
            with contextlib.suppress(OSError):
                os.unlink(self._path)
            os.close(self._descriptor)
            self._descriptor = None

    def __del__(self) -> None:
        self.release()

    def _locked(self) -> int:
        """Open and lock the file, again where the holder before has just removed it."""
        while True:
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
            descriptor = os.open(self._path, flags, 0o666)
            try:
                opened = os.fstat(descriptor)
                if not stat.S_ISREG(opened.st_mode):
                    raise OSError(errno.EEXIST, "something else than a lock is there", str(self._path))
                try:
                    _take(descriptor)
                except OSError as error:
                    if error.errno not in _UNSUPPORTED:
                        holder = os.pread(descriptor, 20, 0) if hasattr(os, "pread") else b""
                        raise self._refusal(holder.decode(errors="replace").strip()) from None
                    log.warning("%s cannot be locked here: give no other run the same path", self._target)
                with contextlib.suppress(FileNotFoundError):
                    if os.path.samestat(opened, os.stat(self._path, follow_symlinks=False)):
                        os.ftruncate(descriptor, 0)
                        os.write(descriptor, str(os.getpid()).encode())
                        return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _refusal(self, holder: str) -> BlockingIOError:
        who = f"process {holder}" if holder.isdigit() else "another process"
        return BlockingIOError(
            errno.EWOULDBLOCK,
            f"another run is writing this checkpoint ({who}); let it end, or give this one another path",
            str(self._target),
        )

    def _remove_leftovers(self) -> None:
        """Remove what writes that were killed half-way have left."""
        start = companion(self._target, "").name
        with contextlib.suppress(OSError):
            for entry in os.scandir(self._target.parent):
                if PARTIAL.fullmatch(entry.name.removeprefix(start)) and entry.name.startswith(start):
                    os.unlink(entry.path)


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

"""Leave the namespaces: new user namespaces, mounts, chroot, other namespaces, more rights."""

import ctypes
import glob
import os

succeeded = []
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x10000000) == 0:
    succeeded.append("a user namespace")
if libc.mount(b"tmpfs", b"/tmp", b"tmpfs", 0, None) == 0:
    succeeded.append("mount")
if libc.umount2(b"/tmp", 2) == 0:
    succeeded.append("umount")
ATTEMPTS = [lambda: os.chroot("/tmp"), lambda: os.setuid(0), lambda: os.mknod("/tmp/disk", 0o60600, 0x800), lambda: os.nice(-5)]
for attempt in ATTEMPTS:
    try:
        attempt()
        succeeded.append("a right that it should not have")
    except OSError:
        pass
for path in glob.glob("/proc/*/ns/*"):
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        continue
    if not os.path.samefile(path, f"/proc/self/ns/{os.path.basename(path)}") and libc.setns(fd, 0) == 0:
        succeeded.append(path)

"""Which system calls a submission may not make: a seccomp filter, from Python's standard library.

A deny-list, and why: students compute, draw, start threads and processes, and read and write files; what torch, NumPy and the
C library use for that changes from release to release, and an allow-list that misses one call fails an honest answer on
somebody's machine. What is denied is what such work never needs and what has served to break out of enclosures or to leave
something behind for the next submission:

    keys            a keyring outlives the submission, and is another way to the instructor's secrets
    other processes ptrace, reading and writing their memory or their descriptors
    the kernel      its modules, its log, its clock, bpf, performance events, page faults in user space, io_uring
    namespaces      mounts, namespaces of one's own: less of the kernel to attack, and no way back out of those we made
    hidden memory   memfds and System V memory: the one kind that neither a process's size nor the size of /tmp counts

Sockets exist inside the machine only (there is no network), and only those of the families that programs use. What is denied
answers "Operation not permitted", so that a program that only tries goes on. See seccomp(2); the numbers are those of the
kernel's tables (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

DENIED = {  # name: (x86_64, aarch64)
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "move_pages": (279, 239), "migrate_pages": (256, 238),
    "init_module": (175, 105), "finit_module": (313, 273), "delete_module": (176, 106), "kexec_load": (246, 104),
    "kexec_file_load": (320, 294), "reboot": (169, 142), "syslog": (103, 116), "acct": (163, 89), "swapon": (167, 224),
    "swapoff": (168, 225), "settimeofday": (164, 170), "clock_settime": (227, 112), "adjtimex": (159, 171),
    "clock_adjtime": (305, 266), "quotactl": (179, 60), "quotactl_fd": (443, 443), "personality": (135, 92),
    "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "iopl": (172, None), "ioperm": (173, None),
    "modify_ldt": (154, None), "vhangup": (153, 58), "fanotify_init": (300, 262),
    "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41), "chroot": (161, 51), "unshare": (272, 97),
    "setns": (308, 268), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430), "fsconfig": (431, 431),
    "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442), "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "memfd_create": (319, 279), "memfd_secret": (447, 447), "shmget": (29, 194),
}  # fmt: skip
SOCKET, SOCKETPAIR, CLONE, CLONE3 = (41, 198), (53, 199), (56, 220), (435, 435)
FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (which asks for the names of interfaces)
NAMESPACES = 0x7E020080  # CLONE_NEW*, as `clone` takes them

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # which number, and what the kernel calls the architecture
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENT = 0, 4, 16  # offsets in what the filter sees (little-endian: the low half of an argument first)
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
PR_SET_SECCOMP, MODE_FILTER = 22, 2
JOIN_SESSION_KEYRING = 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def known() -> bool:
    """Whether this machine's system calls are known here; where they are not there is no filter, and `course doctor` says so."""
    return platform.machine() in MACHINES


def program(machine: str) -> bytes:
    """The filter for an architecture, as the kernel reads it."""
    which, architecture = MACHINES[machine]
    out = [(LOAD, 0, 0, ARCHITECTURE), (JUMP_EQUAL, 1, 0, architecture), _refuse(errno.EPERM), (LOAD, 0, 0, NUMBER)]
    if machine == "x86_64":  # the same calls under other numbers
        out += [(JUMP_AT_LEAST, 0, 1, 0x40000000), _refuse(errno.ENOSYS)]
    for number in [numbers[which] for numbers in DENIED.values() if numbers[which] is not None]:
        out += [(JUMP_EQUAL, 0, 1, number), _refuse(errno.EPERM)]
    out += [(JUMP_EQUAL, 0, 1, CLONE3[which]), _refuse(errno.ENOSYS)]  # its flags cannot be seen; the C library then takes clone
    out += [(JUMP_EQUAL, 0, 4, CLONE[which]), (LOAD, 0, 0, ARGUMENT), (JUMP_ANY_BIT, 0, 1, NAMESPACES & 0xFFFFFFFF),
            _refuse(errno.EPERM), (RETURN, 0, 0, ALLOW)]  # fmt: skip
    for number in (SOCKET[which], SOCKETPAIR[which]):
        families = [step for family in FAMILIES for step in [(JUMP_EQUAL, 0, 1, family), (RETURN, 0, 0, ALLOW)]]
        out += [(JUMP_EQUAL, 0, len(families) + 2, number), (LOAD, 0, 0, ARGUMENT), *families, _refuse(errno.EPERM)]
    out.append((RETURN, 0, 0, ALLOW))
    return b"".join(struct.pack("=HBBI", *step) for step in out)


def _refuse(number: int) -> tuple[int, int, int, int]:
    return RETURN, 0, 0, REFUSE | number


def new_session_keyring() -> None:
    """Leave the keyring that was inherited. A system that has no keys, or lets nobody at them, has none to leave."""
    if known():
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(DENIED["keyctl"][MACHINES[platform.machine()][0]], JOIN_SESSION_KEYRING, None) < 0:
            number = ctypes.get_errno()
            if number not in (errno.ENOSYS, errno.EPERM, errno.EACCES):
                raise OSError(number, "a session keyring of its own could not be made")


def filter_calls() -> None:
    """From here on, for this process and all that it starts. It must have said before that it wants no new privileges."""
    if not known():
        return
    steps = program(platform.machine())
    libc, data = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(steps, len(steps))
    about = _Program(len(steps) // 8, ctypes.addressof(data))
    zero = ctypes.c_ulong(0)
    if libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(MODE_FILTER), ctypes.byref(about), zero, zero) != 0:
        raise OSError(ctypes.get_errno(), "the filter for system calls could not be set")

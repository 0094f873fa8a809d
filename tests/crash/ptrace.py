"""Linux's ptrace and seccomp, as far as the tracer needs them (x86-64)."""

import ctypes
import os
import platform
import signal
import sys
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]

_CONT, _GETREGS, _SETREGS, _SYSCALL = 7, 12, 13, 24
_SEIZE, _GET_SYSCALL_INFO = 0x4206, 0x420E

# TRACESYSGOOD, TRACEFORK, TRACEVFORK, TRACECLONE, TRACESECCOMP, EXITKILL
_OPTIONS = 0x01 | 0x02 | 0x04 | 0x08 | 0x80 | 0x100000
SECCOMP_STOP = 7
ANY_CHILD = 0x40000000  # __WALL: threads too
SYSCALL_STOP = signal.SIGTRAP | 0x80

SYSCALLS = {
    "write": 1, "pwrite64": 18, "writev": 20, "sendfile": 40, "fsync": 74, "fdatasync": 75,
    "truncate": 76, "ftruncate": 77, "rename": 82, "mkdir": 83, "rmdir": 84, "link": 86,
    "unlink": 87, "symlink": 88, "openat": 257, "mkdirat": 258, "unlinkat": 263, "renameat": 264,
    "linkat": 265, "symlinkat": 266, "fallocate": 285, "pwritev": 296, "renameat2": 316,
    "copy_file_range": 326, "pwritev2": 328,
}  # fmt: skip
NAMES = {number: name for name, number in SYSCALLS.items()}


class _SyscallInfo(ctypes.Structure):
    """`struct ptrace_syscall_info` at a seccomp stop or at the exit of a system call."""

    _fields_ = [
        ("op", ctypes.c_uint8),
        ("pad", ctypes.c_uint8 * 3),
        ("arch", ctypes.c_uint32),
        ("ip", ctypes.c_uint64),
        ("sp", ctypes.c_uint64),
        ("number", ctypes.c_int64),  # at the exit: the value returned
        ("arguments", ctypes.c_uint64 * 6),
        ("data", ctypes.c_uint64),
    ]


class _Filter(ctypes.Structure):
    _fields_ = [
        ("code", ctypes.c_uint16),
        ("jt", ctypes.c_uint8),
        ("jf", ctypes.c_uint8),
        ("k", ctypes.c_uint32),
    ]


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Filter))]


def obstacle() -> str | None:
    """The reason why nothing can be traced here; None if it can."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"the tracer knows x86-64 Linux only, this is {platform.machine()} {sys.platform}"
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(0)
    try:
        seize(pid)
    except OSError as error:
        return f"ptrace is not allowed here: {error.strerror}"
    finally:
        os.close(reading)
        os.close(writing)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return None


def _ptrace(request: int, pid: int, address: int = 0, data: int = 0) -> int:
    result = int(_libc.ptrace(request, pid, address, data))
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def seize(pid: int) -> None:
    """Trace a process and all that comes of it; it is killed when the tracer ends."""
    _ptrace(_SEIZE, pid, 0, _OPTIONS)


def go_on(tid: int, *, until_exit: bool = False, number: int = 0) -> None:
    """Resume a stopped thread, with signal `number`; `until_exit`: stop when the call returns.

    A thread that was killed meanwhile cannot be resumed, which is no error.
    """
    try:
        _ptrace(_SYSCALL if until_exit else _CONT, tid, 0, number)
    except ProcessLookupError:
        return


def entered(tid: int) -> tuple[str, list[int]]:
    """The name and the arguments of the system call at whose entry a thread has stopped."""
    info = _info(tid)
    return NAMES[info.number], list(info.arguments)


def returned(tid: int) -> int:
    """The result of the system call at whose exit a thread has stopped."""
    return int(_info(tid).number)


def _info(tid: int) -> _SyscallInfo:
    info = _SyscallInfo()
    _ptrace(_GET_SYSCALL_INFO, tid, ctypes.sizeof(info), ctypes.addressof(info))
    return info


def process_of(tid: int) -> int:
    """The process that a thread belongs to. Raises FileNotFoundError when it has ended."""
    status = Path(f"/proc/{tid}/status").read_text()
    return int(status.partition("\nTgid:")[2].split(maxsplit=1)[0])


def refuse(tid: int, number: int) -> None:
    """Let the system call that a thread has entered do nothing and fail with this errno."""
    registers = (ctypes.c_uint64 * 27)()
    _ptrace(_GETREGS, tid, 0, ctypes.addressof(registers))
    registers[10] = ctypes.c_uint64(-number).value  # rax: what it returns
    registers[15] = ctypes.c_uint64(-1).value  # orig_rax: no system call at all
    _ptrace(_SETREGS, tid, 0, ctypes.addressof(registers))


def stop_at_changes() -> None:
    """From now on this process stops for its tracer at each call that may change a file."""
    program = _filters()
    array = (_Filter * len(program))(*program)
    head = _Program(len(program), array)
    for arguments in ((38, 1, 0, 0, 0), (22, 2, ctypes.byref(head))):
        if _libc.prctl(*arguments) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"seccomp is not allowed here: {os.strerror(number)}")


def _filters() -> list[_Filter]:
    load, equal, any_bit, leave = 0x20, 0x15, 0x45, 0x06
    allow, trace = 0x7FFF0000, 0x7FF00000
    numbers = [number for name, number in SYSCALLS.items() if name != "openat"]
    program = [
        _Filter(load, 0, 0, 4),
        _Filter(equal, 1, 0, 0xC000003E),
        _Filter(leave, 0, 0, allow),
    ]
    program += [_Filter(load, 0, 0, 0)]
    for place, number in enumerate(numbers):
        # Jumps count from the next instruction; the last one of the program says "trace".
        program.append(_Filter(equal, len(numbers) - place + 3, 0, number))
    program += [
        _Filter(equal, 0, 2, SYSCALLS["openat"]),
        _Filter(load, 0, 0, 32),  # the flags
        _Filter(any_bit, 1, 0, os.O_CREAT | os.O_TRUNC),
        _Filter(leave, 0, 0, allow),
        _Filter(leave, 0, 0, trace),
    ]
    return program


def die_with_parent() -> None:
    """This process gets SIGKILL when the one that started it ends."""
    _libc.prctl(1, int(signal.SIGKILL), 0, 0, 0)

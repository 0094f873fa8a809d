"""Messages of bytes over a socket: a length of eight bytes, then so many bytes.

The driver's end never waits: a replica that is stopped reads nothing, and must not stop others.
"""

import contextlib
import socket
import struct

_LENGTH = struct.Struct("!Q")
_CHUNK = 1 << 18


class Channel:
    """The driver's end. `fileno` for a selector."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._out = memoryview(b"")
        self._in = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def has_unsent(self) -> bool:
        """True if a part of a message waits until the other end reads."""
        return len(self._out) > 0

    def send(self, message: bytes) -> None:
        """Send as much as can be sent now; `flush` sends the rest. Raises OSError."""
        self._out = memoryview(bytes(self._out) + _LENGTH.pack(len(message)) + message)
        self.flush()

    def flush(self) -> None:
        """Send what is left, as far as that is possible now. Raises OSError."""
        try:
            while self._out:
                self._out = self._out[self._socket.send(self._out[:_CHUNK]) :]
        except BlockingIOError:
            return

    def fill(self) -> bool:
        """Take what has arrived; True if there is a message. Raises EOFError at the other's end."""
        try:
            while not self.has_message:
                data = self._socket.recv(_CHUNK)
                if not data:
                    raise EOFError
                self._in += data
        except BlockingIOError:
            return False
        except ConnectionError as error:
            raise EOFError from error
        return True

    @property
    def has_message(self) -> bool:
        """True if a whole message has arrived."""
        if len(self._in) < _LENGTH.size:
            return False
        (length,) = _LENGTH.unpack_from(self._in)
        return len(self._in) >= _LENGTH.size + int(length)

    def take(self) -> bytes:
        """The message that has arrived."""
        end = _LENGTH.size + int(_LENGTH.unpack_from(self._in)[0])
        message = bytes(self._in[_LENGTH.size : end])
        del self._in[:end]
        return message

    def close(self) -> None:
        """End it, from any thread: one that waits for it is woken. The descriptor is freed with the
        object, so that no other one gets its number meanwhile."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def read(sock: socket.socket) -> bytes:
    """The next message, at the replica's end. Raises EOFError when the driver is gone."""
    return _exactly(sock, int(_LENGTH.unpack(_exactly(sock, _LENGTH.size))[0]))


def write(sock: socket.socket, message: bytes) -> None:
    """Send a message, at the replica's end. Raises EOFError when the driver is gone."""
    try:
        sock.sendall(_LENGTH.pack(len(message)) + message)
    except OSError as error:
        raise EOFError from error


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        try:
            part = sock.recv(min(_CHUNK, size - len(data)))
        except OSError as error:
            raise EOFError from error
        if not part:
            raise EOFError
        data += part
    return bytes(data)

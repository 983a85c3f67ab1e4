"""A TCP proxy before a PostgreSQL server that breaks connections as networks do."""

from __future__ import annotations

import contextlib
import re
import socket
import threading

COMMITTED = b"COMMIT\0"  # the tag of the server's answer to a COMMIT


class Proxy:
    """Forwards every connection to the server of a URL until it is told to break them."""

    def __init__(self, url: str) -> None:
        found = re.search(r"127\.0\.0\.1:(\d+)", url)
        assert found is not None
        self._port = int(found[1])
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = url.replace(found[0], f"127.0.0.1:{self._listener.getsockname()[1]}")
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._swallow = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow_the_next_commit(self) -> None:
        """The server's next answer to a COMMIT never arrives, and its connection is cut."""
        self._swallow.set()

    def vanish(self) -> None:
        """Cut every client off; the server goes on believing that they are there."""
        for client, _server in self._pairs:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        for pair in self._pairs:
            for one in pair:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            self._pairs.append((client, server))
            threading.Thread(target=self._forth, args=(client, server), daemon=True).start()
            threading.Thread(target=self._back, args=(client, server), daemon=True).start()

    def _forth(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if COMMITTED in data and self._swallow.is_set():
                    self._swallow.clear()
                    client.shutdown(socket.SHUT_RDWR)
                    server.shutdown(socket.SHUT_RDWR)
                    return
                client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)

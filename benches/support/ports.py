"""Ports of the loopback."""

import socket


def free_ports(count):
    """Ports that nobody listens on; somebody may, a moment later."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports

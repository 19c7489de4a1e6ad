"""Ports of the loopback."""

import socket


def free_ports(count):
    """Ports that are free now; another process may take one before it is used."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports

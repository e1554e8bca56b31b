"""Processor time and memory of a server on this machine, its child processes included."""

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil


@dataclass(frozen=True)
class ServerUsage:
    """Of a process and all below it."""

    cpu_s: float
    """Processor time since the start, user and system, of all threads."""
    memory_bytes: int
    """Resident, pages that processes share counted in each."""


def server_usage(pid: int) -> ServerUsage:
    """What the processes have used until now; nothing for those that have ended."""
    cpu_s, memory_bytes = 0.0, 0
    for process in _family(pid):
        try:
            times, memory = process.cpu_times(), process.memory_info()
        except psutil.Error:
            continue
        cpu_s += times.user + times.system
        memory_bytes += memory.rss
    return ServerUsage(cpu_s, memory_bytes)


def find_server(url: str) -> int | None:
    """The process on this machine that listens where ``url`` points; None: it is elsewhere, or of another user."""
    address = urlsplit(url)
    if not _is_here(address.hostname or ""):
        return None
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return None
    listening = (
        one for one in connections if one.status == psutil.CONN_LISTEN and one.laddr and one.laddr.port == port
    )
    pids = {one.pid for one in listening if one.pid is not None}
    return min(pids, default=None)  # of a parent and its workers, the parent


def _is_here(host: str) -> bool:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True


def _family(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.Error:
        return []

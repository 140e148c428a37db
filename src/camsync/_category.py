"""`Category`: the kinds of trouble, which decide exit codes and translations."""

from __future__ import annotations

import enum


class Category(str, enum.Enum):
    """What kind of thing went wrong: the coarse answer to "what can I do about it?"."""

    INPUT = "input"
    SETUP = "setup"
    NETWORK = "network"
    TLS = "tls"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    BUSY = "busy"
    DEVICE = "device"
    UNSUPPORTED = "unsupported"
    PROTOCOL = "protocol"
    NOT_FOUND = "not_found"
    IN_PROGRESS = "in_progress"
    CREDENTIALS = "credentials"
    OFFLINE = "offline"
    QUOTA = "quota"
    MEDIA = "media"
    DISK = "disk"
    CANCELLED = "cancelled"

"""The operating system's keyring, through the optional package ``keyring``."""

from __future__ import annotations

from .._secret import Secret
from ..errors import ConfigurationError, MissingExtraError


def service_of(target: str) -> str:
    """Return the name of the keyring's entry for *target*, a host or ``host:port``."""
    return f"camsync:{target}"


def password_for(target: str, username: str) -> Secret:
    """Return the password that the keyring holds for *username* on *target*.

    Store it with ``keyring set camsync:192.168.1.64 admin``; that command asks for the password.

    Raises:
        MissingExtraError: The package ``keyring`` is not installed.
        ConfigurationError: This computer has no usable keyring, it refused, or it holds nothing
            under that name.
    """
    try:
        import keyring
        import keyring.errors
    except ImportError as error:
        missing = MissingExtraError.for_extra("keyring", "reading the system's keyring")
        raise missing from error
    service = service_of(target)
    try:
        password = keyring.get_password(service, username)
    except keyring.errors.NoKeyringError as error:
        msg = "this computer offers no usable keyring (a headless machine often has none)"
        raise ConfigurationError(
            msg, next_step="give the password with --password-file or CAMSYNC_PASSWORD"
        ) from error
    except keyring.errors.KeyringError as error:
        reason = str(error) or type(error).__name__
        msg = f"the keyring refused to give the password of {username} on {target}: {reason}"
        raise ConfigurationError(msg, next_step="unlock the keyring and try again") from error
    if not password:
        msg = f"the keyring holds no password for {username} on {target}"
        raise ConfigurationError(msg, next_step=f"run: keyring set {service} {username}")
    return Secret(password)

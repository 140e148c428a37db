"""Which element of ISAPI or key of JSON holds what: names, serial numbers, secrets."""

from __future__ import annotations

import functools
import re

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ._fakes import ADDRESS, IDENTIFIER, MAC, NAME, POSITION, SECRET, SERIAL, USER


KEEP: Final = "kept"
"""Never touched, whatever it looks like: ``4.0.0.1`` is a firmware here and no address."""

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        SERIAL: """serialNumber subSerialNumber hddSerialNumber deviceSerial deviceSerialNo serial
            serialNo serialNum subSerial sn deviceSn deviceNo shortSerialNumber""",
        MAC: "macAddress mac macAddr physicalAddress wirelessMacAddress bssid",
        USER: """userName loginName user account pppoeUserName ftpUserName proxyUserName emailUserName
            nickName realName employeeName personName customerName contactName""",
        NAME: """name deviceName channelName inputChannelName cameraName nvrName dvrName
            displayText text overlayText
            customizedInfo description deviceDescription deviceLocation location systemContact contact
            siteName areaName groupName zoneName ssid wifiName pppoeName path remotePath
            hostName dynamicHostName domain domainName ddnsDomain ddnsName homeTitle realm
            emailAddress email mail sender receiver phone phoneNumber telephone telephoneNumber
            mobile mobileNumber cellPhoneNumber plateNumber licensePlate cardNo cardNumber
            idCardNo certificateName subject issuer commonName organization""",
        ADDRESS: """ipAddress ipv4Address ipv6Address ip host addr address serverAddress serverIP
            gateway dns hostIP primaryDNS secondaryDNS""",
        IDENTIFIER: """deviceID devIndex uuid guid udid appId openid userId customno terminalId
            userCode""",
        POSITION: "latitude longitude altitude gpsLatitude gpsLongitude lat lng lon degree minute",
        SECRET: """key sessionID rfSessionId session challenge salt nonce cnonce opaque response sign
            signature digest certificate certificateContent qrCode qrCodeInfo verificationCode
            validateCode deviceCode cookie authorization setCookie community readCommunity
            writeCommunity wpaKey wepKey encryptionKey streamEncryptKey aesKey ha1 auth
            securityCode activationCode licenceKey licenseKey""",
    }
)
_SECRET_ENDS: Final = (
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "secretkey",
    "sharedkey",
    "psk",
    "credential",
)
_KEPT: Final = re.compile(r"(?:.*(?:version|versioninfo|releaseddate)|model|hddmodel|xmlns.*)")
# `timeZone` is one word for what is a name elsewhere (`zoneName`).
_TIMES: Final = re.compile(r".*(?:time|timezone|date|made|z_reason|zone)")
_TABLE: Final[Mapping[str, str]] = MappingProxyType(
    {word.lower(): kind for kind, words in _WORDS.items() for word in words.split()}
)
_LONGEST: Final = 64

# What every device has out of the box, and what says nothing about its owner.
_FACTORY: Final = re.compile(
    r"(?:ip|network|web|analog|d)?[ _-]?(?:camera|dome|channel|video|cam|ipc|nvr|dvr|摄像机|通道)"
    r"s?[ _-]?[0-9]{0,3}|(?:network|digital) video recorder|embedded net dvr|embedded nvr|hiwatch"
    r"|hdd[0-9a-z]{1,2}|hikvision(?:\.china)?|hangzhou|admin(?:istrator)?|anonymous|none|null|n/a"
    r"|localhost|[x*]+|scrubbed|unknown",
    re.IGNORECASE,
)
# Names of files of footage, and the stream numbers that recorders show for names of channels.
_FILE: Final = re.compile(r"(?:ch\d{2}_)?\d{16,18}|\d{1,4}")
_TECHNICAL: Final = re.compile(r"trackType=.*", re.DOTALL)
_PLAIN: Final = frozenset({"", "true", "false"})

# A camera may be called "video"; in every other element the word is the protocol's own.
_VOCABULARY: Final = frozenset(
    [
        "http",
        "https",
        "rtsp",
        "rtp",
        "tcp",
        "udp",
        "onvif",
        "hikvision",
        "isapi",
        "digest",
        "basic",
        "video",
        "audio",
        "main",
        "sub",
        "time",
        "date",
        "auto",
        "manual",
        "motion",
        "alarm",
        "online",
        "offline",
        "connect",
        "channel",
        "camera",
        "name",
        "names",
        "error",
        "errors",
        "status",
        "device",
        "recorder",
        "record",
        "recording",
        "recordings",
        "track",
        "tracks",
        "search",
        "download",
        "login",
        "lock",
        "clock",
        "tls",
        "true",
        "false",
        "none",
        "null",
        "enable",
        "enabled",
        "disable",
        "disabled",
        "normal",
        "quota",
        "group",
        "local",
        "utc",
        "zone",
        "admin",
        "timing",
        "step",
        "seen",
        "failed",
        "warning",
        "info",
        "debug",
        "get",
        "post",
        "put",
        "response",
        "request",
        "answer",
        "answers",
        "user",
        "password",
        "host",
        "port",
        "url",
        "path",
        "file",
        "files",
        "image",
        "default",
        "system",
        "network",
        "storage",
        "standard",
        "streaming",
        "channels",
        "capabilities",
        "version",
        "model",
        "type",
        "mode",
        "state",
        "ok",
        "idle",
    ]
)


@functools.lru_cache(maxsize=4096)
def kind_of(tag: str) -> str | None:
    """Return what the element or key called *tag* holds, or None when nothing is known of it."""
    word = tag.rpartition(":")[2].lower().replace("_", "").replace("-", "").lstrip("@")
    if len(word) > _LONGEST or _KEPT.fullmatch(word):
        return KEEP if len(word) <= _LONGEST else None
    if word in _TABLE:
        return _TABLE[word]
    if word.endswith(_SECRET_ENDS) and not word.startswith(("is", "support", "num", "max")):
        return SECRET
    return KEEP if _TIMES.fullmatch(word) else None


def is_plain(kind: str, value: str) -> bool:
    """Whether *value* tells nothing: a factory's name, a flag, the name of a file of footage."""
    if kind == SECRET:
        return value in _PLAIN or value == "scrubbed" or set(value) == {"*"}
    if kind == KEEP or value in _PLAIN:
        return True
    return any(form.fullmatch(value) for form in (_FACTORY, _FILE, _TECHNICAL))


def is_common(value: str) -> bool:
    """Whether *value* is so short or common that it is replaced in its own element only."""
    few = 3 if value.isascii() else 2
    if len(value) < few or (value.isascii() and value.isdigit() and len(value) < 2 * few):
        return True
    return value.lower() in _VOCABULARY

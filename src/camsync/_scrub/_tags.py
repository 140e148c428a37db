"""Which element of ISAPI or key of JSON holds what: names, serial numbers, secrets."""

from __future__ import annotations

import functools
import re

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ._fakes import ADDRESS, IDENTIFIER, MAC, NAME, POSITION, SECRET, SERIAL, USER


KEEP: Final = "kept"
"""Stays if it has the form of a time, version or model: ``4.0.0.1`` is a firmware here, no address."""

MODEL: Final = "model"
TIME: Final = "time"
VERSION: Final = "version"

_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        SERIAL: """serialNumber subSerialNumber hddSerialNumber deviceSerial deviceSerialNo serial
            serialNo serialNum subSerial sn deviceSn deviceNo shortSerialNumber serialNumberShort""",
        MAC: "macAddress mac macAddr physicalAddress wirelessMacAddress bssid",
        USER: """userName loginName user account pppoeUserName ftpUserName proxyUserName emailUserName
            nickName realName employeeName personName customerName contactName""",
        NAME: """name deviceName channelName inputChannelName cameraName nvrName dvrName
            displayText text overlayText
            customizedInfo description deviceDescription deviceLocation location systemContact contact
            siteName areaName groupName zoneName ssid wifiName pppoeName path remotePath
            hostName dynamicHostName domain domainName ddnsDomain ddnsName homeTitle realm
            emailAddress email mail sender receiver certificateName subject issuer commonName
            organization title remark remarks comment memo city street postalAddress""",
        ADDRESS: """ipAddress ipv4Address ipv6Address ip host addr address serverAddress serverIP
            gateway dns hostIP primaryDNS secondaryDNS""",
        IDENTIFIER: """deviceID devIndex uuid guid udid appId openid userId customno terminalId
            userCode phone phoneNumber telephone telephoneNumber mobile mobileNumber mobilePhone
            cellPhone cellPhoneNumber plateNumber plateNo licensePlate cardNo cardNumber idCardNo
            idNumber employeeNo postCode postalCode zipCode imei imsi iccid simCardNo""",
        POSITION: """latitude longitude altitude gpsLatitude gpsLongitude lat lng lon degree minute gps
            coordinates""",
        SECRET: """key sessionID rfSessionId session challenge salt nonce cnonce opaque response sign
            signature digest certificate certificateContent qrCode qrCodeInfo verificationCode
            validateCode deviceCode cookie authorization setCookie community readCommunity
            writeCommunity wpaKey wepKey encryptionKey streamEncryptKey aesKey ha1 auth
            securityCode activationCode licenceKey licenseKey pin pinCode adminPin userPin unlockPin
            verifyCode hikConnectCode checkCode passwordHint""",
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
_VERSIONS: Final = re.compile(r".*(?:version|versioninfo)")
_MODELS: Final = frozenset({"model", "hddmodel"})
# `timeZone` is one word for what is a name elsewhere (`zoneName`).
_TIMES: Final = re.compile(r".*(?:time|timezone|date|made|zone)")
_NAMING_ENDS: Final = ("name", "address", "number", "serial", "ssid")
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
_FILE: Final = re.compile(r"(?:ch\d{2}_)?\d{16,18}|\d{1,4}", re.ASCII)
_TECHNICAL: Final = re.compile(
    r"trackType=\w{1,20}(?:,\s{0,4}(?:(?:contentType|codecType|resolution|frame[Rr]ate|bit[Rr]ate)"
    r"=[\w.*:-]{0,20}(?: [kKM]?[fb]ps)?|sourceTag=(?:video|audio)))*,?",
    re.ASCII,
)
# Titles of the pages that recorders send with an error.
_PAGE: Final = re.compile(
    r"(?:document error:? ?)?(?:\d{3} ?)?(?:unauthorized|forbidden|not found|bad request|found|index"
    r"|method not allowed|access error|internal server error|service unavailable|moved permanently"
    r"|login|error|ok)?",
    re.IGNORECASE,
)
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
        *[
            "nas",
            "nfs",
            "sata",
            "ssd",
            "hdd",
            "smb",
            "iscsi",
            "ipc",
            "nvr",
            "dvr",
            "mpeg4",
            "aac",
            "h.264",
            "h.265",
            "html",
            "title",
        ],
    ]
)


def _word(tag: str) -> str:
    return tag.rpartition(":")[2].lower().replace("_", "").replace("-", "").lstrip("@")


@functools.lru_cache(maxsize=4096)
def kind_of(tag: str) -> str | None:
    """Return what the element or key called *tag* holds, or None when nothing is known of it."""
    word = _word(tag)
    if len(word) > _LONGEST:
        return None
    if word in _TABLE:
        return _TABLE[word]
    if word.endswith(_SECRET_ENDS) and not word.startswith(("is", "support", "num", "max")):
        return SECRET
    return KEEP if form_of(tag) is not None else None


@functools.lru_cache(maxsize=4096)
def form_of(tag: str) -> str | None:
    """Return the form that a kept element must have: of a time, a version or a model."""
    word = _word(tag)
    if word in _MODELS:
        return MODEL
    if _VERSIONS.fullmatch(word):
        return VERSION
    return TIME if _TIMES.fullmatch(word) else None


def hands_down(tag: str) -> bool:
    """Whether what stands in *tag* says of all texts below it whose they are.

    Not for words that are used for parts of a protocol as well, such as ``response`` or ``host``.
    """
    word = _word(tag)
    kind = kind_of(tag)
    if kind == SECRET:
        return word.endswith(_SECRET_ENDS)
    return kind in {SERIAL, MAC, NAME, USER} and word.endswith(_NAMING_ENDS)


def is_plain(kind: str, value: str) -> bool:
    """Whether *value* tells nothing: a factory's name, a flag, the name of a file of footage."""
    if kind == SECRET:
        return value in _PLAIN or value == "scrubbed" or set(value) == {"*"}
    if kind == KEEP or value in _PLAIN:
        return True
    if kind != NAME:
        return _FACTORY.fullmatch(value) is not None
    return any(form.fullmatch(value) for form in (_FACTORY, _FILE, _TECHNICAL, _PAGE))


def is_common(value: str) -> bool:
    """Whether *value* is so short or common that it is replaced in its own element only."""
    few = 3 if value.isascii() else 2
    if len(value) < few or (value.isascii() and value.isdigit() and len(value) < 2 * few):
        return True
    return value.lower() in _VOCABULARY

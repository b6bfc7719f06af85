"""Values that no error may repeat: those of keys that end in _key, secret, token or password."""

import re

_ENDS = r"(?:[_-]key|secret|token|password)"
_SECRET = re.compile(rf"{_ENDS}$", re.IGNORECASE)
_TEXT = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^,;}\]\n]+"""  # in quotes, or up to what ends it in a dict or list
_ASSIGNED = re.compile(rf"""(['"]?[\w.-]*{_ENDS}['"]?(?:@[\w.]*)?\s*[:=]\s*)({_TEXT})""", re.IGNORECASE)
_FLAG = re.compile(rf"(--[\w.-]*{_ENDS}\s+)(\S+)", re.IGNORECASE)
MASK = "***"


def is_secret(key: str) -> bool:
    """Whether the value of a dotted key, or of a key above it, is not to be shown."""
    return any(_SECRET.search(part.strip()) for part in key.split("."))


def masked(text: str) -> str:
    """A text with what it assigns to such keys blotted out: ``{api_key: x, port: 1}`` keeps the port."""
    return _FLAG.sub(rf"\1{MASK}", _ASSIGNED.sub(rf"\1{MASK}", text))


def masked_override(text: str) -> str:
    """A ``key=value`` as it may be shown, whether it can be read or not."""
    key, sign, value = text.partition("=")
    return f"{key}={MASK}" if sign and is_secret(key.partition("@")[0]) else f"{key}{sign}{masked(value)}"

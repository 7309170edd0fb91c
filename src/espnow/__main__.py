"""``python -m espnow`` is the command ``espnow``."""

from espnow.cli.main import entry

entry()

"""``monitor:wlan1``, a Wi-Fi adapter in monitor mode: the radio that real boards are reached with, on Linux.

Frames are sent by injection and heard through a packet socket; nl80211 makes the interface a monitor and puts it on its
channel, and it is put back as it was at the end. No other program is needed, and no library.

``?ack=on`` lets the adapter acknowledge what boards send to the address of this one, see
`espnow.radio.monitor.answering`. Without it, they retry and see a failure, though each of their messages arrives.

- `netlink`, `nl80211`, `device`, `privileges`, `others`, `drivers`: the system, asked and told; what is known of it.
- `state`, `adapter`: one interface, as it was, as it is used, and put back.
- `filter`, `ring`, `packetsocket`, `injection`: what the kernel lets through and how it comes, and how it is told to
  send.
- `radio`, `reports`, `notices`: the link, what became of its frames, and what a person is told.
- `findings`, `trial`, `restore`: what ``espnow doctor`` finds, tries and puts back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from espnow.radio.monitor.adapter import open_adapter
from espnow.radio.monitor.counts import Counts
from espnow.radio.monitor.radio import MonitorRadio

if TYPE_CHECKING:
    from espnow.radio import RadioName
    from espnow.radio.loop import RadioLoop

__all__ = ["Counts", "MonitorRadio", "open_monitor"]


def open_monitor(name: RadioName, loop: RadioLoop, report: Callable[[str], None]) -> MonitorRadio:
    """Open the radio of a Wi-Fi interface.

    Args:
        name: ``monitor:INTERFACE``, and behind a question mark ``ack=on`` if it is to acknowledge.
        loop: the loop that it lives in.
        report: gets what a person should know.

    Raises:
        UserError: it cannot be opened: why, and what to do.
    """
    name.check_settings(("ack",))
    answer = name.one_of("ack", "off", ("on", "off")) == "on"
    adapter = open_adapter(name.text, name.rest, report, answer=answer, owned=loop.owned)
    try:
        return MonitorRadio(loop, adapter, report, answer=answer)
    except BaseException:
        adapter.close()
        raise

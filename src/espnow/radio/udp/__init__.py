"""``udp:``, the air between the processes of one computer, or of several on one network: MPDUs in UDP multicast.

Every process sends its frames to one multicast group, and hears all others'. Whoever a unicast frame is for answers it
with an acknowledgement, straight to the sender, and the sender tries again without one, as radios do. By default the
group is on the loopback interface with a time to live of 0: nothing leaves the computer.

`espnow.radio.udp.datagram` says what a datagram holds, `espnow.radio.udp.radio` when one is sent and answered.
"""

from espnow.radio.udp.datagram import Kind, Malformed, UdpDatagram
from espnow.radio.udp.radio import Counts, UdpRadio
from espnow.radio.udp.settings import open_udp

__all__ = ["Counts", "Kind", "Malformed", "UdpDatagram", "UdpRadio", "open_udp"]

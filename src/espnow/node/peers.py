"""The peers of a node, by the rules of ESP-IDF's ``esp_now_add_peer``, ``esp_now_mod_peer`` and ``esp_now_fetch_peer``.

The order of the refusals, as Espressif's library has it: a full table (even for an address that is in it), encryption
to a group address, an address that is in it, a channel that is not the home channel, too many encrypted peers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from espnow.errors import EspNowCode, NodeError
from espnow.frame import PairCipher, is_group

__all__ = ["MAX_ENCRYPTED_PEERS", "MAX_PEERS", "Peer", "PeerTable"]

#: ESP_NOW_MAX_TOTAL_PEER_NUM and MicroPython's documented limit of encrypted ones.
MAX_PEERS = 20
MAX_ENCRYPTED_PEERS = 6

NO_KEY = bytes(16)


@dataclass(slots=True)
class Peer:
    """A registered peer.

    Attributes:
        address: 6 bytes.
        lmk: local master key, 16 bytes, zeros without one. Not in the repr.
        channel: as registered; 0 means the current one.
        interface: 0 (STA) or 1 (AP), from which frames to it leave.
        encrypt: whether messages to and from it are encrypted.
        key: the CCMP key made from PMK and LMK when the peer was added or modified; None if not encrypted.
        sending: CCMP with that key from this node to the peer, made for the first message; None before.
        receiving: the same in the other direction.
        group: whether the address is a broadcast or multicast one.
    """

    address: bytes
    lmk: bytes = field(default=NO_KEY, repr=False)
    channel: int = 0
    interface: int = 0
    encrypt: bool = False
    key: bytes | None = field(default=None, repr=False)
    sending: PairCipher | None = field(default=None, repr=False, compare=False)
    receiving: PairCipher | None = field(default=None, repr=False, compare=False)
    group: bool = field(init=False)

    def __post_init__(self) -> None:
        self.group = is_group(self.address)


class PeerTable:
    """The registered peers, in the order of their registration.

    Attributes:
        find: returns the peer with an address, or None; the dict's own method, since every frame asks.
    """

    __slots__ = ("_peers", "find")

    def __init__(self) -> None:
        self._peers: dict[bytes, Peer] = {}
        self.find: Callable[[bytes], Peer | None] = self._peers.get

    def add(self, peer: Peer, home_channel: int | None) -> None:
        """Register `peer`; `home_channel` is None while no channel is known.

        Raises:
            NodeError: FULL, ARG, EXIST or CHAN, in the order of this module's docstring.
        """
        peers = self._peers
        if len(peers) >= MAX_PEERS:
            raise NodeError(EspNowCode.FULL)
        self._check_encryption(peer)
        if peer.address in peers:
            raise NodeError(EspNowCode.EXIST)
        self._check_channel(peer, home_channel)
        if peer.encrypt and self.encrypted_count() >= MAX_ENCRYPTED_PEERS:
            raise NodeError(EspNowCode.FULL)
        peers[peer.address] = peer

    def modify(self, peer: Peer, home_channel: int | None) -> None:
        """Put `peer` in the place of the one with its address; a channel that stays as it was is not checked again.

        Raises:
            NodeError: NOT_FOUND, ARG, CHAN or FULL.
        """
        old = self.get(peer.address)
        self._check_encryption(peer)
        if peer.channel != old.channel:
            self._check_channel(peer, home_channel)
        others = self.encrypted_count() - old.encrypt
        if peer.encrypt and others >= MAX_ENCRYPTED_PEERS:
            raise NodeError(EspNowCode.FULL)
        self._peers[peer.address] = peer

    def remove(self, address: bytes) -> None:
        """Forget a peer.

        Raises:
            NodeError: NOT_FOUND.
        """
        if self._peers.pop(address, None) is None:
            raise NodeError(EspNowCode.NOT_FOUND)

    def get(self, address: bytes) -> Peer:
        """Return the peer with this address.

        Raises:
            NodeError: NOT_FOUND.
        """
        peer = self._peers.get(address)
        if peer is None:
            raise NodeError(EspNowCode.NOT_FOUND)
        return peer

    def unicast(self) -> list[Peer]:
        """Return the peers that are no group address, in order."""
        return [peer for peer in self._peers.values() if not peer.group]

    def encrypted_count(self) -> int:
        """Return how many peers are encrypted."""
        return sum(peer.encrypt for peer in self._peers.values())

    def clear(self) -> None:
        """Forget all peers."""
        self._peers.clear()

    def __len__(self) -> int:
        return len(self._peers)

    @staticmethod
    def _check_encryption(peer: Peer) -> None:
        if peer.encrypt and peer.group:
            raise NodeError(EspNowCode.ARG)

    @staticmethod
    def _check_channel(peer: Peer, home_channel: int | None) -> None:
        if peer.channel and home_channel is not None and peer.channel != home_channel:
            raise NodeError(EspNowCode.CHAN)

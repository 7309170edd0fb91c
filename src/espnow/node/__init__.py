"""One ESP-NOW node as a state machine: peers, keys, sending, duplicates, the receive ring, statistics.

Rules: it knows frames and the link's contract, nothing of boards, programs or clocks. Time comes in as an argument,
random values from a function given at its making. Bad frames are counted, bad calls raise `NodeError`. It follows
ESP-IDF as MicroPython's ``espnow`` document describes it, and Espressif's library where that is silent.
"""

from espnow.node.node import Node, NodeConfig, Stats
from espnow.node.peers import MAX_ENCRYPTED_PEERS, MAX_PEERS, Peer, PeerTable
from espnow.node.ring import ReceivedMessage, ReceiveRing

__all__ = [
    "MAX_ENCRYPTED_PEERS",
    "MAX_PEERS",
    "Node",
    "NodeConfig",
    "Peer",
    "PeerTable",
    "ReceiveRing",
    "ReceivedMessage",
    "Stats",
]

"""The peer table against a plain model, refusals and their order included."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from espnow.errors import EspNowCode, NodeError
from espnow.node import MAX_ENCRYPTED_PEERS, MAX_PEERS
from espnow.node.peers import Peer, PeerTable

FULL, ARG, EXIST, CHAN, NOT_FOUND = (
    EspNowCode.FULL,
    EspNowCode.ARG,
    EspNowCode.EXIST,
    EspNowCode.CHAN,
    EspNowCode.NOT_FOUND,
)


def address(number):
    """Every fifth address is a multicast one."""
    return bytes((3 if number % 5 == 0 else 2, 0, 0, 0, 0, number))


numbers = st.integers(0, 26)
channels = st.sampled_from([0, 0, 0, 1, 6])
homes = st.sampled_from([None, 1, 1, 6])


def refusal(call, *arguments):
    try:
        call(*arguments)
    except NodeError as error:
        return error.code
    return None


class Table(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.table = PeerTable()
        self.model = {}

    @initialize(count=st.sampled_from([0, 0, MAX_PEERS - 2, MAX_PEERS - 1]))
    def fill(self, count):
        for number in range(100, 100 + count):
            self.add(number, 0, 0, False, None)

    def encrypted(self, besides=None):
        return sum(peer.encrypt for at, peer in self.model.items() if at != besides)

    @rule(number=numbers, channel=channels, interface=st.integers(0, 1), encrypt=st.booleans(), home=homes)
    def add(self, number, channel, interface, encrypt, home):
        peer = Peer(address(number), channel=channel, interface=interface, encrypt=encrypt)
        if len(self.model) >= 20:
            expected = FULL
        elif encrypt and peer.group:
            expected = ARG
        elif peer.address in self.model:
            expected = EXIST
        elif channel and home is not None and channel != home:
            expected = CHAN
        elif encrypt and self.encrypted() >= 6:
            expected = FULL
        else:
            expected = None
        assert refusal(self.table.add, peer, home) is expected
        if expected is None:
            self.model[peer.address] = peer

    @rule(number=numbers, channel=channels, encrypt=st.booleans(), home=homes)
    def modify(self, number, channel, encrypt, home):
        peer = Peer(address(number), channel=channel, encrypt=encrypt)
        if peer.address not in self.model:
            expected = NOT_FOUND
        elif encrypt and peer.group:
            expected = ARG
        elif channel not in (0, home, self.model[peer.address].channel) and home is not None:
            expected = CHAN
        elif encrypt and self.encrypted(besides=peer.address) >= 6:
            expected = FULL
        else:
            expected = None
        assert refusal(self.table.modify, peer, home) is expected
        if expected is None:
            self.model[peer.address] = peer

    @rule(number=numbers)
    def remove(self, number):
        expected = None if address(number) in self.model else NOT_FOUND
        assert refusal(self.table.remove, address(number)) is expected
        self.model.pop(address(number), None)

    @rule(number=numbers)
    def get(self, number):
        found = self.table.find(address(number))
        assert found is self.model.get(address(number))
        if found is None:
            assert refusal(self.table.get, address(number)) is NOT_FOUND
        else:
            assert self.table.get(address(number)) is found

    @rule()
    def clear(self):
        self.table.clear()
        self.model.clear()

    @invariant()
    def they_agree(self):
        assert len(self.table) == len(self.model) <= MAX_PEERS == 20
        assert self.table.encrypted_count() == self.encrypted() <= MAX_ENCRYPTED_PEERS == 6
        assert self.table.unicast() == [peer for peer in self.model.values() if not peer.address[0] & 1]


TestTable = Table.TestCase
TestTable.settings = settings(max_examples=60, stateful_step_count=40)


def test_the_order_of_registration_is_kept():
    table = PeerTable()
    for number in (9, 3, 7, 1):
        table.add(Peer(address(number)), 1)
    table.modify(Peer(address(3), channel=1), 1)
    table.remove(address(9))
    table.add(Peer(address(9)), 1)
    assert [peer.address[5] for peer in table.unicast()] == [3, 7, 1, 9]


def test_a_full_table_says_so_even_for_one_that_is_in_it():
    table = PeerTable()
    for number in range(20):
        table.add(Peer(address(100 + number)), None)
    with pytest.raises(NodeError) as caught:
        table.add(Peer(address(100)), None)
    assert caught.value.code is FULL


def test_no_key_is_in_a_repr():
    shown = repr(Peer(address(1), lmk=b"secret lmk 12345", key=b"secret key 12345", encrypt=True))
    assert "secret" not in shown

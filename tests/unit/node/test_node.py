"""The node: what it sends, what it takes, what it counts."""

from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow.board import PROFILES
from espnow.errors import EspNowCode, NodeError
from espnow.frame import (
    BROADCAST,
    DEFAULT_PMK,
    Frame,
    build,
    build_protected,
    decrypt,
    derive_key,
    open_protected,
    parse,
)
from espnow.link import Interface, Outcome, RadioConfig
from espnow.node import Node
from espnow.node.node import DropReason
from espnow.node.peers import Peer
from espnow.testing import ManualClock, ScriptedLink

ME = b"\x18\xfe\x34\x00\x00\x04"
PEER = b"\x02\x00\x00\x00\x00\x01"
OTHER = b"\x02\x00\x00\x00\x00\x02"
LMK = b"lmk lmk lmk lmk "
PMK = b"pmk pmk pmk pmk "


class Watch:
    """An observer that writes down everything."""

    def __init__(self):
        self.log = []

    def sent(self, token, peer, message):
        self.log.append(("sent", token, message))

    def answered(self, token, outcome, attempts, at_us):
        self.log.append(("answered", token, outcome))

    def received(self, message):
        self.log.append(("received", message.message))

    def dropped(self, reason, source, at_us):
        self.log.append(("dropped", reason, source))

    def ignored(self, reason, destination):
        self.log.append(("ignored", reason, destination))

    def discarded(self, messages):
        self.log.append(("discarded", [record.message for record in messages]))

    def drops(self):
        return [entry[1] for entry in self.log if entry[0] == "dropped"]


class Rig:
    def __init__(self, profile="esp32", *, values=None, rxbuf=None, start=True, **more):
        self.clock = ManualClock()
        self.link = ScriptedLink(self.clock)
        self.link.station = self
        values = iter(values) if values is not None else count(1)
        config = PROFILES[profile].node
        self.node = Node(config, self.link, lambda: next(values), **more)
        self.node.configure(RadioConfig(addresses=((Interface.STA, ME),), channel=1, receiver_on=True))
        self.watch = self.node.observer = Watch()
        if start:
            self.node.start(config.rxbuf if rxbuf is None else rxbuf)

    def outcome(self, token, outcome, attempts, at_us):
        self.node.outcome(token, outcome, attempts, at_us)

    def send(self, address=PEER, message=b"x"):
        (peer,) = self.node.targets(address, message)
        self.node.transmit(peer, message)
        return parse(self.link.frames[-1])

    def hear(self, message=b"x", *, source=PEER, to=ME, random_value=1, retry=False, seq=0, version=1):
        mpdu = build(to, source, message, seq=seq, random_value=random_value, version=version, retry=retry)
        return self.node.received(mpdu, -50, self.clock.now_us)

    def hear_sealed(self, key, message=b"x", *, source=PEER, random_value=1, packet_number=1):
        mpdu = build_protected(
            ME, source, message, seq=0, random_value=random_value, key=key, packet_number=packet_number
        )
        return self.node.received(mpdu, -50, self.clock.now_us)


@pytest.fixture
def rig():
    return Rig()


def code_of(call, *arguments):
    with pytest.raises(NodeError) as caught:
        call(*arguments)
    return caught.value.code


# Telling the observer.


def test_what_the_node_does_not_look_at_is_told(rig):
    idle = Rig(start=False)
    idle.hear()
    idle.hear(to=BROADCAST)
    assert idle.watch.log == [("ignored", DropReason.NOT_ACTIVE, ME), ("ignored", DropReason.NOT_ACTIVE, BROADCAST)]
    deaf = Rig("esp8266")
    deaf.hear(to=BROADCAST)
    assert deaf.watch.log == [("ignored", DropReason.GROUP_UNHEARD, BROADCAST)]
    rig.hear(to=OTHER)
    assert rig.watch.log == []
    for quiet in (idle, deaf):
        quiet.node.observer = None
        assert not quiet.hear(to=BROADCAST)


def test_what_is_thrown_away_unread_is_told(rig):
    for number in range(3):
        rig.hear(str(number).encode(), random_value=number)
    rig.watch.log.clear()
    rig.node.discard_unread(rig.node.ring.messages.popleft())
    assert rig.watch.log == [("discarded", [b"0", b"1", b"2"])]
    assert (len(rig.node.ring), rig.node.ring.used) == (0, 0)
    rig.node.discard_unread()
    rig.hear(b"3", random_value=3)
    rig.node.stop()
    rig.node.stop()
    assert rig.watch.log[1:] == [("received", b"3"), ("discarded", [b"3"])]


# Receiving.


def test_duplicates_are_retries_with_the_random_value_of_the_last_message(rig):
    assert rig.hear(b"one", random_value=7)
    assert not rig.hear(b"one", random_value=7, retry=True)
    assert not rig.hear(b"one", random_value=7, retry=True)
    assert rig.hear(b"two", random_value=7)  # not marked as a retry
    assert rig.hear(b"three", random_value=8, retry=True)  # the first attempt was lost
    assert rig.hear(b"one", random_value=7, retry=True)  # only the last value is remembered
    assert not rig.hear(b"one", random_value=7, retry=True, source=OTHER)  # for the whole station
    assert rig.node.stats.rx_duplicates == 3
    assert rig.watch.drops() == [DropReason.DUPLICATE] * 3
    assert [message.message for message in rig.node.ring.messages] == [b"one", b"two", b"three", b"one"]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.sampled_from([PEER, OTHER])), max_size=40))
def test_the_rule_for_duplicates_holds_for_any_sequence(plan):
    rig = Rig(rxbuf=100_000)
    last = None
    for number, retry, source in plan:
        expected = not (retry and number == last)
        assert rig.hear(random_value=number, retry=retry, source=source) is expected
        last = number
    assert rig.node.stats.rx_packets + rig.node.stats.rx_duplicates == len(plan)


def test_a_message_that_the_ring_dropped_is_not_delivered_by_its_retry():
    rig = Rig(rxbuf=20)
    assert rig.hear(b"12345")
    assert not rig.hear(b"6", random_value=2)
    rig.node.ring.messages.popleft()
    assert not rig.hear(b"6", random_value=2, retry=True)
    assert (rig.node.stats.rx_dropped, rig.node.stats.rx_duplicates) == (1, 1)


frames = st.one_of(
    st.builds(
        lambda to, source, message, value, retry, version: build(
            to, source, message, seq=1, random_value=value, version=version, retry=retry
        ),
        st.sampled_from([ME, OTHER, BROADCAST, b"\x33\x33\0\0\0\1"]),
        st.sampled_from([PEER, OTHER]),
        st.binary(min_size=1, max_size=250),
        st.integers(0, 5),
        st.booleans(),
        st.sampled_from([1, 2]),
    ),
    st.builds(
        lambda lmk, message, value, number: build_protected(
            ME, PEER, message, seq=1, random_value=value, key=derive_key(DEFAULT_PMK, lmk), packet_number=number
        ),
        st.sampled_from([LMK, PMK]),
        st.binary(min_size=1, max_size=250),
        st.integers(0, 5),
        st.integers(1, 1000),
    ),
    st.binary(max_size=80),
)


@settings(max_examples=60)
@given(st.lists(st.one_of(frames, st.just("read"), st.just("peer"), st.just("forget")), max_size=25))
def test_every_frame_is_counted_once_and_none_ends_the_node(plan):
    rig = Rig()
    node = rig.node
    heard = 0
    for step in plan:
        before = node.stats.rx_packets, len(rig.watch.log)
        if step == "read":
            if node.ring.messages:
                node.ring.messages.popleft()
        elif step == "peer":
            if node.peers.find(PEER) is None:
                node.add_peer(Peer(PEER, LMK, encrypt=True))
        elif step == "forget":
            if node.peers.find(PEER) is not None:
                node.remove_peer(PEER)
        else:
            taken = node.received(step, -60, 1)
            assert taken is (node.stats.rx_packets == before[0] + 1)
            assert len(rig.watch.log) - before[1] <= 1
            heard += len(rig.watch.log) - before[1]
        assert node.ring.used <= node.ring.size
    stats = node.stats
    refused = (
        stats.rx_dropped
        + stats.rx_malformed
        + stats.rx_duplicates
        + stats.rx_undecryptable
        + stats.rx_unencrypted
        + stats.rx_too_long
    )
    assert refused == len(rig.watch.drops())
    assert stats.rx_packets + refused == heard
    assert (stats.tx_packets, stats.tx_responses, stats.tx_failures) == (0, 0, 0)


def test_frames_for_others_are_not_even_counted(rig):
    assert not rig.hear(to=OTHER)
    assert rig.watch.log == []
    assert rig.hear(to=BROADCAST, random_value=2)
    assert rig.hear(to=b"\x33\x33\0\0\0\x01", random_value=3)


def test_an_inactive_node_hears_nothing():
    rig = Rig(start=False)
    assert not rig.hear()
    rig.node.start(526)
    assert rig.hear()
    rig.node.stop()
    assert not rig.hear(random_value=2)
    assert len(rig.node.ring) == 0


def test_messages_are_no_longer_than_the_board_accepts():
    short, long = Rig(), Rig("esp32-v2")
    message = b"x" * 251
    assert not short.hear(message, version=2)
    assert short.watch.drops() == [DropReason.TOO_LONG]
    assert long.hear(message, version=2)


def test_an_esp8266_hears_no_group_and_takes_plain_from_an_encrypted_peer():
    rig = Rig("esp8266")
    assert not rig.hear(to=BROADCAST)
    rig.node.add_peer(Peer(PEER, LMK, encrypt=True))
    assert rig.hear(random_value=2)


# Keys.


def test_keys_are_made_when_a_peer_is_added_or_modified_and_not_later(rig):
    node = rig.node
    node.set_pmk(PMK)
    node.add_peer(Peer(PEER, LMK, encrypt=True))
    first = derive_key(PMK, LMK)
    other_pmk, other_lmk = b"another pmk 0123", b"another lmk 0123"
    node.set_pmk(other_pmk)
    assert open_protected(rig.send(), first).message == b"x"
    assert rig.hear_sealed(first, random_value=50)
    assert not rig.hear_sealed(derive_key(other_pmk, LMK), random_value=51)
    node.modify_peer(node.get_peer(PEER))
    second = derive_key(other_pmk, LMK)
    assert open_protected(rig.send(), second).message == b"x"
    assert rig.hear_sealed(second, random_value=52)
    assert not rig.hear_sealed(first, random_value=53)
    peer = node.get_peer(PEER)
    peer.lmk = other_lmk  # a copy: nothing changes until it is given back
    assert open_protected(rig.send(), second).message == b"x"
    node.modify_peer(peer)
    assert open_protected(rig.send(), derive_key(other_pmk, other_lmk)).message == b"x"
    assert rig.watch.drops() == [DropReason.WRONG_KEY] * 2


def test_a_modification_that_is_refused_changes_no_key(rig):
    rig.node.add_peer(Peer(PEER, LMK, encrypt=True))
    peer = rig.node.get_peer(PEER)
    peer.lmk, peer.channel = PMK, 6
    assert code_of(rig.node.modify_peer, peer) is EspNowCode.CHAN
    assert open_protected(rig.send(), derive_key(DEFAULT_PMK, LMK)).message == b"x"


def test_without_a_key_a_sealed_frame_is_dropped_and_a_plain_one_where_there_is_one(rig):
    key = derive_key(DEFAULT_PMK, LMK)
    assert not rig.hear_sealed(key)
    rig.node.add_peer(Peer(PEER, LMK, encrypt=True))
    assert not rig.hear(random_value=2)
    assert rig.hear(to=BROADCAST, random_value=3)  # broadcasts are never encrypted
    assert rig.watch.drops() == [DropReason.NO_KEY, DropReason.PLAIN_FROM_ENCRYPTED]


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.sampled_from(["send", "full", "remove", "modify"]), st.integers(0, 2), st.integers(0, 2)),
        max_size=40,
    )
)
def test_packet_numbers_of_a_key_grow_and_are_never_used_twice(plan):
    rig = Rig()
    node = rig.node
    lmks = [bytes((number,)) * 16 for number in (1, 2, 3)]
    addresses = [PEER[:5] + bytes((number,)) for number in (1, 2, 3)]
    used = {}
    for step, which, lmk in plan:
        address = addresses[which]
        if node.peers.find(address) is None:
            node.add_peer(Peer(address, lmks[lmk], encrypt=True))
        if step == "remove":
            node.remove_peer(address)
        elif step == "modify":
            peer = node.get_peer(address)
            peer.lmk = lmks[lmk]
            node.modify_peer(peer)
        elif step == "full":
            rig.link.run_out_of_memory(1)
            assert code_of(node.transmit, node.get_peer(address), b"x") is EspNowCode.NO_MEM
        else:
            sent = rig.send(address)
            key = node.peers.get(address).key
            assert key == derive_key(DEFAULT_PMK, node.peers.get(address).lmk)
            assert open_protected(sent, key).message == b"x"
            numbers = used.setdefault(key, [])
            numbers.append(sent.packet_number)
    for numbers in used.values():
        assert numbers == list(range(1, len(numbers) + 1))


def test_the_packet_number_is_what_the_receiver_decrypts_with(rig):
    rig.node.add_peer(Peer(PEER, LMK, encrypt=True))
    first, second = rig.send(), rig.send()
    assert (first.packet_number, second.packet_number) == (1, 2)
    assert rig.link.frames[0] != rig.link.frames[1]
    assert callable(decrypt)


def test_packet_numbers_begin_where_they_are_told():
    rig = Rig(first_packet_number=1 << 40)
    others = PEER[:5] + b"\x77"
    rig.node.add_peer(Peer(PEER, LMK, encrypt=True))
    rig.node.add_peer(Peer(others, bytes(16), encrypt=True))
    sent = [rig.send(), rig.send(), rig.send(others)]
    assert [frame.packet_number - (1 << 40) for frame in sent] == [0, 1, 0]


def test_encryption_follows_a_changed_address_and_any_addr3(rig):
    rig.node.add_peer(Peer(PEER, LMK, encrypt=True))
    key = derive_key(DEFAULT_PMK, LMK)
    assert rig.send().source == ME
    rig.node.configure(RadioConfig(addresses=((Interface.STA, OTHER),), channel=1, receiver_on=True))
    sealed = rig.send()
    assert (sealed.source, open_protected(sealed, key).message) == (OTHER, b"x")
    heard = []
    for number, (to, bssid) in enumerate(((OTHER, BROADCAST), (OTHER, OTHER), (ME, BROADCAST), (OTHER, BROADCAST)), 1):
        mpdu = build_protected(to, PEER, b"hi", seq=0, random_value=number, key=key, packet_number=number, bssid=bssid)
        heard.append(rig.node.received(mpdu, -50, rig.clock.now_us))
    assert heard == [True, True, False, True]


# Sending.


def test_sequence_numbers_go_up_and_wrap_and_one_is_not_lost_to_a_full_link(rig):
    rig.node.add_peer(Peer(PEER))
    numbers = []
    for index in range(4_100):
        if index % 1_000 == 0:
            rig.link.run_out_of_memory(1)
            assert code_of(rig.node.transmit, rig.node.get_peer(PEER), b"x") is EspNowCode.NO_MEM
        numbers.append(rig.send().seq)
        rig.link.frames.clear()
    assert numbers == [(numbers[0] + index) % 4096 for index in range(4_100)]


def test_two_frames_in_a_row_never_have_the_same_random_value():
    rig = Rig(values=[5, 5, 5, 6, 6, 5])
    rig.node.add_peer(Peer(PEER))
    assert [rig.send().random_value for _ in range(3)] == [5, 6, 5]


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(["send", "broadcast", "acknowledge", "refuse", "withhold", "full", "wait", "restart"]),
        max_size=40,
    )
)
def test_every_frame_that_was_handed_over_is_answered_once(plan):
    rig = Rig()
    node = rig.node
    responses = failures = 0

    def register():
        for address in (PEER, BROADCAST):
            node.add_peer(Peer(address))

    register()
    for step in plan:
        if step in ("send", "broadcast"):
            rig.send(PEER if step == "send" else BROADCAST)
        elif step == "full":
            rig.link.run_out_of_memory(1)
            before = node.stats.tx_packets
            assert code_of(node.transmit, node.get_peer(PEER), b"x") is EspNowCode.NO_MEM
            assert node.stats.tx_packets == before
        elif step == "wait":
            rig.clock.advance(5_000)
        elif step == "restart":
            node.stop()
            assert not node.pending
            node.start(526)
            register()
        else:
            getattr(rig.link, step)()
        stats = node.stats
        assert stats.tx_packets - stats.tx_responses == len(node.pending)
        assert failures <= stats.tx_failures <= stats.tx_responses
        assert responses <= stats.tx_responses
        responses, failures = stats.tx_responses, stats.tx_failures
    rig.link.acknowledge()
    rig.clock.advance(1_000_000)
    assert not node.pending
    assert node.stats.tx_packets == node.stats.tx_responses
    answered = [token for kind, token, *_ in rig.watch.log if kind == "answered"]
    sent = [token for kind, token, *_ in rig.watch.log if kind == "sent"]
    assert sorted(answered) == sorted(sent)  # those too that were under way when ESP-NOW was stopped
    assert node.stats.tx_responses <= len(answered)


def test_outcomes_unknown_and_refused():
    rig = Rig()
    rig.node.add_peer(Peer(PEER))
    rig.link.script(["unknown", "refuse", "acknowledge"])
    for _ in range(3):
        rig.send()
        rig.clock.advance(5_000)
    stats = rig.node.stats
    assert (stats.tx_packets, stats.tx_responses, stats.tx_failures) == (3, 3, 1)
    rig.node.outcome(99, Outcome.NOT_ACKNOWLEDGED, 7, 0)
    rig.node.outcome(1, Outcome.NOT_ACKNOWLEDGED, 7, 0)
    assert (stats.tx_responses, stats.tx_failures) == (3, 1)


def test_who_gets_a_message(rig):
    node = rig.node
    assert code_of(node.targets, None, b"x") is EspNowCode.NOT_FOUND
    assert code_of(node.targets, PEER, b"x") is EspNowCode.NOT_FOUND
    for address in (BROADCAST, PEER, OTHER):
        node.add_peer(Peer(address))
    assert [peer.address for peer in node.targets(None, b"x")] == [PEER, OTHER]
    assert [peer.address for peer in node.targets(BROADCAST, b"x")] == [BROADCAST]
    for message in (b"", b"x" * 251):
        assert code_of(node.targets, PEER, message) is EspNowCode.ARG
    node.stop()
    assert code_of(node.targets, PEER, b"") is EspNowCode.NOT_INIT


def test_an_esp8266_sends_to_strangers_from_its_first_interface():
    rig = Rig("esp8266")
    sent = rig.send(OTHER)
    assert isinstance(sent, Frame)
    assert (sent.source, sent.destination) == (ME, OTHER)


def test_the_refusals_of_transmit(rig):
    node = rig.node
    rig.node.add_peer(Peer(PEER, channel=1))
    node.add_peer(Peer(OTHER, interface=1))
    node.configure(RadioConfig(addresses=((Interface.STA, ME),), channel=6, receiver_on=True))
    assert code_of(node.transmit, node.peers.get(PEER), b"x") is EspNowCode.CHAN
    assert code_of(node.transmit, node.peers.get(OTHER), b"x") is EspNowCode.IF
    node.configure(RadioConfig())
    assert code_of(node.transmit, node.peers.get(PEER), b"x") is EspNowCode.IF
    assert rig.link.frames == []


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("set_pmk", (PMK,)),
        ("add_peer", (Peer(PEER),)),
        ("get_peer", (PEER,)),
        ("modify_peer", (Peer(PEER),)),
        ("remove_peer", (PEER,)),
    ],
)
def test_an_inactive_node_refuses_to_be_changed(name, arguments):
    rig = Rig(start=False)
    assert code_of(getattr(rig.node, name), *arguments) is EspNowCode.NOT_INIT


def test_stop_forgets_peers_messages_and_keys_and_keeps_what_was_counted(rig):
    node = rig.node
    node.set_pmk(PMK)
    node.add_peer(Peer(PEER, LMK, encrypt=True))
    rig.send()
    rig.clock.advance(5_000)
    rig.hear(to=BROADCAST)
    node.stop()
    assert (len(node.peers), len(node.ring), len(node.pending)) == (0, 0, 0)
    assert (node.stats.tx_packets, node.stats.tx_responses, node.stats.rx_packets) == (1, 1, 1)
    node.start(526)
    node.start(9)  # without effect while active
    assert node.ring.size == 526
    node.add_peer(Peer(PEER, LMK, encrypt=True))
    assert open_protected(rig.send(), derive_key(DEFAULT_PMK, LMK)).message == b"x"


def test_nodes_that_share_a_frame_judge_it_each_for_itself():
    plain = build(ME, PEER, b"plain", seq=1, random_value=7, retry=True)
    sealed = build_protected(
        ME, PEER, b"sealed", seq=2, random_value=8, key=derive_key(DEFAULT_PMK, LMK), packet_number=1
    )
    group = build(BROADCAST, PEER, b"group", seq=3, random_value=9)
    broken = plain[:-1]
    rigs = [Rig(), Rig("esp8266"), Rig(), Rig(), Rig(start=False)]
    free, chip, keyed, wrong, _ = rigs
    keyed.node.add_peer(Peer(PEER, LMK, encrypt=True))
    wrong.node.add_peer(Peer(PEER, bytes(16), encrypt=True))
    for mpdu in (plain, broken, sealed, group, plain, bytes(bytearray(group))):
        for rig in rigs:
            rig.node.received(mpdu, -50, 1)
    heard = [[entry[1] for entry in rig.watch.log if entry[0] == "received"] for rig in rigs]
    assert heard == [
        [b"plain", b"group", b"plain", b"group"],
        [b"plain"],
        [b"sealed", b"group", b"group"],
        [b"group", b"group"],
        [],
    ]
    assert free.watch.drops() == [DropReason.MALFORMED, DropReason.NO_KEY]
    assert chip.watch.drops() == [DropReason.MALFORMED, DropReason.NO_KEY, DropReason.DUPLICATE]
    plain_refused = DropReason.PLAIN_FROM_ENCRYPTED
    assert keyed.watch.drops() == [plain_refused, DropReason.MALFORMED, plain_refused]
    assert wrong.watch.drops() == [plain_refused, DropReason.MALFORMED, DropReason.WRONG_KEY, plain_refused]

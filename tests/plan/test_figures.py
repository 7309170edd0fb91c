"""What a run's counts become: delivery as the receivers have it, and what the senders know of."""

import pytest

from espnow.air.scene import StreamResult
from espnow.plan import planfile, run
from espnow.plan.results import _delivery, _tried


def counts(**some):
    return StreamResult(
        **dict.fromkeys(("made", "dropped", "sent", "acknowledged", "failed", "attempts", "heard", "delivered"), 0)
        | {"latency_us": 0.0}
        | some
    )


@pytest.mark.parametrize(
    ("some", "wanted", "delivery"),
    [
        # To one station: the receiver's view, whatever the sender knows.
        ({"acknowledged": 6, "failed": 4, "delivered": 8}, None, 0.8),
        ({"acknowledged": 6, "failed": 2, "delivered": 8, "dropped": 2}, None, 0.8),
        ({}, None, None),
        # It arrived, and its acknowledgement is on its way when the run ends.
        ({"acknowledged": 0, "failed": 0, "delivered": 1}, None, 1.0),
        # To all: of those in reach.
        ({"sent": 10, "acknowledged": 10, "delivered": 20}, 4, 0.5),
        ({"sent": 10, "acknowledged": 10, "delivered": 0}, 0, None),
        ({"sent": 8, "acknowledged": 8, "delivered": 16, "dropped": 2}, 2, 0.8),
    ],
)
def test_delivery_is_what_receivers_decoded(some, wanted, delivery):
    assert _delivery([(counts(**some), wanted)]) == delivery


def test_what_was_tried_is_what_is_done_with():
    assert _tried(counts(acknowledged=3, failed=2, delivered=4, dropped=1)) == 6


def test_acknowledgements_that_are_lost_are_told_apart_from_messages_that_are(write):
    """The receiver hears the sender well, and its own power is too little for its answers to arrive."""
    path = write(
        'duration = "200ms"\nseeds = 1\n[[station]]\nname = "a"\nat = [0, 0]\n'
        '[[station]]\nname = "b"\nat = [10, 0]\npower = -20\n[air]\npath_loss_exponent = 5\n'
        '[[traffic]]\nfrom = "a"\nto = "b"\nsize = 20\nevery = "50ms"\nfirst = "0ms"\n'
    )
    (work,) = run.work_of(planfile.read(path))
    figures = run.run_once(work)["traffic"]["0"]
    assert figures["delivery"] == 1
    assert figures["acknowledged"] == 0
    assert figures["latency_ms"] is None
    assert figures["throughput_kbit_s"] > 0

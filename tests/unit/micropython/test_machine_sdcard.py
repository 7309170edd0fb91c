"""machine.SDCard: a block device, and what is mounted of it."""

import pytest

from espnow.board.card import CARD_BYTES, Card
from espnow.errors import UserError
from espnow.lab import Lab
from espnow.micropython.flash import BLOCK, Flash
from espnow.testing import Bench


@pytest.fixture
def machine(rig):
    return rig.module("machine")


@pytest.fixture
def bench():
    return Bench()


# The device


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"slot": 0, "width": 8},
        {"slot": 1, "width": 4},
        {"slot": 2, "sck": 18, "mosi": 23, "miso": 19, "cs": 5, "freq": 10_000_000},
        {"slot": 3, "cd": 4, "wp": 2},
        {"slot": 1, "sck": 14, "cmd": 15, "data": (2, 4, 12, 13), "width": 4},
    ],
)
def test_spellings(machine, options):
    assert machine.SDCard(**options).info() == (CARD_BYTES, 512)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"slot": 4}, "slot number must be between 0 and 3"),
        ({"slot": -1}, "slot number must be between 0 and 3"),
        ({"width": 8}, "width must be 1 or 4"),
        ({"width": 2, "slot": 0}, "width must be 1 or 4"),
        ({"slot": 2, "cs": 99}, "invalid pin"),
    ],
)
def test_what_is_refused(machine, options, text):
    with pytest.raises(ValueError, match=text):
        machine.SDCard(**options)
    with pytest.raises(TypeError):
        machine.SDCard(2)


def test_blocks(rig, machine):
    card = machine.SDCard()
    assert [card.ioctl(request, 0) for request in (1, 2, 3, 4, 5, 6)] == [0, 0, 0, CARD_BYTES // 512, 512, -1]
    assert card.writeblocks(7, b"a" * 512 + b"b" * 512) is True
    buffer = bytearray(1536)
    assert card.readblocks(6, buffer) is True
    assert buffer == bytes(512) + b"a" * 512 + b"b" * 512
    last = CARD_BYTES // 512 - 1
    assert card.writeblocks(last, bytes(512)) is True
    for block, count in ((last, 2), (last + 1, 1), (-1, 1)):
        assert card.writeblocks(block, bytes(512 * count)) is False
        assert card.readblocks(block, bytearray(512 * count)) is False
    rig.board.reset()
    assert machine.SDCard().readblocks(7, buffer) is True
    assert buffer[:512] == b"a" * 512
    assert machine.SDCard(slot=2).readblocks(7, buffer) is True
    assert buffer == bytes(1536)  # another slot has another card


@pytest.mark.parametrize(("options", "us"), [({}, 205), ({"width": 4}, 51), ({"slot": 2, "freq": 1_000_000}, 4096)])
def test_time(rig, machine, options, us):
    card = machine.SDCard(**options)
    card.readblocks(0, bytearray(512))
    assert rig.clock.now_us == pytest.approx(us + 20, abs=1)


def test_no_card(rig, machine):
    card = machine.SDCard()
    outside = rig.board.ports.sdcard(1)
    card.writeblocks(0, b"x" * 512)
    outside.remove()
    assert repr(outside) == f"<card of {CARD_BYTES} bytes, taken out>"
    with pytest.raises(OSError) as caught:
        card.info()
    assert caught.value.args[0] == 116
    assert [card.ioctl(request, 0) for request in (1, 4, 5)] == [-1, -1, -1]
    assert card.readblocks(0, bytearray(512)) is False
    assert card.writeblocks(0, bytes(512)) is False
    with pytest.raises(OSError) as caught:
        rig.module("os").mount(card, "/sd")
    assert caught.value.args[0] == 19
    buffer = bytearray(512)
    outside.insert()
    assert card.readblocks(0, buffer) and buffer == b"x" * 512
    outside.insert(1_000_000)
    assert card.info() == (999_936, 512)
    assert card.readblocks(0, buffer) and buffer == bytes(512)


def test_which_slots_there_are(rig):
    assert isinstance(rig.board.ports.sdcard(), Card)
    with pytest.raises(UserError, match="has slots 0 to 3 for memory cards, not 4"):
        rig.board.ports.sdcard(4)


# What is mounted

MOUNTS = [
    "import machine, os\nos.mount(machine.SDCard(), '/sd')",
    "import machine, vfs\nvfs.mount(vfs.VfsFat(machine.SDCard(slot=2)), '/sd')",
    "import machine, uos\nuos.mount(uos.VfsLfs2(machine.SDCard()), '/sd', readonly=False)",
]


@pytest.mark.parametrize("mount", MOUNTS)
def test_a_mounted_card_is_a_directory(bench, mount):
    names = bench.run(
        f"""
{mount}
import os
with open("/sd/log.csv", "w") as file:
    file.write("1,2")
os.mkdir("/sd/more")
found = sorted(os.listdir("/sd")), open("/sd/log.csv").read(), "sd" in os.listdir("/")
blocks = os.statvfs("/sd")[2:4], os.statvfs("/")[2:4]
"""
    )
    assert names["found"] == (["log.csv", "more"], "1,2", True)
    assert names["blocks"] == ((CARD_BYTES // BLOCK, CARD_BYTES // BLOCK - 2), (512, 512))


def test_umount_by_path_and_by_object(bench):
    names = bench.run(
        """
import machine, os
card = machine.SDCard()
seen = []
for which in ("/sd", card):
    os.mount(card, "/sd")
    try:
        os.mount(card, "/sd")
    except OSError as error:
        seen.append(error.args[0])
    os.chdir("/sd")
    open("a", "a").write("x")
    os.umount(which)
    seen += os.getcwd(), "sd" in os.listdir("/")
    for call in (os.listdir, os.stat, lambda path: open(path + "/a"), lambda path: open(path + "/b", "w")):
        try:
            call("/sd")
        except OSError as error:
            seen.append(error.args[0])
os.mount(card, "/sd")
seen.append(open("/sd/a").read())
"""
    )
    assert names["seen"] == [1, "/", False, 2, 2, 2, 2] * 2 + ["xx"]


def test_nothing_is_renamed_onto_a_card_or_off_it(bench):
    names = bench.run(
        """
import machine, os
card = machine.SDCard()
os.mount(card, "/sd")
open("/sd/a", "w").write("x")
open("/b", "w").write("y")
errors = []
for old, new in (("/b", "/sd/b"), ("/sd/a", "/a")):
    try:
        os.rename(old, new)
    except OSError as error:
        errors.append(error.args[0])
os.rename("/sd/a", "/sd/c")
names = os.listdir("/sd"), os.listdir("/")
os.umount("/sd")
os.mkdir("/sd")  # a directory of the flash, which a program may make before it mounts
there = "sd" in os.listdir("/")
os.mount(card, "/sd")
names += (os.listdir("/sd"),)
"""
    )
    assert names["errors"] == [1, 1]
    assert names["names"] == (["c"], ["b", "sd"], ["c"])
    assert names["there"]


def test_a_card_has_its_own_size(bench):
    bench.board.ports.sdcard(1).insert(3 * BLOCK)
    names = bench.run(
        """
import machine, os
os.mount(machine.SDCard(), "/sd")
open("/sd/a", "w").write("x" * 12288)
errors = []
for path in ("/sd/b", "/b"):
    try:
        open(path, "w").write("x")
    except OSError as error:
        errors.append((path, error.args[0]))
free = os.statvfs("/sd")[3]
"""
    )
    assert names["errors"] == [("/sd/b", 28)]
    assert names["free"] == 0


def test_a_folder_of_the_computer_has_what_is_on_the_card(tmp_path):
    (tmp_path / "sd").mkdir()
    (tmp_path / "sd" / "config.json").write_text("{}")
    flash = Flash(tmp_path)
    flash.mount("/sd", CARD_BYTES)
    assert flash.read("/sd/config.json") == b"{}"
    flash.boot()
    assert flash.names("/") == []
    with pytest.raises(OSError):
        flash.read("/sd/config.json")
    flash.mount("/sd", CARD_BYTES)
    assert flash.names("/sd") == ["config.json"]
    for path, number in (("/", 1), ("/sd/config.json", 20), ("/a/b", 2)):
        with pytest.raises(OSError) as caught:
            flash.mount(path, CARD_BYTES)
        assert caught.value.args[0] == number


def test_through_a_reset():
    with Lab() as lab:
        board = lab.board(
            code="""
import machine, os
print(os.listdir("/"))
os.mount(machine.SDCard(), "/sd")
with open("/sd/starts", "a") as file:
    file.write("x")
print(open("/sd/starts").read())
if machine.reset_cause() != machine.DEEPSLEEP_RESET:
    machine.deepsleep(100)
"""
        )
        lab.run(for_ms=3_000)
        assert board.error is None, board.output
        assert board.lines[1::2] == ["x", "xx"]
        assert all("sd" not in line for line in board.lines[::2])
        assert board.sdcard(1).present


# The module sdcard


@pytest.mark.parametrize("profile", ["esp32", "esp8266"])
def test_the_module_sdcard(profile):
    bench = Bench(profile)
    names = bench.run(
        """
import os, sdcard
from machine import Pin, SPI
card = sdcard.SDCard(SPI(1), Pin(15))
os.mount(os.VfsFat(card), "/sd")
open("/sd/a", "w").write("x")
card.writeblocks(3, b"b" * 512)
buffer = bytearray(1024)
card.readblocks(2, buffer)
answers = card.sectors, card.ioctl(4, 0), card.ioctl(5, 0), card.ioctl(1, 0)
errors = []
for call in (card.readblocks, card.writeblocks):
    for block, size in ((card.sectors, 512), (0, 100), (0, 0)):
        try:
            call(block, bytearray(size))
        except OSError as error:
            errors.append(error.args[0])
        except AssertionError:
            errors.append("size")
os.umount("/sd")
"""
    )
    assert names["buffer"] == bytes(512) + b"b" * 512
    assert names["answers"] == (CARD_BYTES // 512, CARD_BYTES // 512, 512, None)
    assert names["errors"] == [5, "size", "size"] * 2
    assert bench.board.ports.sdcard(2).read(3, 1) == b"b" * 512
    bench.board.ports.sdcard(2).remove()
    machine, sdcard = bench.module("machine"), bench.module("sdcard")
    with pytest.raises(OSError, match="no SD card"):
        sdcard.SDCard(machine.SPI(1), machine.Pin(15))

"""esp and esp32: flash, storage, what the chip knows of itself."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.testing import Bench


@pytest.fixture(params=["esp32", "esp8266"])
def any_esp(request, make_rig):
    return make_rig(request.param).module("esp")


@pytest.fixture
def esp32(rig):
    return rig.module("esp32")


def test_nothing_to_debug(any_esp):
    any_esp.osdebug(None)
    any_esp.osdebug(0, 5)


@pytest.mark.parametrize(("profile", "start"), [("esp32", 0x200000), ("esp8266", 0x90000)])
def test_flash_size(make_rig, profile, start):
    esp = make_rig(profile).module("esp")
    assert (esp.flash_size(), esp.flash_user_start()) == (4 * 1024 * 1024, start)


writes = st.tuples(st.integers(0, 3 * 4096), st.binary(max_size=5_000))


@given(st.lists(st.one_of(writes, st.integers(0, 3)), max_size=6), writes)
def test_flash_is_like_flash(steps, read):
    esp = Bench().module("esp")
    model = bytearray(b"\xff" * (5 * 4096))
    for step in steps:
        if isinstance(step, int):
            esp.flash_erase(step)
            model[step * 4096 : (step + 1) * 4096] = b"\xff" * 4096
        else:
            offset, content = step
            esp.flash_write(offset, content)
            for at, byte in enumerate(content, offset):
                model[at] &= byte
    offset, like = read
    buffer = bytearray(len(like))
    assert esp.flash_read(offset, buffer) is None
    assert buffer == esp.flash_read(offset, len(like)) == model[offset : offset + len(like)]


def test_flash_outlives_everything(rig):
    rig.module("esp").flash_write(0, b"abcd")
    rig.board.reset()
    rig.modules.clear()
    assert rig.module("esp").flash_read(0, 4) == b"abcd"


def test_beyond_the_flash(any_esp):
    for call in (
        lambda: any_esp.flash_read(4 * 1024 * 1024, 1),
        lambda: any_esp.flash_write(-1, b"a"),
        lambda: any_esp.flash_erase(1024),
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == 5


def test_names_of_each_chip(make_rig):
    esp32, esp8266 = (make_rig(profile).module("esp") for profile in ("esp32", "esp8266"))
    assert [esp32.LOG_NONE, esp32.LOG_ERROR, esp32.LOG_VERBOSE] == [0, 1, 5]
    assert [esp8266.SLEEP_NONE, esp8266.SLEEP_LIGHT, esp8266.SLEEP_MODEM] == [0, 1, 2]
    esp32.gpio_matrix_in(1, 2, 0)
    esp32.gpio_matrix_out(1, 2, 0, 0)
    for name in ("sleep_type", "deepsleep", "flash_id", "freemem", "meminfo", "check_fw"):
        assert hasattr(esp8266, name)
        assert not hasattr(esp32, name)


def test_an_esp8266_has_its_own_calls(make_rig):
    rig = make_rig("esp8266")
    slept = []
    rig.services = dataclasses.replace(rig.services, deepsleep=slept.append)
    esp = rig.module("esp")
    assert esp.sleep_type() == esp.SLEEP_MODEM
    esp.sleep_type(esp.SLEEP_NONE)
    assert esp.sleep_type() == esp.SLEEP_NONE
    esp.deepsleep(1_500_000)
    esp.deepsleep(1, 2)
    esp.deepsleep()
    assert slept == [1_500, 1, None]
    assert esp.freemem() > 0
    assert esp.meminfo() is None
    assert esp.check_fw()
    assert esp.flash_id() == 0x1640EF


# esp32


def test_an_esp8266_has_no_esp32(make_rig):
    with pytest.raises(ImportError, match="no module named 'esp32'"):
        make_rig("esp8266").module("esp32")


def test_what_the_chip_knows_of_itself(rig, esp32):
    assert esp32.mcu_temperature() == 40
    assert esp32.raw_temperature() == 104
    assert esp32.hall_sensor() == 0
    for capability in (esp32.HEAP_DATA, esp32.HEAP_EXEC):
        for total, free, largest, least in esp32.idf_heap_info(capability):
            assert total > free >= largest >= least > 0
    with pytest.raises(AttributeError, match="module 'esp32' has no attribute 'ULP'"):
        _ = esp32.ULP


def test_partition(esp32):
    Partition = esp32.Partition
    assert (Partition.BOOT, Partition.RUNNING, Partition.TYPE_APP, Partition.TYPE_DATA) == (0, 1, 0, 1)
    running = Partition(Partition.RUNNING)
    assert running.info() == (0, 0, 0x10000, 0x1F0000, "factory", False)
    assert "label=factory" in repr(running)
    Partition.mark_app_valid_cancel_rollback()
    assert len(Partition.find(Partition.TYPE_APP)) == len(Partition.find(label="factory")) == 1
    assert Partition.find(Partition.TYPE_DATA) == []
    for call in (running.get_next_update, lambda: Partition("ota_1")):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.errno == 2


# NVS


def restart(rig):
    """Build the modules anew, as a reset does."""
    rig.board.reset()
    rig.modules.clear()
    return rig.module("esp32").NVS("app")


def test_nvs_keeps_what_is_committed(rig, esp32):
    nvs = esp32.NVS("app")
    nvs.set_i32("count", -5)
    nvs.set_blob("key", b"abc")
    nvs.commit()
    nvs.set_i32("count", 6)
    assert nvs.get_i32("count") == 6
    assert esp32.NVS("app").get_i32("count") == 6
    nvs = restart(rig)
    assert nvs.get_i32("count") == -5
    buffer = bytearray(5)
    assert nvs.get_blob("key", buffer) == 3
    assert buffer == b"abc\0\0"
    nvs.erase_key("count")
    assert restart(rig).get_i32("count") == -5
    nvs = restart(rig)
    nvs.erase_key("count")
    nvs.commit()
    with pytest.raises(OSError, match="ESP_ERR_NVS_NOT_FOUND"):
        restart(rig).get_i32("count")


def test_nvs_takes_text_as_a_blob(esp32):
    nvs = esp32.NVS("app")
    nvs.set_blob("text", "ä")
    buffer = bytearray(2)
    assert (nvs.get_blob("text", buffer), bytes(buffer)) == (2, "ä".encode())


def test_namespaces_are_apart(esp32):
    esp32.NVS("one").set_i32("key", 1)
    esp32.NVS("two").set_i32("key", 2)
    assert (esp32.NVS("one").get_i32("key"), repr(esp32.NVS("one"))) == (1, "<NVS namespace>")


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (lambda nvs: nvs.get_i32("absent"), (-0x1102, "ESP_ERR_NVS_NOT_FOUND")),
        (lambda nvs: nvs.get_i32("blob"), (-0x1102, "ESP_ERR_NVS_NOT_FOUND")),
        (lambda nvs: nvs.get_blob("int", bytearray(9)), (-0x1102, "ESP_ERR_NVS_NOT_FOUND")),
        (lambda nvs: nvs.erase_key("absent"), (-0x1102, "ESP_ERR_NVS_NOT_FOUND")),
        (lambda nvs: nvs.get_blob("blob", bytearray(2)), (-0x110C, "ESP_ERR_NVS_INVALID_LENGTH")),
        (lambda nvs: nvs.set_i32("k" * 16, 1), (-0x1109, "ESP_ERR_NVS_KEY_TOO_LONG")),
    ],
)
def test_nvs_errors(esp32, call, arguments):
    nvs = esp32.NVS("app")
    nvs.set_i32("int", 1)
    nvs.set_blob("blob", b"abc")
    with pytest.raises(OSError) as caught:
        call(nvs)
    assert caught.value.args == arguments


def test_limits_of_nvs(esp32):
    nvs = esp32.NVS("n" * 15)
    for value in (-(1 << 31), (1 << 31) - 1):
        nvs.set_i32("k" * 15, value)
        assert nvs.get_i32("k" * 15) == value


def test_nvs_refusals(esp32):
    for name in ("", "n" * 16):
        with pytest.raises(OSError, match="ESP_ERR_NVS_INVALID_NAME"):
            esp32.NVS(name)
    for value in (1 << 31, -(1 << 31) - 1):
        with pytest.raises(OverflowError):
            esp32.NVS("app").set_i32("key", value)

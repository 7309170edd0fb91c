"""`os` and `io` of a board, over its flash."""

import pytest

from espnow.micropython.flash import BLOCK, Flash
from espnow.testing import Bench


@pytest.fixture
def bench(tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "main.py").write_text("12345")
    return Bench(folder=tmp_path)


@pytest.fixture
def os(bench):
    return bench.module("uos")


def test_looking(os):
    assert os.getcwd() == os.sep == "/"
    assert os.listdir() == os.listdir("/") == os.listdir("/../..") == ["lib", "main.py"]
    assert list(os.ilistdir()) == [("lib", 0x4000, 0, 0), ("main.py", 0x8000, 0, 5)]
    assert os.stat("main.py") == (0x8000, 0, 0, 0, 0, 0, 5, 0, 0, 0)
    assert os.stat("/lib")[0] == os.stat("/")[0] == 0x4000
    assert len(os.urandom(7)) == 7


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda os: os.stat("/none"), 2),
        (lambda os: os.listdir("/none"), 2),
        (lambda os: os.ilistdir("/none"), 2),
        (lambda os: os.ilistdir("main.py"), 20),
        (lambda os: os.chdir("/none"), 2),
        (lambda os: os.chdir("/main.py"), 20),
        (lambda os: os.remove("/none"), 2),
        (lambda os: os.unlink("/none"), 2),
        (lambda os: os.rmdir("/none"), 2),
        (lambda os: os.mkdir("lib"), 17),
        (lambda os: os.rename("none", "a"), 2),
    ],
)
def test_errors(os, call, error):
    with pytest.raises(OSError) as caught:
        call(os)
    assert caught.value.args == (error,)


@pytest.mark.parametrize(("profile", "system"), [("esp32", "esp32"), ("esp8266", "esp8266")])
def test_uname(profile, system):
    name = Bench(profile).module("os").uname()
    assert name.sysname == name[0] == name.nodename == system
    assert f"sysname='{system}'" in repr(name)


def test_changing(bench, os):
    os.mkdir("d")
    os.chdir("d")
    assert os.getcwd() == "/d"
    bench.run("with open('a.txt', 'w') as f: f.write('hello')")
    os.rename("a.txt", "b.txt")
    assert (os.listdir(), os.listdir("/")) == (["b.txt"], ["d", "lib", "main.py"])
    os.chdir("..")
    os.remove("d/b.txt")
    os.rmdir("d")
    os.rmdir("lib")
    assert os.listdir() == ["main.py"]


def test_statvfs_counts_blocks(bench, os):
    size, fragment, blocks, free, available, *_, longest = os.statvfs("/")
    assert (size, fragment, longest) == (BLOCK, BLOCK, 255)
    assert size * blocks == 2 * 1024 * 1024
    assert free == available == blocks
    bench.run(f"open('big', 'wb').write(bytes({BLOCK} + 1))")
    assert os.statvfs("/")[3] == blocks - 2


def test_what_is_mounted_is_a_directory(os):
    os.VfsFat.mkfs(None)
    os.mount(os.VfsFat(None), "/sd")
    os.mount(os.VfsLfs2(None, progsize=256), "/sd")  # it is there
    assert os.listdir("/sd") == []
    os.umount("/sd")
    os.sync()
    assert os.dupterm(None) is None


def test_a_soft_reset_keeps_the_files_and_not_the_directory(bench, os):
    bench.run("import os\nopen('kept', 'w').write('1')\nos.mkdir('d')\nos.chdir('d')")
    bench.soft_reset()
    assert bench.module("os").getcwd() == "/"
    assert bench.module("os").listdir() == ["d", "kept", "lib", "main.py"]


def test_io_opens_the_boards_files_and_not_the_computers(bench, tmp_path):
    program = f"""
import io, uio
with io.open('/x', 'wb') as f: f.write(b'1')
assert open('/x').read() == '1' and uio is io or uio.open is io.open
try:
    io.open({str(tmp_path / "main.py")!r})
except OSError as e:
    print(e.errno)
s = io.StringIO('ab'); b = io.BytesIO(b'ab')
print(s.read(), b.read(1))
w = io.BufferedWriter(b, 2)
w.write(b'xyz'); w.flush()
print(b.getvalue())
"""
    bench.run(program)
    assert bench.output == "2\nab b'a'\nb'axyz'\n"


def test_two_boards_have_files_of_their_own(tmp_path):
    first, second = Bench(folder=tmp_path), Bench(folder=tmp_path)
    first.run("open('a', 'w').write('1')")
    assert second.module("os").listdir() == []
    assert list(tmp_path.iterdir()) == []
    assert Flash(tmp_path).names("/") == []

"""A board's files: one flash in memory above a folder, and one that is a folder, must look the same to a program."""

import os
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espnow.micropython.files import make_open
from espnow.micropython.flash import BLOCK, Flash

FILES = {"main.py": b"print(1)", "lib/x.py": b"X = 1", "lib/deep/y.py": b"", "data.json": b"{}"}


def fill(folder):
    for path, content in FILES.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


@pytest.fixture
def base(tmp_path):
    return fill(tmp_path / "base")


@pytest.fixture(params=["memory", "folder"])
def flash(request, base):
    return Flash(base) if request.param == "memory" else Flash(folder=base)


def tree(flash, path="/"):
    found = {}
    for name in flash.names(path):
        child = f"{path.rstrip('/')}/{name}"
        if flash.kind(child) == "dir":
            found[child] = None
            found.update(tree(flash, child))
        else:
            found[child] = flash.read(child)
            assert flash.size(child) == len(found[child])
    return found


def on_disk(folder):
    return {
        "/" + str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")
    }


# Paths.


@pytest.mark.parametrize(
    ("cwd", "path", "resolved"),
    [
        ("/", "a", "/a"),
        ("/", "", "/"),
        ("/", ".", "/"),
        ("/", "/", "/"),
        ("/", "//a//b/", "/a/b"),
        ("/", "..", "/"),
        ("/", "../../etc/passwd", "/etc/passwd"),
        ("/", "a/../../../b", "/b"),
        ("/lib", "x.py", "/lib/x.py"),
        ("/lib", "../main.py", "/main.py"),
        ("/lib", "/main.py", "/main.py"),
        ("/lib", "", "/lib"),
        ("/", b"a", "/a"),
    ],
)
def test_paths(cwd, path, resolved):
    flash = Flash()
    flash.cwd = cwd
    assert flash.resolve(path) == resolved


@pytest.mark.parametrize(("path", "error"), [("a\0b", 22), ("x" * 256, 36), ("d/" + "x" * 300 + "/y", 36)])
def test_names_that_cannot_be(path, error):
    with pytest.raises(OSError) as caught:
        Flash().resolve(path)
    assert caught.value.args == (error,)


@pytest.mark.parametrize("path", [3, None, 1.5, ["a"]])
def test_what_is_no_path(path):
    with pytest.raises(TypeError):
        Flash().resolve(path)


def test_links_that_lead_out_are_not_there(flash, base, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    (base / "file_out").symlink_to(outside / "secret")
    (base / "dir_out").symlink_to(outside)
    (base / "dangling").symlink_to(tmp_path / "nowhere")
    (base / "inside").symlink_to(base / "lib")
    (base / "lib/up").symlink_to("..")
    os.mkfifo(base / "pipe")
    assert flash.names("/") == ["data.json", "inside", "lib", "main.py"]
    assert flash.read("/inside/x.py") == b"X = 1"
    for path in ("/file_out", "/dir_out", "/dir_out/secret", "/dangling", "/pipe", "/inside/../../outside"):
        assert flash.kind(flash.resolve(path)) is None
    # A new file of such a name is the board's own, and what the link leads to stays as it is.
    make_open(flash)("file_out", "w").write("mine")
    assert flash.read("/file_out") == b"mine"
    assert (outside / "secret").read_text() == "s"
    with pytest.raises(OSError) as caught:
        make_open(flash)("dir_out/new", "w")
    assert caught.value.args == (2,)
    assert sorted(each.name for each in outside.iterdir()) == ["secret"]


# Errors.


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda f: f.read("/none"), 2),
        (lambda f: f.read("/lib"), 21),
        (lambda f: f.names("/none"), 2),
        (lambda f: f.names("/main.py"), 20),
        (lambda f: f.open("/none", create=False), 2),
        (lambda f: f.open("/lib", create=True), 21),
        (lambda f: f.open("/", create=True), 21),
        (lambda f: f.open("/none/a", create=True), 2),
        (lambda f: f.open("/main.py/a", create=True), 20),
        (lambda f: f.open("/main.py", create=True, exclusive=True), 17),
        (lambda f: f.mkdir("/lib"), 17),
        (lambda f: f.mkdir("/main.py"), 17),
        (lambda f: f.mkdir("/"), 17),
        (lambda f: f.mkdir("/none/a"), 2),
        (lambda f: f.mkdir("/main.py/a"), 20),
        (lambda f: f.remove("/none"), 2),
        (lambda f: f.remove("/lib"), 39),
        (lambda f: f.remove("/"), 22),
        (lambda f: f.rename("/none", "/a"), 2),
        (lambda f: f.rename("/main.py", "/none/a"), 2),
        (lambda f: f.rename("/main.py", "/data.json/a"), 20),
        (lambda f: f.rename("/main.py", "/lib"), 21),
        (lambda f: f.rename("/lib", "/main.py"), 20),
        (lambda f: f.rename("/lib", "/lib/deep/a"), 22),
    ],
)
def test_errors(flash, base, call, error):
    before = tree(flash)
    with pytest.raises(OSError) as caught:
        call(flash)
    assert caught.value.args == (error,)
    assert tree(flash) == before == on_disk(base)


@pytest.mark.parametrize(("number", "text"), [(2, "[Errno 2] ENOENT"), (17, "[Errno 17] EEXIST"), (39, "39")])
def test_errors_are_shown_as_micropython_does(number, text):
    with pytest.raises(OSError) as caught:
        {2: lambda f: f.remove("/a"), 17: lambda f: f.mkdir("/"), 39: _remove_full}[number](Flash())
    assert str(caught.value) == text
    assert caught.value.errno == number


def _remove_full(flash):
    flash.mkdir("/d")
    flash.mkdir("/d/e")
    flash.remove("/d")


# Space.


def test_a_full_flash(base):
    flash = Flash(base, size=4 * BLOCK)
    assert (flash.blocks, flash.used_blocks) == (4, 0)  # what it began with costs nothing
    content = flash.open("/a", create=True)
    flash.write("/a", content, 0, bytes(3 * BLOCK))
    flash.mkdir("/d")
    for call in (
        lambda: flash.write("/a", content, len(content), b"x"),
        lambda: flash.cut("/a", content, 3 * BLOCK + 1),
        lambda: flash.mkdir("/e"),
        lambda: flash.open("/main.py", create=False),  # a copy would need a block
    ):
        with pytest.raises(OSError) as caught:
            call()
        assert caught.value.args == (28,)
        assert len(content) == 3 * BLOCK
    flash.write("/a", content, 0, bytes(3 * BLOCK))  # over what is there
    flash.remove("/d")
    flash.write("/a", content, len(content), b"x")
    flash.remove("/a")
    assert flash.used_blocks == 0


# As a whole.

NAMES = st.sampled_from(["/a", "/lib", "/lib/a", "/lib/x.py", "/lib/deep", "/lib/deep/y.py", "/main.py", "/a/b", "/"])
OPERATIONS = st.one_of(
    st.tuples(st.just("write"), NAMES, st.binary(max_size=5)),
    st.tuples(st.just("append"), NAMES, st.binary(max_size=5)),
    st.tuples(st.just("mkdir"), NAMES, st.just(None)),
    st.tuples(st.just("remove"), NAMES, st.just(None)),
    st.tuples(st.just("rename"), NAMES, NAMES),
)


def do(flash, operation):
    what, path, more = operation
    try:
        if what in ("write", "append"):
            with make_open(flash)(path, "wb" if what == "write" else "ab") as file:
                file.write(more)
        elif what == "rename":
            flash.rename(path, more)
        else:
            getattr(flash, what)(path)
    except OSError as error:
        return error.args
    return None


@settings(max_examples=60, deadline=None)
@given(plan=st.lists(OPERATIONS, max_size=12))
def test_in_memory_above_a_folder_or_in_a_folder_is_the_same(tmp_path_factory, plan):
    folder = tmp_path_factory.mktemp("flash")
    read_only, written = fill(folder / "base"), fill(folder / "folder")
    in_memory, in_folder = Flash(read_only), Flash(folder=written)
    above = Flash(read_only, folder=folder / "new" / "state")
    for operation in plan:
        assert do(in_memory, operation) == do(in_folder, operation) == do(above, operation), operation
        assert tree(in_memory) == tree(in_folder) == tree(above) == on_disk(written), operation
    assert on_disk(read_only) == {
        **{f"/{path}": content for path, content in FILES.items()},
        "/lib": None,
        "/lib/deep": None,
    }
    assert tree(Flash(folder=written)) == tree(in_folder)  # who comes later finds it
    shutil.rmtree(folder)


def test_a_flash_without_a_folder_is_empty():
    flash = Flash()
    assert flash.names("/") == []
    flash.mkdir("/d")
    make_open(flash)("d/a", "w").write("1")
    assert tree(flash) == {"/d": None, "/d/a": b"1"}
    assert flash.changed("/d/a")
    assert not flash.changed("/main.py")


def test_a_directory_can_take_the_place_of_an_empty_one(flash):
    flash.mkdir("/empty")
    flash.mkdir("/full")
    flash.mkdir("/full/x")
    with pytest.raises(OSError) as caught:
        flash.rename("/lib", "/full")
    assert caught.value.args == (39,)
    flash.rename("/lib", "/empty")
    assert flash.names("/") == ["data.json", "empty", "full", "main.py"]
    assert flash.read("/empty/x.py") == b"X = 1"
    assert flash.names("/empty/deep") == ["y.py"]


def test_what_the_computer_puts_into_a_flash_is_there_at_once_and_what_is_only_read_is_read_once(base):
    written, read_only = Flash(folder=base), Flash(base)
    for flash in (written, read_only):
        assert flash.kind("/new") is None
        assert flash.read("/data.json") == b"{}"
    (base / "new").write_bytes(b"1")
    (base / "data.json").write_bytes(b"[]")
    assert (written.kind("/new"), written.read("/data.json")) == ("file", b"[]")
    assert (read_only.kind("/new"), read_only.read("/data.json")) == (None, b"{}")


# Files.


@pytest.fixture
def open_(flash):
    return make_open(flash)


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        ("w", None, b"NEW"),
        ("w", b"old one", b"NEW"),
        ("a", None, b"NEW"),
        ("a", b"old", b"oldNEW"),
        ("x", None, b"NEW"),
        ("r+", b"old one", b"NEW one"),
        ("w+", b"old one", b"NEW"),
        ("a+", b"old", b"oldNEW"),
    ],
)
@pytest.mark.parametrize("binary", ["", "b"])
def test_modes(flash, open_, mode, before, after, binary):
    if before is not None:
        with open_("f", "wb") as file:
            file.write(before)
    file = open_("f", mode + binary)
    assert file.write(b"NEW" if binary else "NEW") == 3
    assert flash.read("/f") == after  # at once, also if nobody ever closes it
    if "+" in mode:
        file.seek(0)
        assert file.read() == (after if binary else after.decode())
    file.close()
    assert file.closed
    with pytest.raises(ValueError):
        file.write(b"x" if binary else "x")


@pytest.mark.parametrize("mode", ["q", "rw", "ra", "wx", "r+w", 5, ""])
def test_modes_that_cannot_be(open_, mode):
    if mode == "":
        assert open_("main.py", mode).read() == "print(1)"
        return
    with pytest.raises(ValueError):
        open_("main.py", mode)


@pytest.mark.parametrize(("mode", "call"), [("r", lambda f: f.write("x")), ("w", lambda f: f.read())])
def test_what_a_file_was_not_opened_for(open_, mode, call):
    with pytest.raises(OSError):
        call(open_("main.py", mode))


def test_a_file_as_a_stream(open_):
    with open_("log.txt", "w") as file:
        print("one", 1, file=file)
        file.write("two\r\n")
        file.write(b"three")
    with open_("log.txt") as file:
        assert file.readline() == "one 1\n"
        assert list(file) == ["two\r\n", "three"]
        assert file.read() == ""
        file.seek(4)
        assert file.read(3) == "1\nt"
    with open_("log.txt", "rb") as file:
        buffer = bytearray(5)
        assert file.readinto(buffer) == 5
        assert buffer == b"one 1"
        assert file.readinto(buffer, 1) == 1
        assert file.tell() == 6
        assert file.seek(-5, 2) == 11
        assert file.read(-1) == b"three"
        assert file.readlines() == []
    with open_("log.txt", "r+b") as file:
        file.seek(20)
        file.write("end")  # text is bytes
        assert file.truncate(21) == 21
    assert open_("log.txt", "rb").read() == b"one 1\ntwo\r\nthree\0\0\0\0e"


@pytest.mark.parametrize("binary", ["", "b"])
def test_a_file_is_read_and_written_at_one_place(flash, open_, binary):
    with open_("f", "w") as file:
        assert file.write("é\ntwo\nthree\n") == 13  # bytes, of text as well
    file = open_("f", "r+" + binary)
    assert [(len(line), file.tell()) for line in file] == [(3 if binary else 2, 3), (4, 7), (6, 13)]
    assert file.seek(3) == 3
    assert len(file.read(3)) == 3
    file.write("X")
    assert flash.read("/f") == "é\ntwoXthree\n".encode()
    assert file.seek(-6, 2) == 7
    assert file.seek(1, 1) == 8
    buffer = bytearray(4)
    assert file.readinto(buffer) == 4
    assert buffer == b"hree"
    assert len(file.readline(1)) == 1
    assert not file.read()


@pytest.mark.parametrize("text", ["", "abc", "éa", "aé€😀b", "€€", "😀"])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 9])
def test_text_is_read_by_characters(open_, text, size):
    open_("f", "w").write(text)
    file = open_("f")
    assert file.read(size) == text[:size]
    assert file.tell() == len(text[:size].encode())
    assert file.read() == text[size:]


def test_the_types_of_files_have_names(rig):
    io = rig.module("io")
    assert isinstance(io.open("f", "w"), io.TextIOWrapper)
    assert isinstance(io.open("f", "rb"), io.FileIO)
    assert not isinstance(io.open("f"), io.FileIO)


def test_what_is_no_text(open_):
    open_("f", "w").write(b"\xff\xfe")
    with pytest.raises(UnicodeError):
        open_("f").read()
    assert open_("f", "rb").read() == b"\xff\xfe"


def test_a_file_that_is_read_while_it_is_written(open_):
    writer, reader = open_("f", "wb"), open_("f", "rb")
    assert reader.read() == b""
    writer.write(b"1")
    assert open_("f", "rb").read() == b"1"


def test_what_is_appended_goes_to_the_end(flash, open_):
    first, second = open_("f", "a+b"), open_("f", "ab")
    first.write(b"1")
    second.write(b"2")
    first.seek(0)
    first.write(b"3")
    assert flash.read("/f") == b"123"
    assert first.read() == b""


def test_a_removed_file_can_be_written_to_its_end(flash, open_):
    file = open_("f", "w")
    flash.remove("/f")
    file.write("x")
    file.close()
    assert flash.kind("/f") is None

"""collections, array, re and io of a board."""

import array as host_array
import re as host_re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espnow.micropython import array as own_array
from espnow.micropython import collections as own_collections
from espnow.micropython import re as own_re
from espnow.micropython import streams


@pytest.fixture
def collections(rig):
    return rig.module("collections")


@pytest.fixture
def array(rig):
    return rig.module("array").array


@pytest.fixture
def re(rig):
    return rig.module("re")


@pytest.fixture
def io(rig):
    return rig.module("io")


# collections


@given(st.lists(st.integers()), st.integers(0, 5))
def test_a_deque_keeps_the_newest(items, room):
    queue = own_collections.deque((), room)
    for item in items:
        queue.append(item)
    kept = items[-room:] if room else []
    assert list(queue) == kept
    assert len(queue) == len(kept)
    assert bool(queue) == bool(kept)
    assert list(own_collections.deque(items, room)) == kept
    assert [queue.popleft() for _ in kept] == kept


def test_a_deque_that_checks(collections):
    queue = collections.deque((), 2, 1)
    queue.append(1)
    queue.append(2)
    for call in (lambda: queue.append(3), lambda: queue.appendleft(3), lambda: queue.extend([3])):
        with pytest.raises(IndexError, match=r"^full$"):
            call()
    assert list(queue) == [1, 2]
    assert queue[0] == 1
    assert queue[-1] == 2
    assert queue.pop() == 2
    assert queue.popleft() == 1
    for call in (queue.pop, queue.popleft):
        with pytest.raises(IndexError, match=r"^empty$"):
            call()
    with pytest.raises(TypeError):
        queue[0:1]
    with pytest.raises(IndexError):
        queue[0]


def test_a_deque_may_change_while_it_is_iterated(collections):
    queue = collections.deque((1, 2), 4)
    seen = []
    for item in queue:
        seen.append(item)
        if item == 1:
            queue.append(3)
    assert seen == [1, 2, 3]


def test_a_deque_has_a_length(collections):
    for arguments in ((), ((),), ((), None), ((), 2.5)):
        with pytest.raises(TypeError):
            collections.deque(*arguments)
    with pytest.raises(ValueError, match="maxlen"):
        collections.deque((), -1)


@pytest.mark.parametrize(
    "name", ["clear", "copy", "count", "extendleft", "index", "insert", "remove", "reverse", "rotate"]
)
def test_a_deque_lacks_the_rest(collections, name):
    assert not hasattr(collections.deque((), 1), name)
    with pytest.raises(AttributeError, match=f"'deque' object has no attribute '{name}': "):
        getattr(collections.deque((), 1), name)


def test_what_containers_print(collections):
    assert repr(collections.deque((1,), 2)) == "<deque>"
    assert repr(collections.OrderedDict([("z", 1), ("a", 2)])) == "OrderedDict({'z': 1, 'a': 2})"
    assert repr(collections.namedtuple("T", ("a", "b"))(1, b=2)) == "T(a=1, b=2)"


def test_the_rest_of_collections(rig):
    rig.run(
        """
import collections
from ucollections import namedtuple, OrderedDict, deque
counts = collections.defaultdict(int)
counts["a"] += 1
print(dict(counts), collections.Counter("aa")["a"], namedtuple("T", "a b")(1, 2).b)
"""
    )
    assert rig.lines == ["{'a': 1} 2 2"]


# array


@given(st.sampled_from("bBhHiIlLqQ"), st.lists(st.integers(-(2**70), 2**70)))
def test_an_array_cuts_numbers(code, numbers):
    size = {"l": 4, "L": 4}.get(code) or host_array.array(code).itemsize
    made = own_array.array(code, numbers)
    grown = own_array.array(code)
    for number in numbers:
        grown.append(number)
    stored = own_array.array(code, [0] * len(numbers))
    for index, number in enumerate(numbers):
        stored[index] = number
    extended = own_array.array(code)
    extended.extend(numbers)
    low = -(2 ** (8 * size - 1)) if code.islower() else 0
    expected = [(number - low) % 2 ** (8 * size) + low for number in numbers]
    assert list(made) == list(grown) == list(stored) == list(extended) == expected
    assert memoryview(made).nbytes == size * len(numbers)


def test_arrays_of_buffers(array):
    assert list(array("H", b"\1\2\3\4")) == [0x201, 0x403]
    assert list(array("H", array("B", [1, 2]))) == [1, 2]
    made = array("B", (n for n in range(3)))
    made.extend(b"\7\10")
    made.extend(array("H", [1]))
    assert list(made) == [0, 1, 2, 7, 8, 1, 0]
    assert bytes(made[1:3]) == b"\1\2"
    assert list(array("f", [1, 2.5])) == [1.0, 2.5]


def test_what_an_array_prints(array):
    assert repr(array("L", [1, 2])) == "array('L', [1, 2])"
    assert repr(array("b")) == "array('b')"


def test_wrong_arrays(array):
    for code in ("u", "x", "?"):
        with pytest.raises(ValueError, match="bad typecode"):
            array(code)
    with pytest.raises(TypeError):
        array("B", [1.5])
    with pytest.raises(TypeError):
        array("B").append("a")


# re


@pytest.mark.parametrize(
    ("pattern", "text", "groups"),
    [
        ("a+", "xaab", ("aa",)),
        ("(a+)(b)?", "xaac", ("aa", "aa", None)),
        ("(?:a|b)+c", "ababc", ("ababc",)),
        ("[^a-c]+", "abcxyz", ("xyz",)),
        ("[]x]", "x", None),
        (r"\d+\.\d", "t=21.5", ("21.5",)),
        (r"[\d.]+", "t=21.5", ("21.5",)),
        (r"(\w+)=(\S*)", "key=va-l ue", ("key=va-l", "key", "va-l")),
        ("a{2}", "aa a{2}", ("a{2}",)),
        (r"\bx", "a bx", ("bx",)),
        ("^b", "ab", None),
        ("b$", "ab", ("b",)),
        ("a.*?b", "aabab", ("aab",)),
        ("[[]", "a[b", ("[",)),
        ("[a{]+", "{a", ("{a",)),
        ("[ab]{2}", "aa b{2}", ("b{2}",)),
        ("a.b", "a\nb", ("a\nb",)),
        ("b$", "ab\n", None),
        ("[$]", "a$", ("$",)),
        (r"\w+", "éa", ("a",)),
    ],
)
def test_search(re, pattern, text, groups):
    for subject in (text, text.encode()):
        found = re.search(pattern, subject) if pattern != "[]x]" else None
        if groups is None:
            assert found is None
            continue
        kind = type(subject)
        told = tuple(group if group is None or kind is str else group.encode() for group in groups)
        assert (found.group(0), *found.groups()) == told
        assert re.compile(pattern).search(subject).span() == (found.start(), found.end())


@given(st.text("ab,.", max_size=12), st.sampled_from(["a", "a+", "(a)|b", "[ab]+", ",", "a?", "."]))
def test_search_split_and_sub_agree_with_cpython(text, pattern):
    own, host = own_re.compile(pattern), host_re.compile(pattern)
    for kind in ("match", "search"):
        found, expected = getattr(own, kind)(text), getattr(host, kind)(text)
        assert (found and (found.group(0), found.span())) == (expected and (expected[0], expected.span()))
    if pattern != "a?":
        assert own.sub(r"<\g<0>>", text) == host.sub(r"<\g<0>>", text)
        assert (
            own.sub(lambda m: m.group(0) * 2, text.encode(), 2) == host.sub(lambda m: m[0] * 2, text, count=2).encode()
        )
        if not host.groups:
            assert own.split(text) == host.split(text)
            assert own.split(text, 1) == host.split(text, maxsplit=1)


def test_methods_of_a_match(re):
    found = re.match("(.)(x)?", "ab")
    assert found.group(2) is None
    assert found.span(2) == (-1, -1)
    assert (found.start(1), found.end(1)) == (0, 1)
    assert repr(found) == "<match num=3>"
    for number in (3, -1):
        with pytest.raises(IndexError):
            found.group(number)
    with pytest.raises(TypeError):
        found.group()


def test_a_compiled_expression_takes_a_place(re):
    compiled = re.compile("a")
    assert compiled.search("abca", 1).start() == 3
    assert compiled.search("abca", 1, 3) is None
    assert compiled.match("ba", 1).span() == (1, 2)
    assert re.search(compiled, b"xa").group(0) == b"a"
    assert re.compile(b"a").search("xa").group(0) == "a"


@pytest.mark.parametrize(
    ("repl", "result"),
    [(r"\1\1", "xaay"), (r"\g<1>2", "xa2y"), (r"\\", "x\\y"), (r"\q", "xqy"), ("é", "xéy"), (b"\\1", "xay")],
)
def test_replacements(re, repl, result):
    assert re.sub("(a)b", repl, "xaby") == result
    assert re.sub("(a)b", repl, b"xaby") == result.encode()


def test_what_sub_and_split_refuse(re):
    with pytest.raises(IndexError):
        re.sub("a", r"\1", "a")
    with pytest.raises(NotImplementedError, match="splitting with sub-captures"):
        re.compile("(,)").split("a,b")
    assert re.compile("x?").split("axb") == ["axb"]


@pytest.mark.parametrize("pattern", ["?", "*", "+", "(", "[", "([)", "(?P<n>a)", "(?=a)", "(?i)a", "\\", "a**"])
def test_what_is_no_expression(re, pattern):
    with pytest.raises(ValueError, match="error in regex") as caught:
        re.compile(pattern)
    assert type(caught.value) is ValueError


def test_what_cannot_be_searched(re):
    with pytest.raises(TypeError):
        re.search("a", 5)
    with pytest.raises(TypeError):
        re.compile(5)


# io


def test_bytesio_and_stringio(io):
    for content in (b"abc", "abc", bytearray(b"abc"), memoryview(b"abc")):
        assert io.BytesIO(content).read() == b"abc"
        assert io.StringIO(content).read() == "abc"
    binary, text = io.BytesIO(100), io.StringIO(100)
    assert binary.getvalue() == b""
    assert text.getvalue() == ""
    assert binary.write("aé") == 3
    assert binary.write(b"bcd", 2) == 2
    assert binary.write(bytearray(b"xyz"), 1, 1) == 1
    assert binary.getvalue() == "aébcy".encode()
    assert text.write(b"a\r\n") == 3
    text.write("é")
    assert text.getvalue() == "a\r\né"
    assert (repr(binary), repr(text)) == ("<io.BytesIO>", "<io.StringIO>")
    with io.BytesIO(b"a\nb") as stream:
        assert stream.readline() == b"a\n"
        buffer = bytearray(4)
        assert stream.readinto(buffer) == 1
        assert buffer == b"b\0\0\0"
    with pytest.raises(TypeError):
        io.BytesIO([1])


def test_buffered_writer(io):
    target = []

    class Target(io.IOBase):
        def write(self, buffer):
            target.append(bytes(buffer))
            return len(buffer)

    writer = io.BufferedWriter(Target(), 4)
    assert writer.write(b"abcdef") == 6
    assert writer.write("g") == 1
    assert target == [b"abcd"]
    writer.write(b"hi")
    assert target == [b"abcd", b"efgh"]
    writer.flush()
    writer.flush()
    assert target == [b"abcd", b"efgh", b"i"]


def test_a_program_s_stream_has_only_its_own_methods(rig, io):
    made = io.IOBase("anything", x=1)
    for name in ("read", "readline", "write", "close", "seek", "__iter__", "__del__"):
        assert not hasattr(made, name)
    rig.run(
        """
import io, select
class Ready(io.IOBase):
    def ioctl(self, request, argument):
        return argument & select.POLLIN if request == 3 else -1
poll = select.poll()
poll.register(Ready())
print(poll.poll(0)[0][1])
"""
    )
    assert rig.lines == ["1"]


def test_the_rest_of_a_stream():
    assert streams.read_all(streams.StringIO("abc")) == "abc"

    class Silent:
        def read(self):
            return None

    assert streams.read_all(Silent()) == b""

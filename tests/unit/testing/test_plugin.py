"""The pytest plugin, in runs of pytest of their own."""

import re

import pytest

pytest_plugins = ["pytester"]

SENSOR = """
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
e.add_peer(GATEWAY)
print("sent", e.send(GATEWAY, "21.5"))
"""
GATEWAY = """
import espnow, network
network.WLAN(0).active(True)
e = espnow.ESPNow()
e.active(True)
print("heard", e.recv(5000)[1])
"""


@pytest.fixture
def run(pytester):
    """Return a function that runs tests of its own and returns what pytest printed and counted."""
    pytester.makepyfile(gateway=GATEWAY, sensor='GATEWAY = b"\\x30\\xaa\\xaa\\xaa\\xaa\\xaa"\n' + SENSOR)

    def run_it(body, *arguments):
        path = pytester.makepyfile(test_it=body)
        return pytester.runpytest(path, "-p", "no:randomly", "-p", "no:cacheprovider", *arguments)

    return run_it


def test_a_test_runs_programs_that_lie_beside_it(run, pytester):
    pytester.mkdir("elsewhere")
    result = run(
        """
        def test_it(lab):
            gateway = lab.board("gateway.py", mac="30:aa:aa:aa:aa:aa")
            sensor = lab.board("sensor.py")
            lab.run()
            assert sensor.lines == ["sent True"]
            assert gateway.lines == ["heard b'21.5'"]
        """,
        f"--rootdir={pytester.path / 'elsewhere'}",
    )
    result.assert_outcomes(passed=1)


def test_each_test_has_a_lab_of_its_own_that_is_closed(run):
    result = run(
        """
        labs = []

        def test_one(lab):
            lab.board(code="while True: pass")
            lab.run(for_ms=5)
            labs.append(lab)

        def test_two(lab):
            assert not lab.boards
            assert lab is not labs[0]
            assert labs[0].boards[0].finished
        """
    )
    result.assert_outcomes(passed=2)


def test_the_marker_gives_options(run):
    result = run(
        """
        import pytest

        @pytest.mark.lab(loss=1.0, profile="esp8266")
        def test_it(lab):
            assert lab.air.loss == 1.0
            assert lab.board(code="").hardware.profile.name == "esp8266"
        """,
        "--strict-markers",
    )
    result.assert_outcomes(passed=1)


def test_the_seed_comes_from_the_command_line_and_the_marker_wins(run):
    body = """
        import pytest

        CODE = "import random; print(random.getrandbits(30))"

        def draw(lab):
            board = lab.board(code=CODE, name="draw")
            lab.run()
            print("drew", board.lines[0])

        def test_command_line(lab):
            draw(lab)

        @pytest.mark.lab(seed=1)
        def test_marker(lab):
            draw(lab)
        """
    drawn = [re.findall(r"drew (\d+)", run(body, "-s", *more).stdout.str()) for more in ((), ("--lab-seed=1",))]
    assert drawn[0][0] != drawn[0][1]
    assert drawn[1][0] == drawn[1][1] == drawn[0][1]


FAILING = """
    def test_it(lab):
        gateway = lab.board("gateway.py", mac="30:aa:aa:aa:aa:aa", at=(5000, 0))
        sensor = lab.board("sensor.py")
        lab.board(code="print('\\\\x1b[2J')", name="hostile")
        lab.run()
        assert gateway.lines == ["heard b'21.5'"]
    """


def test_a_failing_test_tells_outputs_frames_and_losses(run):
    result = run(FAILING)
    result.assert_outcomes(failed=1)
    text = result.stdout.str()
    assert "lab: board gateway" in text
    assert "30:aa:aa:aa:aa:aa at (5000, 0), program ended, power on" in text
    assert "| heard None" in text
    assert "| sent False" in text
    frames = [line for line in text.splitlines() if 'sensor > gateway  "21.5"' in line]
    assert len(frames) == 7
    assert frames[-1].endswith("channel 1, attempt 7: not heard")
    assert re.search(r"out of range.*dBm", text)
    assert "\x1b[2J" not in text
    assert "| \\x1b[2J" in text


def test_a_passing_test_tells_nothing(run):
    assert "lab: board" not in run(FAILING.replace("assert", "assert True or"), "-rA").stdout.str()


@pytest.mark.parametrize(
    ("expected", "told"),
    [('"sent Fal"', "sent False"), ('re.compile(r"s..t\\s+F")', "sent False")],
)
def test_expect_returns_the_line(run, expected, told):
    result = run(
        f"""
        import re

        def test_it(lab):
            sensor = lab.board("sensor.py")
            assert sensor.expect({expected}) == {told!r}
            assert 110 < lab.now_ms < 250
        """
    )
    result.assert_outcomes(passed=1)


def test_expect_goes_on_after_what_it_found(run):
    result = run(
        """
        import pytest

        def test_it(lab):
            board = lab.board(code="import time\\nfor n in range(3):\\n    time.sleep(1)\\n    print('tick', n)")
            assert [board.expect("tick") for _ in range(3)] == ["tick 0", "tick 1", "tick 2"]
            assert lab.now_ms >= 3_000
            with pytest.raises(AssertionError, match="board 'code1' did not print 'tick' in 60 s: ended"):
                board.expect("tick")
        """
    )
    result.assert_outcomes(passed=1)


def test_expect_gives_up_in_virtual_time(run):
    result = run(
        """
        import pytest

        def test_it(lab):
            board = lab.board(code="while True: pass")
            with pytest.raises(AssertionError, match="did not print 'x' in 0.05 s: running"):
                board.expect("x", timeout_ms=50)
            assert lab.now_ms == 50
        """
    )
    result.assert_outcomes(passed=1)


def test_pytest_without_a_lab_does_not_load_the_lab(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert "espnow.testing.plugin" in sys.modules
            assert "espnow.lab" not in sys.modules
            assert "greenlet" not in sys.modules
        """
    )
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-p", "no:randomly")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("marker", "told"),
    [
        ("'none.toml'", "*none.toml: No such file or directory"),
        ("'bad.toml'", "*bad.toml: sed: there is no such key; did you mean seed? *"),
        ("sed=3", "*got an unexpected keyword argument 'sed'"),
        ("loss=3", "loss is 3, and must be from 0 to 1"),
        ("profile='esp33'", "there is no profile 'esp33'; there are *"),
    ],
)
def test_a_mistake_in_the_marker_is_one_line(run, pytester, marker, told):
    pytester.makefile(".toml", bad="sed = 3")
    result = run(f"import pytest\n\n@pytest.mark.lab({marker})\ndef test_it(lab):\n    pass")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"@pytest.mark.lab: {told}"])
    result.stdout.no_fnmatch_line("*labfile*.py*")
    result.stdout.no_fnmatch_line("During handling of *")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("lab.board('nope.py')", "UserError: nope.py: No such file or directory"),
        ("lab.board(code='print(1)').expect('a.b c')", "AssertionError: board * did not print 'a.b c' in *"),
    ],
)
def test_a_mistake_in_a_test_is_shown_where_it_stands(run, line, told):
    body = f"def test_it(lab):\n    {line}"
    result = run(body)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f">*{line}", f"E*{told}"])
    result.stdout.no_fnmatch_line("*espnow/lab/*.py*")
    run(body, "--full-trace").stdout.fnmatch_lines(["*espnow/lab/*.py:*"])


def test_a_fixture_that_fails_tells_of_its_lab_too(run):
    result = run(
        """
        import pytest

        @pytest.fixture
        def board(lab):
            made = lab.board(code="print('half way')")
            made.expect("all the way")

        def test_it(board):
            pass
        """
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*lab: board *", "| half way"])


def test_a_lab_of_a_file_takes_programs_that_lie_beside_the_test(run, pytester):
    pytester.mkdir("labs")
    (pytester.path / "labs" / "field.toml").write_text("[[board]]\nname = 'filed'\ncode = ''")
    result = run(
        """
        import pytest

        @pytest.mark.lab("labs/field.toml")
        def test_it(lab, tmp_path, monkeypatch):
            monkeypatch.chdir(tmp_path)
            assert [lab.boards[0].name, lab.board("sensor.py").name] == ["filed", "sensor"]
        """
    )
    result.assert_outcomes(passed=1)

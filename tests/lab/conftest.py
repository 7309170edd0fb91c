import pytest

from espnow.lab import Lab


@pytest.fixture
def make_lab():
    """Return a function that makes a lab, which is closed after the test."""
    labs = []

    def make(**options):
        labs.append(Lab(**options))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def lab(make_lab):
    return make_lab()

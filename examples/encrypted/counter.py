"""A number in a file, so that it outlives a restart."""

FILE = "counter.txt"


def load():
    try:
        with open(FILE) as file:
            return int(file.read())
    except (OSError, ValueError):  # the first start, or power went away while it was written
        return 0


def save(number):
    with open(FILE, "w") as file:
        file.write(str(number))

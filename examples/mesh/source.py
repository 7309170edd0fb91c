"""Tell all boards a number every second."""

from flood import Flood

flood = Flood()
number = 0
while True:
    flood.send("reading %d" % number)
    number += 1
    flood.recv(1000)  # it is a part of the mesh as well, and passes on what it hears

"""Pass on what others say."""

from flood import Flood

flood = Flood()
while True:
    flood.recv(1000)

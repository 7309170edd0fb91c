"""Print what arrives, and how often it was passed on; say when nothing does."""

from flood import Flood

flood = Flood()
while True:
    message = flood.recv(2500)
    if message is None:
        print("nothing arrives")
    else:
        origin, hops, text = message
        print(text, "from", ":".join("%02x" % byte for byte in origin), "over", hops, "boards")

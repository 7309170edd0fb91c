"""What the programs of this example share."""

SSID = "garden"
KEY = "tomatoes and beans"

PROXY = b"\x30\xaa\xaa\xaa\xaa\xaa"

COLLECTOR = "collector"  # its name in the network
PORT = 9000

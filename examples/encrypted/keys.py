"""What door and fob share. Everybody who has this file can open the door: choose other keys."""

# The primary key turns local keys into the ones that are used. All boards of a network have the same one.
PMK = b"change this too!"

# The local key belongs to one pair of boards.
LMK = b"swordfish 48 15!"

DOOR = b"\x30\xaa\xaa\xaa\xaa\xaa"
FOB = b"\x30\xbb\xbb\xbb\xbb\xbb"

"""A board's way to other processes and to real radios, one module each, found by a name such as ``none:``.

Rules: no radio imports another, and none knows boards; each is an `espnow.link.Link`. So far there is `none`.
"""

"""``monitor:wlan1``, a Wi-Fi adapter in monitor mode: the radio that real boards are reached with, on Linux."""

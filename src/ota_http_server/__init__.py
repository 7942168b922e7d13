"""Serves firmware over HTTP(S) to ESP32 and Linux fleets, guarded by short-lived tokens."""

__version__ = "1.2.0"

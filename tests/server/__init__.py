"""The server on real sockets: every test talks to a started process."""

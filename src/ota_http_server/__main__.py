"""`python -m ota_http_server`."""

from ota_http_server.cli import main

if __name__ == "__main__":
    main()

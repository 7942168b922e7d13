"""`python http_server.py …` serves firmware, as `ota_http_server …` does.

Works in a checkout that is not installed, as long as the dependencies are.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))

try:
    from ota_http_server.cli import main
except ModuleNotFoundError as error:
    sys.exit(
        f"http_server.py: {error.name} is not installed; `make run` sets everything up,"
        " or: pip install --require-hashes -r requirements/run.txt"
    )

if __name__ == "__main__":
    main()

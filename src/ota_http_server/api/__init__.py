"""The doors for programs: Flask blueprints that answer JSON."""

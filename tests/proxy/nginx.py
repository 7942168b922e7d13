"""The real nginx with the configuration that we ship, in a folder of its own."""

import re
from pathlib import Path

from tests.proxy.front import Front

SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx" / "ota.conf"

MAIN = """
daemon off;
user www-data;
pid {root}/nginx.pid;
error_log {root}/main.error.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    client_body_temp_path {root}/body;
    proxy_temp_path {root}/proxy;
    fastcgi_temp_path {root}/fastcgi;
    uwsgi_temp_path {root}/uwsgi;
    scgi_temp_path {root}/scgi;
    include {root}/ota.conf;
}}
"""


class Nginx(Front):
    program = "nginx"
    options = ("-p", "{root}", "-c", "{root}/main.conf")

    def _configure(self) -> None:
        """The shipped file with this machine's places, as its reader changes them."""
        text = SHIPPED.read_text()
        places = {
            "/etc/nginx/ota/": f"{self.root}/",
            "/var/log/nginx/": f"{self.root}/",
            "/var/lib/ota_http_server/data/": f"{self.cluster.any.data_dir}/",
            "mycompany.com;": "localhost;",
            "listen 8070 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
        }
        for shipped, ours in places.items():
            assert shipped in text
            text = text.replace(shipped, ours)
        ports = iter(self.cluster.instances)
        text = re.sub(
            r"(?m)^( +server 127\.0\.0\.1:)\d+", lambda m: f"{m[1]}{next(ports).port}", text
        )
        (self.root / "ota.conf").write_text(text)
        (self.root / "main.conf").write_text(MAIN.format(root=self.root))

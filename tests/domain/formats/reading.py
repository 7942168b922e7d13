"""How the tests of every format read an image and change one."""

from ota_http_server.domain.image import BytesSource, read_image


def read(content):
    return read_image(BytesSource(bytes(content)))


def changed(content, at, new):
    return content[:at] + new + content[at + len(new) :]

"""The three clients that speak hawkBit's device interface (DDI), each as strict as it is."""

from ota_http_server.simulation.hawkbit.ddi import Target
from ota_http_server.simulation.hawkbit.rauc import Rauc
from ota_http_server.simulation.hawkbit.swupdate import SwUpdate
from ota_http_server.simulation.hawkbit.zephyr import Zephyr

__all__ = ["Rauc", "SwUpdate", "Target", "Zephyr"]

"""The dialect of hawkBit's Direct Device Integration, version 1, for its clients as they are:
SWUpdate, rauc-hawkbit-updater, Zephyr.

They poll `/{tenant}/controller/v1/{controllerId}` and follow the links in the answer. hawkBit's
words stay in here: its action is our attempt, its target our device, its module the attempt again.
"""

from ota_http_server.protocols.hawkbit.actions import Actions
from ota_http_server.protocols.hawkbit.asked import Operations
from ota_http_server.protocols.hawkbit.door import Hawkbit

__all__ = ["Actions", "Hawkbit", "Operations"]

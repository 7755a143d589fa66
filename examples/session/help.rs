//! What `--help` says.

pub const HELP: &str = "\
Opens, keeps alive and ends a login session.

  cargo run --example session                      every provider's whole life, on simulators
  cargo run --example session -- PROVIDER [OPTIONS]
  cargo run --example session -- PROVIDER [OPTIONS] --exec COMMAND…
  cargo run --example session -- PROVIDER [OPTIONS] --listen 127.0.0.1:PORT
  cargo run --example session -- --serve PROVIDER [--port N] [--limits HOW] [--body PATH=FILE]

PROVIDER is one of
  cbrain         CBRAIN (BrainPortal), /session
  ibkr-gateway   Interactive Brokers, Client Portal Gateway
  ibkr-oauth1a   Interactive Brokers, Web API with OAuth 1.0a
  ibkr-oauth2    Interactive Brokers, Web API with OAuth 2.0
  kotak-trade    Kotak Securities, Trade API
  kotak-neo      Kotak Securities, Neo

OPTIONS
  --url URL             the server; without it an embedded simulator with users of its own
  --for SECONDS         stay so long once active, then log out (default 0)
  --keepalive SECONDS   look so often whether the session lives (default: the provider's)
  --save FILE           write the session to FILE (mode 0600) whenever a crash must not lose something;
                        with --for the session is left open at the server in the end. FILE is new, empty
                        or a saved session: nothing else is overwritten. One process at a time has it
  --resume FILE         go on with the session in FILE; asks for no password while that one lives. Without
                        --save only the end of the session is written to FILE
  --relogin             log in again after a proven expiry, at most 3 times a day
  --patience SECONDS    give an opening up after so long in trouble (default 60), a logout after 30 at the
                        latest; given by name, a session that has been open, too, which otherwise never is
  --open-patience SECONDS  the same for a session that has been open alone; none: never. With --save its
                        FILE stays good for --resume, which looks first whether it lives
  --logout HOW          what is logged out in the end: opened (default), which leaves a login alone that was
                        found living or given with SANSESSION_TOKEN, always or never
  --ca-file PEM         trust these roots instead of Mozilla's; ibkr-gateway: its own certificate
  --pin SHA256          trust the certificate with this fingerprint, whatever its names and dates
  --allow-plain-http    let passwords and tokens go to another machine in clear
  --again               give each answer once more that was refused before, or may have been: the files of --save
                        and --resume know how many were. Nothing is kept of the answers themselves, so a
                        changed password needs it, too. Not for the command line of a service
  --max-refused N       send so many answers of the environment of one kind that were refused, or lost and so
                        maybe refused, over all starts with one --save FILE (1 to 9, default 1: Kotak and
                        IBKR lock accounts after a few)
  --compete HOW         ibkr-*: never (default, exit code 7), wait or always, where another
                        client holds the brokerage session
  --expect KIND         ibkr-*: paper or live, the kind that the account must be of; a session of another one
                        is not used, and ends with exit code 3
  --expect-user NAME    ibkr-gateway: the user who must be logged in; likewise
  --region REGION       ibkr-*: new-york (default), zug or hong-kong, whose midnight ends sessions
  --signature-key PEM   ibkr-oauth*: the private key that signs
  --encryption-key PEM  ibkr-oauth1a: the private key that the access token secret is encrypted for
  --dh-param PEM        ibkr-oauth1a: the Diffie-Hellman parameters
  --realm REALM         ibkr-oauth1a: limited_poa (default), test_realm for TESTCONS
  --key-id ID           ibkr-oauth2: the key's id at IBKR
  --egress-ip IP        ibkr-oauth2: the address that IBKR sees this machine under
  --exec COMMAND…       run the command while the session is open, then log out; exits with its code
                        (128 + signal where it was killed). Everything after --exec is the command
  --listen 127.0.0.1:N  authorize what other programs send to this port (0: a free one); see PROXY
  --secret-file FILE    --listen: write the proxy's secret to FILE (mode 0600) instead of showing it;
                        FILE is removed at the end
  --json                one JSON object a line on stdout; words go to stderr
  --serve PROVIDER      only the simulator, until Ctrl-C; prints its URL and its users
  --port N              the simulator's port (default: any)
  --limits HOW          --serve ibkr-*: which rate limits open the penalty box: reported (default), documented
                        (all of the documentation's table) or off; --serve kotak-neo: documented (default) or off
  --body PATH=FILE      --serve ibkr-*: answer the JSON in FILE under PATH below /v1/api; as often as you want

SECRETS come from files, whose paths are in NAME_FILE, from the environment, or from a prompt on a terminal,
never from arguments. Prefer the files (`chmod 600`, systemd's LoadCredential=, a container's secrets): whoever
runs as the same user, and root, reads a process's environment in /proc/PID/environ, and `docker inspect` and
`systemctl show` tell it too. The names:
  SANSESSION_USER, SANSESSION_PASSWORD, SANSESSION_CODE, SANSESSION_PIN
  SANSESSION_CONSUMER_KEY, SANSESSION_ACCESS_TOKEN, SANSESSION_ACCESS_TOKEN_SECRET (ibkr-oauth1a)
  SANSESSION_CLIENT_ID, SANSESSION_USER (ibkr-oauth2)
  SANSESSION_TOKEN      a token that somebody already has: no login, only a look, and no logout in the end
                        (kotak-trade: the session token, beside SANSESSION_ACCESS_TOKEN)

KOTAK takes these besides, in the same ways:
  SANSESSION_ACCESS_TOKEN      kotak-trade: the gateway's bearer; kotak-neo: the dashboard's token.
                               With _FILE it is read again when a newer one is needed
  SANSESSION_CONSUMER_KEY      kotak-trade: the application's key
  SANSESSION_CONSUMER_SECRET   kotak-trade: its secret, so that bearers are fetched and renewed
  SANSESSION_IP                kotak-trade: the header ip (default 127.0.0.1);
                               kotak-neo: a name for the way out that a saved session is bound to
  SANSESSION_APP_ID            kotak-trade: the header appId (default sansession)
  SANSESSION_UCC               kotak-neo: the client code
  SANSESSION_MOBILE            kotak-neo: the mobile number, of ten digits, with +91 before them or not
  SANSESSION_TOTP_SECRET       kotak-neo: the authenticator's secret (Base32), so that nobody types codes;
                               without it SANSESSION_CODE is good for one try
SANSESSION_CODE is kotak-trade's access code, SANSESSION_PIN is kotak-neo's MPIN. Nothing keeps these
sessions alive, so --keepalive does nothing for them.

JSON LINES have \"t\" (milliseconds since the Unix epoch), \"provider\" and \"event\": send, response,
failure, phase, retrying, need, saved, call, left, listening, started, ended, closed and the codes of the
library's events.

A COMMAND (--exec) is started once the session is usable, with these in its environment, which can be read as
said above, and none of the secrets above:
  SANSESSION_BASE_URL        the address that its calls begin with
  SANSESSION_HEADERS         each header that a call needs, as `Name: value` lines
  SANSESSION_AUTHORIZATION   the header Authorization's value, where the provider has one
  SANSESSION_TOKEN           the token in it, after `Bearer `
They are those of the start. A command that outlives its token (kotak-trade: an hour), and any with
ibkr-oauth1a, where each call is signed, takes --listen beside --exec and these instead:
  SANSESSION_PROXY           the proxy's address
  SANSESSION_PROXY_SECRET    its secret
Standard output and a terminal belong to the command; lines, also those of --json, go to standard error. It
has a process group of its own: Ctrl-C and what ends a program (below, as SIGTERM, a second one as SIGKILL) are
passed on to all of it, and the logout follows its end. If the session ends first, the command gets SIGTERM,
10 s later SIGKILL, and the exit code is the session's. What it leaves running is ended with the session, in the
same way, after 2 s. 126 and 127: the command cannot be started, or is not there; where that can be seen before,
nobody logs in.

The PROXY (--listen) sends what it gets to the provider with tokens or signature, and gives the answer
back; redirects are not followed. A path may begin with the base URL's or not: both
/v1/api/iserver/accounts and /iserver/accounts are right. Headers that tell where a client comes from (X-Forwarded-*, X-Real-IP,
Client-IP, Forwarded) stay here, since CBRAIN ends a session for them. Each call needs the header
  X-Sansession-Secret        from SANSESSION_PROXY_SECRET (16 characters at least), or made anew at each
                             start and shown once
`GET /_session` shows the session's status. What the proxy says itself, and not the provider, is JSON with
\"error\": 503 with Retry-After while there is no session or in a penalty box, 502 and 504 where no
answer came, 403 without the secret, 421 for another Host. It serves one origin, bodies up to 1 MiB,
answers up to 16 MiB in 30 s, 32 calls at a time, and no WebSocket. Without --for it stays until Ctrl-C.

On a terminal a line at the bottom shows phase, next deadline, last answer and retries.

A logout ends what this session opened, in any process that had its --save file; what it found living it leaves
alone, which is told as `left`. --logout says otherwise.

Ctrl-C logs out. SIGTERM, SIGHUP (where `nohup` does not have it ignored) and SIGQUIT log out, with --save they
save and leave the session open. A closed pipe, a full disk and a reader who has stopped reading end no session.

EXIT CODES
  0 logged out or left     3 denied
  4 unavailable, the logout not confirmed, nothing to save to any more, or a file of --save or --resume that
    another process has: nothing is sent then
  5 protocol error         6 expired     7 another client holds the session
  64 usage: an option, a variable or a file that cannot be used

EXAMPLES
  SANSESSION_USER=norm SANSESSION_PASSWORD_FILE=/run/secrets/cbrain \\
    cargo run --example session -- cbrain --url https://portal.example.org --for 3600 --save cbrain.json
  cargo run --example session -- cbrain --url https://portal.example.org --resume cbrain.json
  SANSESSION_ACCESS_TOKEN_FILE=token SANSESSION_UCC=ABC12 SANSESSION_MOBILE=+910000000000 \\
  SANSESSION_TOTP_SECRET_FILE=totp SANSESSION_PIN_FILE=mpin \\
    cargo run --example session -- kotak-neo --url https://mis.kotaksecurities.com --for 3600

  session() { cargo run --quiet --example session -- \"$@\"; }
  session cbrain --exec sh -c 'printf %s \"$SANSESSION_HEADERS\" | curl -H @- $SANSESSION_BASE_URL/groups'
  session ibkr-oauth1a --listen 127.0.0.1:0 --exec python3 bot.py
  session ibkr-gateway --listen 127.0.0.1:8080 --secret-file proxy.secret
  (printf 'X-Sansession-Secret: '; cat proxy.secret) | curl -H @- http://127.0.0.1:8080/_session
";

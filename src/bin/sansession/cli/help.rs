//! What `--help` says beside the options, the manual page, and the completions of shells.

use clap_complete::Shell;

use crate::cli::{Usage, parse};

/// The forms of the command line.
pub const USAGE: &str = "\
sansession PROVIDER [OPTIONS]
       sansession PROVIDER [OPTIONS] --exec COMMAND…
       sansession PROVIDER [OPTIONS] --listen 127.0.0.1:PORT
       sansession --serve PROVIDER [--port N] [--limits HOW] [--body PATH=FILE]
       sansession login|status|token|logout|run|proxy|doctor PROFILE [OPTIONS]
       sansession call PROFILE METHOD PATH [--data BODY] [--header 'NAME: VALUE']
       sansession serve PROVIDER [--port N]";

/// What the short help says last.
pub const SHORT: &str = "\
A PROFILE is a table of ~/.config/sansession/profiles.toml with a provider and its options, without secrets.
Without --url it is an embedded simulator. Passwords and tokens come from files, the environment or a prompt:
SANSESSION_USER, SANSESSION_PASSWORD_FILE and others. --help tells of them, of exit codes and of the proxy.";

/// What the long help and the manual page say last.
pub const LONG: &str = "\
PROFILES are the tables of ~/.config/sansession/profiles.toml (XDG_CONFIG_HOME). A key is an option without its --, or a
variable of those below in small letters and without SANSESSION_; a path begins beside the file, or with ~/.
  [portal]
  provider = \"cbrain\"
  url = \"https://portal.example.org\"
  user = \"norm\"
  password-file = \"portal.password\"
A secret itself is refused there, and so is a file of one that others may read. Options of the command line come before the
profile, and so does the environment. The session of a profile is kept in ~/.local/state/sansession/NAME.session
(XDG_STATE_HOME), mode 0600; a process that finds it in use says by whom and since when.
  login       logs in and leaves the session open; status, token and call use it, and log in themselves where they can
  run         keeps it alive: Ctrl-C logs out, SIGTERM leaves it open. Under systemd it tells when the session is usable
              (Type=notify) and feeds the watchdog
  call        prints the body; 1 is its exit code where the provider answers with 400 or more
  status      sends nothing without --check; 6 is its exit code where the session is not open
  doctor      tells of each fault what to do; its exit code is the first fault's: 4 or 64

SECRETS come from files, whose paths are in NAME_FILE, from the environment, or from a prompt on a terminal,
never from arguments. Prefer the files (`chmod 600`, systemd's LoadCredential=, a container's secrets): whoever
runs as the same user, and root, reads a process's environment in /proc/PID/environ, and `docker inspect` and
`systemctl show` tell it too. The names:
  SANSESSION_USER, SANSESSION_PASSWORD, SANSESSION_CODE, SANSESSION_PIN
  SANSESSION_CONSUMER_KEY, SANSESSION_ACCESS_TOKEN, SANSESSION_ACCESS_TOKEN_SECRET (ibkr-oauth1a)
  SANSESSION_CLIENT_ID, SANSESSION_USER (ibkr-oauth2)
  SANSESSION_TOKEN      a token that somebody already has: no login, only a look, and no logout in the end
                        (kotak-trade: the session token, beside SANSESSION_ACCESS_TOKEN)

OAUTH2 is for any server that --issuer, or --token-url and the others, name; --url is where calls go. Without --client-id
the client registers itself. IBKR-RETAIL knows its server. Both take:
  SANSESSION_CLIENT_SECRET     oauth2: the client's secret
  SANSESSION_REFRESH_TOKEN     a refresh token from the server's page; the one in the file of --resume is newer, and counts
  SANSESSION_TOKEN             an access token that somebody already has
A refresh token may serve once: it is stored in the file of --save before it is used, and one whose fate is unknown is
not sent again: somebody is asked for a consent while the session goes on. So --resume needs --save, unless
--rotation fixed says that the server takes one again and again.

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

The PROXY (--listen) sends what it gets to the provider with tokens or signature, and gives the answer back; bodies
of any length flow both ways as they come, and redirects are not followed: a Location at the provider becomes one at
the proxy. A path may begin with the base URL's or not: both /v1/api/iserver/accounts and /iserver/accounts are right,
with ibkr-* /v1/portal/… too. There it
stands where the gateway stood: `GET /` and /sso/… lead to its pages, OPTIONS is answered with 204, and a tickle, status or
validate that comes too soon for IBKR's limits gets the last answer once more, the session's own or another client's. Headers that tell where a client comes from (X-Forwarded-*, X-Real-IP, Client-IP,
Forwarded, Via) stay here, since CBRAIN ends a session for them. The secret is SANSESSION_PROXY_SECRET (16 characters
at least), or made anew at each start and shown once. Each call has it in one of three places:
  X-Sansession-Secret        a header
  http://127.0.0.1:N/SECRET  the first part of the path, for clients that take a base URL and nothing else; it may
                             stand in such a client's own log. One that takes a host and a port gets
                             127.0.0.1:N/SECRET for its host
  Authorization: Basic       the password, with any user
By https (--listen https://127.0.0.1:5000, for clients that have https://localhost:5000 in their code) it shows a
certificate that is made at the first start and kept in ~/.local/state/sansession (XDG_STATE_HOME), mode 0600. `sansession --print-ca` prints whom to trust (REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS, curl --cacert): an authority
for this machine's names alone, whose key is not kept.
`GET /_session` shows the session's status. What the proxy says itself, and not the provider, is JSON with
\"error\": 503 with Retry-After while there is no session or in a penalty box, 502 and 504 where no answer came (in
30 s), 403 without the secret and for a logout, which --allow-logout lets through, 421 for another Host. It serves one
origin and 64 calls at a time; the next one waits up to 30 s; with ibkr-* the WebSocket /ws, too. Without --for it stays until Ctrl-C.

On a terminal a line at the bottom shows phase, next deadline, last answer and retries.

A logout ends what this session opened, in any process that had its --save file; what it found living it leaves
alone, which is told as `left`. --logout says otherwise.

Ctrl-C logs out. SIGTERM, SIGHUP (where `nohup` does not have it ignored) and SIGQUIT log out, with --save they
save and leave the session open. A closed pipe, a full disk and a reader who has stopped reading end no session.

EXIT CODES
  0 logged out or left     1 call: the provider answers with 400 or more     3 denied
  4 unavailable, the logout not confirmed, nothing to save to any more, or a profile or a file of --save or --resume that
    another process has: nothing is sent then
  5 protocol error         6 expired     7 another client holds the session
  64 usage: an option, a variable or a file that cannot be used

EXAMPLES
  SANSESSION_USER=norm SANSESSION_PASSWORD_FILE=/run/secrets/cbrain \\
    sansession cbrain --url https://portal.example.org --for 3600 --save cbrain.json
  sansession cbrain --url https://portal.example.org --resume cbrain.json
  SANSESSION_ACCESS_TOKEN_FILE=token SANSESSION_UCC=ABC12 SANSESSION_MOBILE=+910000000000 \\
  SANSESSION_TOTP_SECRET_FILE=totp SANSESSION_PIN_FILE=mpin \\
    sansession kotak-neo --url https://mis.kotaksecurities.com --for 3600

  sansession oauth2 --issuer https://login.example.org --url https://api.example.org --client-id app \\
    --redirect http://127.0.0.1:8400/callback --save me.json --resume me.json --for 3600
  sansession ibkr-retail --url https://api.ibkr.com/v1/api/mcp-public \\
    --redirect http://127.0.0.1:8400/callback --save me.json --listen 127.0.0.1:8080

  sansession cbrain --exec sh -c 'printf %s \"$SANSESSION_HEADERS\" | curl -H @- $SANSESSION_BASE_URL/groups'
  sansession ibkr-oauth1a --listen 127.0.0.1:0 --exec python3 bot.py
  sansession ibkr-gateway --listen 127.0.0.1:8080 --secret-file proxy.secret
  (printf 'X-Sansession-Secret: '; cat proxy.secret) | curl -H @- http://127.0.0.1:8080/_session

  sansession doctor portal && sansession login portal --open
  sansession call portal GET /groups?page=2
  sansession token portal --header | curl -H @- https://portal.example.org/groups

  sansession completions bash > ~/.local/share/bash-completion/completions/sansession
  sansession man > ~/.local/share/man/man1/sansession.1";

/// Writes the completions of a shell.
pub fn complete(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut parse::definition(), "sansession", &mut script);
    println!("{}", String::from_utf8_lossy(&script).trim_end());
}

/// Writes the manual page.
pub fn man() -> Result<(), Usage> {
    let mut page = Vec::new();
    clap_mangen::Man::new(parse::definition()).render(&mut page)?;
    println!("{}", String::from_utf8_lossy(&page).trim_end());
    Ok(())
}

//! The socket of a profile's session, through which other commands of the same user call while a process has it.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::UnixStream;

use super::crowd::Peer;
use super::{Shared, serve};

/// The socket, until this is dropped.
pub struct Local {
    listener: UnixListener,
    path: PathBuf,
}

impl Local {
    /// Creates the socket in a directory that nobody else may look into.
    ///
    /// # Errors
    /// As from the system: the path may be too long for a socket, or name something else.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            // Left by a process that was killed: this one has the lock of the session.
            Ok(data) if data.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves whoever comes.
    pub async fn accept(self, shared: Arc<Shared>) {
        let Ok(listener) = self.listener.try_clone().and_then(tokio::net::UnixListener::from_std) else { return };
        loop {
            match listener.accept().await {
                Ok((stream, _)) if is_mine(&stream) => {
                    tokio::spawn(serve::serve(stream, Arc::clone(&shared), Arc::new(Peer::local())));
                }
                Ok(_) => {}
                Err(_) => tokio::time::sleep(serve::PAUSE).await,
            }
        }
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Reports whether the user of this process is on the other side, or root.
fn is_mine(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| [own, 0].contains(&peer.uid()))
}

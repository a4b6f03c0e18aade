//! The admin socket in the data directory: for commands of whoever runs the gateway, and for nobody else.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

use super::DataDir;

const NAME: &str = "admin.sock";
/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// A socket that is listened on; it is removed when this goes.
#[derive(Debug)]
pub(super) struct AdminSocket(PathBuf);

/// Where the admin socket of a gateway on this data directory is.
pub fn admin_socket(data_dir: &Path) -> PathBuf {
    data_dir.join(NAME)
}

impl AdminSocket {
    /// Listens in a data directory that is ours, so that a socket that lies there is one that a crash has left.
    ///
    /// # Errors
    /// It can not be made: its path is too long, something else lies there, or the file system has no sockets.
    pub(super) fn listen(data_dir: &DataDir) -> Result<(Self, UnixListener), String> {
        let path = admin_socket(data_dir.path());
        let listener = listen(&path).map_err(|error| format!("{} can not be listened on: {error}", path.display()))?;
        Ok((Self(path), listener))
    }
}

impl Drop for AdminSocket {
    fn drop(&mut self) {
        // The next gateway would remove it as well.
        let _ = fs::remove_file(&self.0);
    }
}

/// Nobody can connect between `bind` and `listen`: by then it is its user's alone, whatever the umask.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let address = SockAddr::unix(path)?;
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
        Ok(_) => return Err(io::Error::other("something that is no socket lies there; move it away")),
        Err(_) => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.bind(&address)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

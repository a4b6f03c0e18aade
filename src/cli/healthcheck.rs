//! `anteroom healthcheck`: asks the configured gateway whether it is alive, for containers that have no other client.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Failure, load};
use crate::settings::Flags;

const PATIENCE: Duration = Duration::from_secs(3);

pub(super) fn run(flags: &Flags) -> Result<(), Failure> {
    let address = reachable(load(flags)?.server.bind);
    let status = ask(address).map_err(|error| Failure::Failed(format!("{address} does not answer: {error}")))?;
    if status == "200" { Ok(()) } else { Err(Failure::Failed(format!("{address}/healthz answered {status}"))) }
}

/// Where a gateway is asked on this machine: one that listens everywhere, on the loopback address.
pub(super) fn reachable(bind: SocketAddr) -> SocketAddr {
    let host = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(host, bind.port())
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET /healthz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut line = [0; 12];
    stream.read_exact(&mut line)?;
    Ok(String::from_utf8_lossy(&line[9..]).into_owned())
}

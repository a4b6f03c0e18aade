//! Providers that misbehave below HTTP, or speak TLS: what they send is written to the socket as it is.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// What is done with a connection once a request was read from it.
pub(crate) type Answer = Arc<dyn Fn(&mut dyn Write) + Send + Sync>;

/// Where nobody listens: no test is given a port of the system's own.
pub(crate) const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

/// A server of connections.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

/// A good answer with this body.
pub(crate) fn ok(body: &str) -> Answer {
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    // Who does not want it leaves; what it leaves behind is of no interest.
    Arc::new(move |stream| drop(stream.write_all(answer.as_bytes())))
}

impl Wire {
    pub(crate) fn start(answer: Answer) -> Self {
        Self::serve(answer, |stream, answer| {
            let mut stream = stream;
            let request = read_request(&mut stream);
            answer(&mut stream);
            request
        })
    }

    /// Over TLS, for `localhost`; gives the certificate of its CA too.
    pub(crate) fn start_tls(answer: Answer) -> (Self, String) {
        let (config, ca) = tls();
        let wire = Self::serve(answer, move |stream, answer| {
            let session = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream);
            let request = read_request(&mut tls);
            if !request.is_empty() {
                answer(&mut tls);
                tls.conn.send_close_notify();
                let _ = tls.flush();
            }
            request
        });
        (wire, ca)
    }

    fn serve(answer: Answer, talk: impl Fn(TcpStream, Answer) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let wire = Self {
            address: listener.local_addr().unwrap(),
            answer: Arc::new(Mutex::new(answer)),
            connections: Arc::default(),
            requests: Arc::default(),
        };
        let (answer, connections) = (Arc::clone(&wire.answer), Arc::clone(&wire.connections));
        let (requests, talk) = (Arc::clone(&wire.requests), Arc::new(talk));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (answer, requests, talk) =
                    (answer.lock().unwrap().clone(), Arc::clone(&requests), Arc::clone(&talk));
                connections.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || {
                    let request = talk(stream, answer);
                    requests.lock().unwrap().push(request);
                });
            }
        });
        wire
    }

    pub(crate) fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// How many connections there have been.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The first lines of the requests that were answered.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|request| request.lines().next().unwrap_or_default().into()).collect()
    }
}

/// Reads the head of a request; nothing from a client that leaves before.
fn read_request(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(read @ 1..) => head.extend_from_slice(&buffer[..read]),
            _ => return String::new(),
        }
    }
    String::from_utf8(head).unwrap()
}

fn tls() -> (Arc<rustls::ServerConfig>, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let leaf_key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &Issuer::new(params, ca_key)).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(leaf_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder().with_no_client_auth();
    (Arc::new(config.with_single_cert(vec![leaf.der().clone()], key).unwrap()), ca.pem())
}

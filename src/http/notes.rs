//! What is noted of an exchange as it goes through the layers: for its log line, and for those that come after.

use std::cell::{Cell, OnceCell};
use std::fmt::Write;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest};

use super::Gateway;
use super::origin::ForwardedCall;
use super::trace::TraceContext;
use crate::core::request::{By, RequestId};
use crate::core::verdict::Verdict;

/// The notes of one exchange. They stand with its request.
pub(super) struct Notes {
    /// Which gateway it is with.
    pub(super) gateway: Data<Gateway>,
    /// The trace that it belongs to.
    pub(super) trace: TraceContext,
    /// What was found out about its token; none when there was none.
    pub(super) verdict: OnceCell<Verdict>,
    /// The queued request that it is about.
    pub(super) about: Cell<Option<RequestId>>,
    /// The error that is answered in another form than a problem's.
    pub(super) error: Cell<Option<&'static str>>,
    /// Whether a person sees the answer.
    pub(super) is_for_people: Cell<bool>,
    /// What a guard was asked.
    pub(super) guarded: OnceCell<Guarded>,
    /// How many bytes its body takes of what all may.
    body_bytes: Cell<usize>,
}

/// Which guard was asked, and about which call.
pub(super) struct Guarded {
    pub(super) guard: Arc<str>,
    pub(super) method: Option<String>,
    pub(super) path: Option<String>,
}

impl Notes {
    /// Begins them: with which gateway the exchange is, and to which trace it belongs.
    pub(super) fn begin(request: &ServiceRequest, gateway: Data<Gateway>) -> Rc<Self> {
        let notes = Rc::new(Self {
            trace: TraceContext::of(request.headers(), &gateway.trace_ids),
            gateway,
            verdict: OnceCell::new(),
            about: Cell::default(),
            error: Cell::default(),
            is_for_people: Cell::default(),
            guarded: OnceCell::new(),
            body_bytes: Cell::default(),
        });
        request.extensions_mut().insert(Rc::clone(&notes));
        notes
    }

    /// Takes so many more bytes for the body, if there are; until the exchange ends.
    pub(super) fn take_body_bytes(&self, bytes: usize) -> bool {
        let is_there = self.gateway.bodies.take(bytes, self.gateway.server.max_batch_bytes);
        if is_there {
            self.body_bytes.set(self.body_bytes.get() + bytes);
        }
        is_there
    }

    /// Those of this request; none outside of the layers that begin them.
    pub(super) fn of(request: &HttpRequest) -> Option<Rc<Self>> {
        request.extensions().get().cloned()
    }
}

impl Drop for Notes {
    fn drop(&mut self) {
        self.gateway.bodies.give_back(self.body_bytes.get());
    }
}

/// Notes what was found out about the token of an exchange.
pub(super) fn note_verdict(request: &HttpRequest, verdict: Verdict) {
    if let Some(notes) = Notes::of(request) {
        // There is one token, and it is judged once.
        _ = notes.verdict.set(verdict);
    }
}

/// Notes which queued request an exchange is about.
pub(super) fn note_request(request: &HttpRequest, id: RequestId) {
    if let Some(notes) = Notes::of(request) {
        notes.about.set(Some(id));
    }
}

/// Notes which error is answered in another form than a problem's.
pub(super) fn note_error(request: &HttpRequest, code: &'static str) {
    if let Some(notes) = Notes::of(request) {
        notes.error.set(Some(code));
    }
}

/// Notes that a person sees the answer: what goes wrong is told on a page.
pub(super) fn for_people(request: &HttpRequest) {
    if let Some(notes) = Notes::of(request) {
        notes.is_for_people.set(true);
    }
}

/// Notes which guard was asked, and about which call.
pub(super) fn note_guarded(request: &HttpRequest, guard: &Arc<str>, call: ForwardedCall<'_>) {
    let path = call.path().map(loggable);
    if let Some(notes) = Notes::of(request) {
        _ = notes.guarded.set(Guarded { guard: Arc::clone(guard), method: call.method.map(str::to_owned), path });
    }
}

/// How much of the path of a guarded call is logged, in bytes.
const MAX_LOGGED: usize = 512;

/// A path as visible ASCII, any other byte as `%XX`.
fn loggable(path: &[u8]) -> String {
    path.iter().take(MAX_LOGGED).fold(String::new(), |mut text, byte| {
        if byte.is_ascii_graphic() {
            text.push(char::from(*byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

/// Who acts in this exchange, for the history of a request.
pub(super) fn by(request: &HttpRequest, actor: &str) -> By {
    let trace_id = Notes::of(request).map(|notes| notes.trace.id().to_owned());
    By { actor: Some(actor.to_owned()), trace_id }
}

/// The trace id of an exchange.
pub(super) fn trace_id(request: &HttpRequest) -> String {
    Notes::of(request).map(|notes| notes.trace.id().to_owned()).unwrap_or_default()
}

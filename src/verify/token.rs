//! A bearer token as it came: read strictly, believed not at all.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::core::claims::UnverifiedClaims;
use crate::core::json::parse_object;
use crate::core::verdict::{Reason, Refusal};

/// The longest token that is read, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;
/// The longest key id that is looked up, in bytes.
pub(super) const MAX_KEY_ID_BYTES: usize = 128;
/// Reads what may not be base64url in the strict sense, to tell what it was meant to be.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::Indifferent),
);

/// Which bytes a token is written in.
const SYMBOLS: [bool; 256] = {
    let mut symbols = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        symbols[byte as usize] =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
        byte += 1;
    }
    symbols
};

/// A token as it was sent, after `Bearer ` or bare: of bearable size, and written in the characters of RFC 6750 section 2.1.
#[derive(Clone, Copy)]
pub struct UnverifiedToken<'t>(&'t str);

impl<'t> UnverifiedToken<'t> {
    /// Takes the credentials that follow `Bearer `, or stand where a token may stand alone.
    ///
    /// # Errors
    /// They are too large to be looked at, or no token at all.
    pub fn from_bearer(unverified_bearer: &'t (impl AsRef<[u8]> + ?Sized)) -> Result<Self, Refusal> {
        let bytes = unverified_bearer.as_ref();
        if bytes.len() > MAX_TOKEN_BYTES {
            let expected = format!("at most {MAX_TOKEN_BYTES} bytes");
            return Err(Refusal::because(Reason::TokenTooLarge, expected, &bytes.len()));
        }
        let end = bytes.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
        let symbols = &bytes[..end];
        match (symbols.iter().position(|byte| !SYMBOLS[usize::from(*byte)]), str::from_utf8(bytes)) {
            (None, Ok(text)) if !symbols.is_empty() => Ok(Self(text)),
            (Some(place), _) => {
                let found = String::from_utf8_lossy(&symbols[place..]).chars().next().unwrap_or_default();
                let found = format!("'{found}' after {place} characters");
                Err(malformed("letters, digits and -._~+/ alone, with = at the end", &found))
            }
            _ => Err(malformed("a token", &())),
        }
    }

    /// Whether it is written like a JWT, be it a spoilt one: the dots, and a segment that begins like a JSON object. Such a token says
    /// something of itself, and is for nobody but the issuer that it names.
    pub fn looks_like_jwt(self) -> bool {
        self.0.matches('.').count() >= 2 && self.0.split('.').any(begins_object)
    }

    /// Whether it has as many segments as a JWT.
    pub(super) fn is_in_segments(self) -> bool {
        self.0.bytes().filter(|byte| *byte == b'.').count() == 2
    }

    /// The characters of the token.
    pub fn as_str(self) -> &'t str {
        self.0
    }
}

/// A signed JWT in compact form (RFC 7515 section 7.1) whose signature has not been checked.
pub struct UnverifiedJwt<'t> {
    /// The token itself.
    pub text: UnverifiedToken<'t>,
    /// What the signature is over: header, dot, payload, as they came.
    pub signing_input: &'t str,
    /// The signature in base64url, known to be well-formed.
    pub signature: &'t str,
    /// What the header says.
    pub unverified_header: UnverifiedHeader,
    /// What the payload says.
    pub unverified_claims: UnverifiedClaims,
}

/// The header parameters that are read. `jwk`, `jku`, `x5u`, `x5c`, `x5t` and all others are not even looked at (RFC 8725 section 3.10).
pub struct UnverifiedHeader {
    /// `alg`: compared with what the configuration allows, never obeyed.
    pub algorithm: String,
    /// `kid`: opaque; a key is looked up by it and nothing else is done with it.
    pub key_id: Option<String>,
    /// `typ`.
    pub token_type: Option<String>,
}

impl<'t> UnverifiedJwt<'t> {
    /// Reads a token. What is not exactly three segments (a JWE has five) is refused before anything is decoded.
    pub fn parse(token: UnverifiedToken<'t>) -> Result<Self, Refusal> {
        let mut segments = token.as_str().split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (segments.next(), segments.next(), segments.next(), segments.next())
        else {
            let count = token.as_str().split('.').count();
            return Err(malformed("three segments with dots between them", &count));
        };
        let unverified_header = UnverifiedHeader::parse(&decode_object("a header", header)?)?;
        let claims = decode_object("a payload", payload)?;
        // Decoded once more where it is checked; what matters here is that one signature has one spelling.
        decode("a signature", signature)?;
        Ok(Self {
            text: token,
            signing_input: &token.as_str()[..header.len() + 1 + payload.len()],
            signature,
            unverified_header,
            unverified_claims: UnverifiedClaims::from_object(claims).map_err(|error| {
                let expected = format!("a claim {} that is {}", error.name, error.expected);
                Refusal::because(Reason::ClaimsInvalid, expected, &"nothing, or something else")
            })?,
        })
    }
}

impl UnverifiedHeader {
    fn parse(header: &Map<String, Value>) -> Result<Self, Refusal> {
        // No extension is understood here, so any `crit`, well-formed or not, is one too many (RFC 7515 section 4.1.11), and a
        // payload that is not base64url (RFC 7797) is not read, whether `crit` says so or not.
        let is_critical = header.contains_key("crit");
        if is_critical || header.get("b64").is_some_and(|encoded| *encoded != Value::Bool(true)) {
            let found = if is_critical { "crit" } else { "b64" };
            return Err(Refusal::because(Reason::CriticalHeaderUnsupported, "no critical extension", &found));
        }
        let key_id = optional_text(header, "kid")?;
        if let Some(length) = key_id.as_ref().map(String::len).filter(|length| *length > MAX_KEY_ID_BYTES) {
            return Err(malformed(format!("a kid of at most {MAX_KEY_ID_BYTES} bytes"), &length));
        }
        Ok(Self {
            algorithm: optional_text(header, "alg")?.ok_or_else(|| malformed("an alg in the header", &()))?,
            key_id,
            token_type: optional_text(header, "typ")?,
        })
    }
}

/// Whether a segment begins like a JSON object, with white space or not, whatever is wrong with the rest of it. The second character
/// counts too, since one opaque token in 256 would pass by the brace alone.
fn begins_object(segment: &str) -> bool {
    let plain = |byte: &u8| if byte.is_ascii_alphanumeric() { *byte } else { b'-' };
    let decode = |group: &[u8]| LENIENT.decode(group.iter().map(plain).collect::<Vec<_>>()).ok();
    let bytes = segment.as_bytes().chunks(4).map_while(decode).flatten();
    let mut visible = bytes.filter(|byte| !byte.is_ascii_whitespace());
    visible.next() == Some(b'{') && visible.next().is_none_or(|byte| b"\"}".contains(&byte))
}

fn malformed(expected: impl Into<String>, unverified_found: &(impl Serialize + ?Sized)) -> Refusal {
    Refusal::because(Reason::TokenMalformed, expected, unverified_found)
}

fn optional_text(header: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(malformed(format!("a {name} in the header that is a text"), &"something else")),
    }
}

/// base64url without padding, without foreign characters and without stray bits in the last one (RFC 7515 section 2, RFC 4648
/// section 3.5), holding one JSON object.
fn decode_object(what: &str, segment: &str) -> Result<Map<String, Value>, Refusal> {
    let json = decode(what, segment)?;
    parse_object(&json)
        .map_err(|error| malformed(format!("{what} that is one JSON object, with no member twice"), &error.to_string()))
}

fn decode(what: &str, segment: &str) -> Result<Vec<u8>, Refusal> {
    let expected = || format!("{what} in base64url without padding");
    URL_SAFE_NO_PAD.decode(segment).map_err(|error| malformed(expected(), &error.to_string()))
}

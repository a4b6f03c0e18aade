//! The code that a device shows and a person types, RFC 8628 section 6.1.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::core::entropy::Entropy;

/// No vowels, so that no word comes of it, and no letters that look alike; 20 of them.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;

/// A user code: 8 letters, 34 bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserCode(String);

impl UserCode {
    /// A fresh one; each letter is as likely as any other.
    pub(super) fn draw(entropy: &dyn Entropy) -> Self {
        let mut code = String::with_capacity(LENGTH);
        while code.len() < LENGTH {
            let drawn: [u8; 16] = entropy.draw();
            // 240 is the largest multiple of 20 that a byte holds.
            let letters = drawn.into_iter().filter(|byte| *byte < 240).map(|byte| LETTERS[usize::from(byte % 20)]);
            code.extend(letters.take(LENGTH - code.len()).map(char::from));
        }
        Self(code)
    }

    /// Under what it is kept.
    pub(super) fn key(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserCode {
    type Err = ();

    /// What a person typed, in small or capital letters, with or without what stands between them.
    fn from_str(typed: &str) -> Result<Self, ()> {
        let is_between = |c: &char| c.is_ascii_whitespace() || matches!(c, '-' | '_' | '.' | '\u{2010}'..='\u{2014}');
        let letters: String = typed.chars().filter(|c| !is_between(c)).take(LENGTH + 1).collect();
        let code = letters.to_ascii_uppercase();
        let is_one = code.len() == LENGTH && code.bytes().all(|letter| LETTERS.contains(&letter));
        if is_one { Ok(Self(code)) } else { Err(()) }
    }
}

impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at_checked(LENGTH / 2).unwrap_or((&self.0, ""));
        write!(f, "{first}-{second}")
    }
}

//! Passwords: which ones are taken, and how they are kept and checked with Argon2id (RFC 9106), a few at a time.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;

use super::line::{Busy, Line};
use crate::core::entropy::Entropy;
use crate::oauth::network::Network;

/// OWASP's figures for Argon2id.
const PARAMS: Params = Params::DEFAULT;
const FEWEST_CHARS: usize = 8;
const MOST_BYTES: usize = 1024;

/// What is checked in place of an unknown account's password, so that it takes as long as a known one's. No password has this hash.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Passwords that are tried first by everybody who guesses, and are long enough otherwise.
const COMMON: [&str; 40] = [
    "11111111",
    "12341234",
    "12345678",
    "123123123",
    "123456789",
    "1234567890",
    "12344321",
    "1q2w3e4r",
    "1q2w3e4r5t",
    "1qaz2wsx",
    "87654321",
    "987654321",
    "00000000",
    "88888888",
    "abc12345",
    "abcd1234",
    "aa123456",
    "admin123",
    "administrator",
    "asdfghjkl",
    "baseball",
    "changeme",
    "computer",
    "football",
    "iloveyou",
    "letmein1",
    "p@ssw0rd",
    "passw0rd",
    "password",
    "password1",
    "password12",
    "password123",
    "princess",
    "q1w2e3r4",
    "qwerty123",
    "qwertyui",
    "qwertyuiop",
    "sunshine",
    "superman",
    "welcome1",
];

/// Whether a password was right.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judged {
    Wrong,
    Right,
    /// And its hash is to be made anew, for it is weaker than those that are made now.
    RightButWeak,
}

/// Hashes and checks passwords.
pub(super) struct Passwords {
    line: Line,
    entropy: Arc<dyn Entropy>,
}

impl Passwords {
    pub(super) fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { line: Line::new(), entropy }
    }

    /// The PHC string of a password that came from there.
    pub(super) async fn hash(&self, password: &SecretString, from: &Network) -> Result<String, Busy> {
        let (password, salt) = (normalized(password), self.entropy.draw::<16>());
        let hashed = self.line.in_turn(from, move || {
            let hashed = hasher().hash_password_with_salt(password.expose_secret().as_bytes(), &salt);
            hashed.map(|hash: PasswordHash| hash.to_string())
        });
        // Password, salt and parameters are of the sizes that it takes, so this does not fail.
        hashed.await?.map_err(|_| Busy)
    }

    /// Whether a password has this PHC string; without one, it is wrong after the same time.
    pub(super) async fn judge(
        &self,
        password: &SecretString,
        phc: Option<String>,
        from: &Network,
    ) -> Result<Judged, Busy> {
        if password.expose_secret().len() > MOST_BYTES {
            return Ok(Judged::Wrong);
        }
        let password = normalized(password);
        self.line.in_turn(from, move || judge(&password, phc.as_deref().unwrap_or(NOBODY))).await
    }
}

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, PARAMS)
}

/// The same characters come as different bytes from different keyboards: NIST SP 800-63B-4 section 3.1.1.2 has NFKC.
fn normalized(password: &SecretString) -> SecretString {
    SecretString::from(password.expose_secret().nfkc().collect::<String>())
}

fn judge(password: &SecretString, phc: &str) -> Judged {
    let Ok(kept) = PasswordHash::new(phc) else { return Judged::Wrong };
    if hasher().verify_password(password.expose_secret().as_bytes(), &kept).is_err() {
        return Judged::Wrong;
    }
    let is_strong = |had: Params| had.m_cost() >= PARAMS.m_cost() && had.t_cost() >= PARAMS.t_cost();
    if Params::try_from(&kept).is_ok_and(is_strong) { Judged::Right } else { Judged::RightButWeak }
}

/// What is wrong with a new password, if anything: length and what is tried first count, and no rules of composition (NIST SP 800-63B-4
/// section 3.1.1.2). `name` is the account's.
pub(super) fn objection(password: &SecretString, name: &str) -> Option<String> {
    let password = password.expose_secret();
    if password.len() > MOST_BYTES {
        return Some(format!("The password has more than {MOST_BYTES} bytes."));
    }
    if password.chars().count() < FEWEST_CHARS {
        return Some(format!("The password has fewer than {FEWEST_CHARS} characters."));
    }
    let lower = password.to_lowercase();
    let is_one_char = lower.chars().all(|char| lower.starts_with(char));
    let is_guessed = COMMON.contains(&lower.as_str()) || is_one_char || lower == name.to_lowercase();
    is_guessed.then(|| {
        "The password is one of those that are tried first. Choose one that is not a common word or a row of keys."
            .into()
    })
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::PasswordHash;
    use argon2::password_hash::{Error, PasswordHasher, PasswordVerifier};
    use argon2::{Algorithm, Argon2, Params, Version};
    use secrecy::SecretString;

    use super::{Judged, NOBODY, PARAMS, hasher, judge, objection};

    #[test]
    fn an_unknown_accounts_password_costs_what_a_known_ones_does() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        let params = Params::try_from(&nobody).unwrap();
        let costs = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(costs(&params), costs(&PARAMS));
        assert_eq!(hasher().verify_password(b"secret", &nobody), Err(Error::PasswordInvalid));
    }

    #[test]
    fn a_hash_weaker_than_todays_is_to_be_made_anew() {
        let password = SecretString::from("correct horse");
        for (m_cost, expected) in [(8, Judged::RightButWeak), (19 * 1024, Judged::Right)] {
            let params = Params::new(m_cost, 2, 1, None).unwrap();
            let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let phc: PasswordHash = hasher.hash_password_with_salt(b"correct horse", &[7; 16]).unwrap();
            assert_eq!(judge(&password, &phc.to_string()), expected);
            assert_eq!(judge(&SecretString::from("correct house"), &phc.to_string()), Judged::Wrong);
        }
        assert_eq!(judge(&password, "no hash"), Judged::Wrong);
    }

    #[test]
    fn only_length_and_what_is_tried_first_count() {
        for (password, name, is_taken) in [
            ("pwd", "alain", false),
            ("1234567", "alain", false),
            ("ééééééé", "alain", false),
            ("Password", "alain", false),
            ("zzzzzzzz", "alain", false),
            ("Alain.Turing", "alain.turing", false),
            ("correct horse", "alain", true),
            ("all lower", "alain", true),
            (&"ab".repeat(512), "alain", true),
            (&"ab".repeat(513), "alain", false),
        ] {
            assert_eq!(objection(&SecretString::from(password), name).is_none(), is_taken, "{password}");
        }
    }
}

//! The names of accounts, in the one spelling that they are found by.
//!
//! A name is compared in lower case and in Unicode's NFKC, as RFC 8265 section 3.3 would have it, with the compatibility mapping
//! besides: `Alain`, `alain` and the same in full-width letters look alike to a reader, and so must not be two people.

use unicode_normalization::UnicodeNormalization;

use crate::oauth::clients::invisible::is_invisible;

/// No name has more characters.
const MOST_CHARS: usize = 64;

/// The spelling that a name is found by; none for what can be no name.
///
/// Letters and digits of any script, and `.`, `_`, `-`, `@` and `+`: nothing that is invisible, that looks like nothing, or that is a
/// colon, which ends the name in HTTP Basic (RFC 7617 section 2).
pub(super) fn normalized(name: &str) -> Option<String> {
    // Normalizing may make a text longer, so what is far too long is not even looked at.
    if name.len() > 4 * MOST_CHARS {
        return None;
    }
    let lower: String = name.nfkc().flat_map(char::to_lowercase).collect();
    let normalized: String = lower.nfkc().collect();
    // Some of what is shown as nothing counts as a letter.
    let is_fine = |char: char| (char.is_alphanumeric() && !is_invisible(char)) || "._-@+".contains(char);
    let is_name = (1..=MOST_CHARS).contains(&normalized.chars().count()) && normalized.chars().all(is_fine);
    is_name.then_some(normalized)
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn what_looks_alike_is_one_name() {
        for name in ["Zoë", "zoë", "ZOE\u{308}", "\u{ff3a}oë"] {
            assert_eq!(normalized(name).as_deref(), Some("zoë"), "{name}");
        }
        assert_eq!(normalized("a.b_c-d@e+1").as_deref(), Some("a.b_c-d@e+1"));
        for name in [
            "",
            "a:b",
            "a b",
            " a",
            "a\u{200b}",
            "a\u{3164}",
            "a\u{115f}",
            "\u{3164}",
            "\u{ffa0}a",
            "a\n",
            "a\0",
            "<b>",
            &"a".repeat(65),
            &"a".repeat(300),
        ] {
            assert_eq!(normalized(name), None, "{name:?}");
        }
        assert!(normalized(&"é".repeat(64)).is_some());
    }
}

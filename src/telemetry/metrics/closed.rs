//! Closed sets of values of a label, so that no label is anything that a caller made up.

/// Declares a closed set of values of a label: variant, value, meaning.
macro_rules! closed {
    ($(#[$meta:meta])* $name:ident { $($variant:ident $label:literal $meaning:literal)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $(#[doc = $meaning] $variant,)*
        }

        impl $name {
            /// Every one there is.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The value of the label.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}
pub(super) use closed;

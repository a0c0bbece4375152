//! Enumerations that Toss may extend without a new API version (toss-api.md A1.3).

/// Declares an enum of known words plus `Other`, which keeps an unknown word as it came.
macro_rules! open_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal $(| $alias:literal)*),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// A word that Toss added later; `UNKNOWN_CODE` for what can be none.
            Other(String),
        }

        impl $name {
            /// Every word known today.
            pub const KNOWN: &[$name] = &[$($name::$variant),+];

            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word $(| $alias)* => Self::$variant,)+
                    // Toss's own example of PAYMENT_STATUS_CHANGED has an empty `method`.
                    other if other.is_empty() || crate::redact::is_word(other) => Self::Other(other.to_owned()),
                    // Nothing that could be a word.
                    _ => Self::Other(crate::redact::UNKNOWN_CODE.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(d)?;
                Ok(Self::from(&*word))
            }
        }
    };
}
pub(crate) use open_enum;

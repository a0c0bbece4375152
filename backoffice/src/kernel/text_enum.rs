//! Enumerations that are a word in SQL, in JSON and in addresses.

/// Declares one. `parse` is for what people and programs write; `stored` for what our own tables hold, where another word
/// means that the books contradict themselves.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Of a column of ours.
            pub fn stored(text: &str) -> Result<Self, crate::Fault> {
                Self::parse(text).ok_or_else(|| {
                    crate::Fault::Inconsistent(format!("{text:?} is no {}", stringify!($name)))
                })
            }
        }
    };
}

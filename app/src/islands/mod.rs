//! The few parts of a page that are alive. Every one of them only makes nicer what works without it.

mod copy;
mod live_count;
mod palette;
mod passkey;
mod progress;
mod refund_guard;

pub use copy::Copy;
pub use live_count::LiveCount;
pub use palette::{Palette, PaletteWords};
pub use passkey::{Passkey, PasskeyWords};
pub use progress::Progress;
pub use refund_guard::{GuardWords, RefundGuard};

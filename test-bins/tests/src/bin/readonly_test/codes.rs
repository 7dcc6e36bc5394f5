//! What children write, and their exit codes.

/// Turns an ID into one that no machine of these tests has.
pub const IMPLAUSIBLE: u32 = 1 << 20;

/// The kernel's value is back.
pub const RIGHT: u8 = 0;
/// What the child wrote is still there.
pub const WRONG: u8 = 1;
/// A call failed, such as the one that changes the CPU.
pub const UNMOVED: u8 = 2;
/// What the child wrote was gone at once.
pub const UNWRITTEN: u8 = 3;
/// Neither: a handler saw another value, or only some of the fences brought the kernel's back.
pub const UNSEEN: u8 = 4;
/// The thread was switched away too often.
pub const INTERRUPTED: u8 = 5;

//! The part of the kernel that reads what front ends send.

#[path = "../../kernel/src/wire/envelope.rs"]
pub mod envelope;
#[path = "../../kernel/src/wire/zmtp.rs"]
pub mod zmtp;

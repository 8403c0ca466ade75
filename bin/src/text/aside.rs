use std::fmt::Display;
use std::io::{Write, stderr};

/// Says a line on standard error. That it can be said is not certain: whoever read there may have
/// gone, and what is asked for goes on without.
pub fn aside(text: impl Display) {
    aside_text(format_args!("{text}\n"));
}

/// Says text that ends its own lines, as [`aside`] does.
pub fn aside_text(text: impl Display) {
    let text = text.to_string();
    // Without an output there is nobody to tell.
    let _ = stderr().lock().write_all(text.as_bytes());
}

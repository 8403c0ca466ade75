use alloc::string::String;

use crate::limits;

/// An error's text as it is kept: cut at [`limits::ERROR_BYTES`].
pub fn cut_error(message: &str) -> String {
    let mut end = message.len().min(limits::ERROR_BYTES);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    String::from(&message[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(cut_error("short"), "short");
        let long = "é".repeat(limits::ERROR_BYTES);
        assert_eq!(cut_error(&long).len(), limits::ERROR_BYTES);
        let odd = cut_error(&["x", &long].concat());
        assert_eq!(odd.len(), limits::ERROR_BYTES - 1);
    }
}

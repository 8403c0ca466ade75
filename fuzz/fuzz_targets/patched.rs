//! Patches of texts that are sound: they reach behind a parser at once.

use std::ops::Range;

/// Further patches of one input are left out.
const MOST: usize = 100;

/// Every four bytes of `patches` change the text at one place. `pieces` are what they put in.
pub fn patched(text: &str, patches: &[u8], pieces: &[&str]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for patch in patches.chunks_exact(4).take(MOST) {
        let at = usize::from(u16::from_be_bytes([patch[0], patch[1]])) % (bytes.len() + 1);
        let (how, what) = (patch[2], usize::from(patch[3]));
        let some = at..bytes.len().min(at + what);
        let piece = pieces[what % pieces.len()].as_bytes();
        let (range, with) = match how % 6 {
            0 => (at..bytes.len().min(at + 1), vec![patch[3]]),
            1 => (at..at, vec![patch[3]]),
            2 => (some, Vec::new()),
            3 => (at..at, bytes[some].to_vec()),
            4 => (at..at, piece.to_vec()),
            _ => (value(&bytes, at), piece.to_vec()),
        };
        bytes.splice(range, with);
    }
    bytes
}

/// Where the value of the next field is, roughly: texts may hold brackets and commas too.
fn value(bytes: &[u8], at: usize) -> Range<usize> {
    let Some(colon) = bytes[at..].iter().position(|byte| *byte == b':') else {
        return at..at;
    };
    let start = at + colon + 1;
    let mut depth = 0_usize;
    for (offset, byte) in bytes[start..].iter().enumerate() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth > 0 => depth -= 1,
            b']' | b'}' | b',' | b'\n' if depth == 0 => return start..start + offset,
            _ => {}
        }
    }
    start..bytes.len()
}

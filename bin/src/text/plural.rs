/// So many things: `1 task`, `2 tasks`.
pub fn counted(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_is_no_plural() {
        let said = [0, 1, 2].map(|count| counted(count, "task"));
        assert_eq!(said, ["0 tasks", "1 task", "2 tasks"]);
    }
}

//! Names, as many of them as an event has room for.

/// Lists at most this many names: `secret/a, secret/b and 3 more`
pub fn listed<'a>(names: impl IntoIterator<Item = &'a String>, most: usize) -> String {
    let mut names = names.into_iter();
    let shown: Vec<&str> = names.by_ref().take(most).map(String::as_str).collect();
    match names.count() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

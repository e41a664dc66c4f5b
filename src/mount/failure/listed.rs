//! Lists of object names that fit into a message.

/// How many names a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// As many as fit in front of a cause, and the count of the rest.
    First,
    /// At most this many, and the count of the rest.
    UpTo(usize),
    /// All names.
    All,
}

/// Names in front of a cause.
const MAX_NAMES: usize = 3;

/// Bytes of names in front of a cause, so that the first 250 bytes of a message hold cause and action.
const MAX_NAMES_BYTES: usize = 64;

/// Returns the list: `secret/a, secret/b and 3 more`.
pub fn listed<'a>(names: impl IntoIterator<Item = &'a str>, how_many: Names) -> String {
    let mut names = names.into_iter().peekable();
    let mut shown = String::new();
    let mut count = 0;
    while let Some(name) = names.peek() {
        let is_room = match how_many {
            Names::First => count < MAX_NAMES && shown.len() + name.len() + 2 <= MAX_NAMES_BYTES,
            Names::UpTo(most) => count < most,
            Names::All => true,
        };
        if count > 0 && !is_room {
            break;
        }
        if count > 0 {
            shown.push_str(", ");
        }
        // A single long name may exceed the limit.
        let kept = match how_many {
            Names::First => &name[..name.floor_char_boundary(MAX_NAMES_BYTES)],
            Names::UpTo(_) | Names::All => name,
        };
        shown.push_str(kept);
        if kept.len() < name.len() {
            shown.push('…');
        }
        names.next();
        count += 1;
    }
    match names.count() {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_names_are_shown_and_the_others_counted() {
        let long = "x".repeat(100);
        for (names, expected) in [
            (vec!["a"], "a".to_owned()),
            (vec!["a", "b", "c"], "a, b, c".to_owned()),
            (vec!["a", "b", "c", "d", "e"], "a, b, c and 2 more".to_owned()),
            (vec!["a", &long], "a and 1 more".to_owned()),
            (vec![&long, "a"], format!("{}… and 1 more", "x".repeat(64))),
        ] {
            assert_eq!(listed(names.clone(), Names::First), expected);
            assert_eq!(listed(names.clone(), Names::All), names.join(", "));
            assert_eq!(listed(names.clone(), Names::UpTo(9)), names.join(", "));
        }
    }
}

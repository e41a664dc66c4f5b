//! Misspelt names, and the known names that they are close to.

use std::fmt;

use super::excerpt::Excerpt;

/// A parameter that is ignored because its name is misspelt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misspelling {
    /// The name as written.
    pub written: Excerpt,
    /// The closest known name.
    pub meant: &'static str,
}

impl fmt::Display for Misspelling {
    /// Writes `parameter "clientId" is unknown (did you mean clientID?)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "parameter {} is unknown (did you mean {}?)", self.written, self.meant)
    }
}

/// Returns the known name that is closest to an unknown one, if any is close. Of equally close names, it is the first.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = comparable(written);
    let length = written.chars().count();
    known
        .into_iter()
        .filter_map(|known| {
            let (limit, compared) = (max_distance(known), comparable(known));
            // The distance is at least the difference in length. A long name is not compared, which is quadratic.
            if length.abs_diff(compared.chars().count()) > limit {
                return None;
            }
            let distance = strsim::osa_distance(&written, &compared);
            (distance <= limit).then_some((distance, known))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Returns the number of wrong letters with which a name is still recognised.
fn max_distance(known: &str) -> usize {
    match known.len() {
        0..=2 => 0,
        3..=7 => 1,
        length => (length - 2) / 3,
    }
}

/// Returns a name without case and word separators, which users spell in many ways.
fn comparable(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_found_by_letters_alone() {
        let known = ["v", "tls", "find", "metrics-port", "metrics-backend", "certs/web.pem"];
        for (written, meant) in [
            ("metric_port", Some("metrics-port")),
            ("Metrics-Backend", Some("metrics-backend")),
            ("finds", Some("find")),
            ("tl", Some("tls")),
            ("cert/web.pem", Some("certs/web.pem")),
            ("w", None),
            ("mode", None),
            ("", None),
            ("😀", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
        assert_eq!(nearest("ab", ["abcde", "abd", "abc"]), Some("abd"));
        assert_eq!(nearest(&"metrics-port".repeat(1_000_000), known), None);
    }
}

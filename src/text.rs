//! The one sanitizer of text that a service, a proxy or a pod author wrote, before a message or the log shows it.
//!
//! A message must fit on one line, have no effect on a terminal, and be the same for each try of the same failure.
//! Kubernetes counts equal events, and shows each different one separately.

/// The longest message of a failure, in bytes: what an event holds
/// (<https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/>).
pub const MAX_MESSAGE_BYTES: usize = 1_000;

/// The longest text of a failure in the log, in bytes. The serving thread writes it, and a SecretProviderClass may have
/// thousands of faults.
pub const MAX_LOG_BYTES: usize = 16 << 10;

/// Returns `text` on one line: each run of blanks and control characters becomes one space. Keeps at most `max_chars`
/// characters, with `…` for the rest.
pub fn one_line(text: &str, max_chars: usize) -> String {
    let mut line = String::new();
    let mut chars = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c)) {
        if word.is_empty() {
            continue;
        }
        if chars > 0 {
            line.push(' ');
            chars += 1;
        }
        for character in word.chars() {
            if chars >= max_chars {
                line.truncate(line.trim_end().len());
                line.push('…');
                return line;
            }
            line.push(character);
            chars += 1;
        }
    }
    line
}

/// Returns whether a character reorders or hides the characters around it, as Unicode's security report describes
/// (<https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing>).
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A message of a service, without the parts that differ from try to try.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceText {
    /// The message on one line. Times are `<time>`, and sentences that only lead to a help page are left out.
    pub message: String,
    /// The ids and times that Azure's support asks for: `Trace ID: 1 Timestamp: 2026-01-01 00:00:00Z`.
    pub ids: String,
}

/// The most bytes of a service's text that are read. Azure's longest texts have two thousand.
const MAX_TEXT_BYTES: usize = 8 << 10;

/// The labels of ids and times in Azure's texts.
const LABELS: [&str; 12] = [
    "Trace ID:",
    "Correlation ID:",
    "Request ID:",
    "RequestId:",
    "Activity ID:",
    "ActivityId:",
    "CorrelationId:",
    "Timestamp:",
    // Labels of firewalls and content networks.
    "Ray ID:",
    "Incident ID:",
    "Support ID:",
    "Reference ID:",
];

/// Hosts of help pages.
const HELP: [&str; 5] =
    ["go.microsoft.com/", "learn.microsoft.com/", "docs.microsoft.com/", "aka.ms/", "support.microsoft.com/"];

/// The beginnings of sentences that say nothing about the failure.
const BOILERPLATE: [&str; 4] = [
    "For help resolving this issue",
    "For more information",
    "If role assignments, deny assignments or role definitions were changed recently",
    "If you recently deleted this",
];

impl ServiceText {
    /// Parses a service's text; keeps at most `max_chars` characters of its message.
    pub fn read(text: &str, max_chars: usize) -> Self {
        let text = one_line(&text[..text.floor_char_boundary(MAX_TEXT_BYTES)], usize::MAX);
        let (text, ids) = without_ids(&text);
        let text = without_help(&without_times(&text));
        Self { message: one_line(&text, max_chars), ids: one_line(&ids, max_chars) }
    }
}

/// Returns the text without labelled ids, and the ids with their labels.
fn without_ids(text: &str) -> (String, String) {
    let (mut kept, mut ids) = (String::new(), Vec::new());
    let mut words = text.split(' ').peekable();
    while let Some(word) = words.next() {
        let label = match words.peek() {
            Some(next) if is_label(&format!("{word} {next}")) => {
                let label = format!("{word} {next}");
                words.next();
                Some(label)
            }
            _ if is_label(word) => Some(word.to_owned()),
            _ => None,
        };
        let Some(label) = label else {
            if !kept.is_empty() {
                kept.push(' ');
            }
            kept.push_str(word);
            continue;
        };
        let mut value = words.next().unwrap_or_default().to_owned();
        // A date is followed by its time.
        if time_length(&value).is_some_and(|length| length == "2026-01-01".len())
            && let Some(time) = words.next_if(|next| next.starts_with(|c: char| c.is_ascii_digit()))
        {
            value = format!("{value} {time}");
        }
        ids.push(format!("{label} {value}"));
    }
    (kept, ids.join(" "))
}

fn is_label(words: &str) -> bool {
    LABELS.iter().any(|label| label.eq_ignore_ascii_case(words))
}

/// Returns the text with `<time>` in place of each date and time.
fn without_times(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_word = false;
    while let Some(first) = rest.chars().next() {
        if !in_word && let Some(length) = time_length(rest) {
            kept.push_str("<time>");
            rest = &rest[length..];
            in_word = true;
            continue;
        }
        in_word = first.is_ascii_alphanumeric();
        kept.push(first);
        rest = &rest[first.len_utf8()..];
    }
    kept
}

/// Returns the length of the date at the beginning of `text`, with the time behind it: ISO 8601, or `12/31/2030
/// 11:59:59 PM +00:00`.
fn time_length(text: &str) -> Option<usize> {
    let date = digits(text, &["dddd-dd-dd", "dd/dd/dddd", "d/dd/dddd", "dd/d/dddd", "d/d/dddd"])?;
    let (_, rest) = text.split_at(date);
    let after_separator = rest.strip_prefix(['T', ' ']).unwrap_or(rest);
    let Some(time) = digits(after_separator, &["dd:dd:dd", "d:dd:dd", "dd:dd"]) else { return Some(date) };
    let mut length = date + (rest.len() - after_separator.len()) + time;
    // Fractions, then AM or PM, then the zone.
    let fraction = text[length..]
        .strip_prefix('.')
        .map_or(0, |rest| 1 + rest.bytes().take_while(u8::is_ascii_digit).count());
    length += fraction;
    for suffix in [" AM", " PM", "Z", " UTC", " GMT"] {
        if text[length..].starts_with(suffix) {
            length += suffix.len();
        }
    }
    let zone = text[length..].trim_start();
    if zone.starts_with(['+', '-']) && digits(&zone[1..], &["dd:dd", "dddd"]).is_some() {
        let blanks = text[length..].len() - zone.len();
        length += blanks + 1 + digits(&zone[1..], &["dd:dd", "dddd"]).unwrap_or_default();
    }
    Some(length)
}

/// Returns the length of the first of these patterns that `text` begins with; `d` is a digit.
fn digits(text: &str, patterns: &[&str]) -> Option<usize> {
    let fits = |pattern: &&&str| {
        text.len() >= pattern.len()
            && pattern.bytes().zip(text.bytes()).all(|(expected, byte)| match expected {
                b'd' => byte.is_ascii_digit(),
                _ => byte == expected,
            })
    };
    patterns.iter().find(fits).map(|pattern| pattern.len())
}

/// Returns the text without sentences that lead to a help page.
fn without_help(text: &str) -> String {
    let is_help = |sentence: &str| {
        HELP.iter().any(|host| sentence.contains(host))
            || BOILERPLATE.iter().any(|beginning| sentence.starts_with(beginning))
    };
    let sentences: Vec<&str> = text.split_inclusive(". ").filter(|sentence| !is_help(sentence)).collect();
    sentences.concat().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_does_nothing_to_a_terminal_and_is_bounded() {
        for (text, max, expected) in [
            ("a\r\n  b\tc", 99, "a b c"),
            ("b\u{7}\u{1b}[1mc", 99, "b [1mc"),
            ("a\u{202e}b\u{200b}c\u{feff}", 99, "a b c"),
            ("", 99, ""),
            (" \n ", 99, ""),
            ("äöü", 2, "äö…"),
            ("äö", 2, "äö"),
            ("ab cd", 3, "ab…"),
        ] {
            assert_eq!(one_line(text, max), expected, "{text:?}");
        }
    }

    #[test]
    fn ids_and_times_are_set_apart() {
        let read = ServiceText::read(
            "Invalid client secret provided.\r\nTrace ID: 1\r\nCorrelation ID: 2\r\nTimestamp: 2026-01-01 00:00:00Z",
            600,
        );
        assert_eq!(read.message, "Invalid client secret provided.");
        assert_eq!(read.ids, "Trace ID: 1 Correlation ID: 2 Timestamp: 2026-01-01 00:00:00Z");
        let read = ServiceText::read("An error occurred. Activity ID: 8-a. Try later.", 600);
        assert_eq!(
            (read.message.as_str(), read.ids.as_str()),
            ("An error occurred. Try later.", "Activity ID: 8-a.")
        );
    }

    #[test]
    fn a_time_in_the_words_is_the_same_for_each_try() {
        for time in [
            "2026-01-01T00:00:00.1234567Z",
            "2026-01-01 00:00:00Z",
            "2026-01-01",
            "12/31/2030 11:59:59 PM +00:00",
            "1/2/2030 1:59:59 AM",
            "11/25/2026 18:29:01",
            "2026-01-01T00:00:00+02:00",
        ] {
            let text = format!("Current time: {time}, and no more.");
            assert_eq!(ServiceText::read(&text, 600).message, "Current time: <time>, and no more.", "{time}");
        }
        for text in ["v2026-01-01", "66d10cbf-3a73-4326-9a8d-b1b082e7c3fc", "10.0.0.1:443", "1/2"] {
            assert_eq!(ServiceText::read(text, 600).message, text);
        }
    }

    #[test]
    fn sentences_that_lead_to_a_help_page_are_left_out() {
        for (text, expected) in [
            (
                "Client address is not authorized. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                "Client address is not authorized.",
            ),
            (
                "No match for subject 's' and issuer 'https://oidc.example/'. Check them. https://learn.microsoft.com/x",
                "No match for subject 's' and issuer 'https://oidc.example/'. Check them.",
            ),
            ("See https://aka.ms/x. It was deleted.", "It was deleted."),
        ] {
            assert_eq!(ServiceText::read(text, 600).message, expected);
        }
    }

    #[test]
    fn a_text_of_any_length_costs_little() {
        let read = ServiceText::read(&"ä ".repeat(1 << 20), 600);
        assert_eq!(read.message.chars().count(), 601 - 1);
        assert!(read.message.ends_with('…'));
    }
}

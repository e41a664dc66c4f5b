//! Errors, formatted for people.

use std::{error::Error, fmt};

/// A formatter that shows an error and all its causes, on one line if each of them is one line.
#[derive(Debug)]
pub struct Report<'a>(pub &'a dyn Error);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.to_string();
        f.write_str(&shown)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            let text = error.to_string();
            // Errors of other crates repeat their source; once is enough.
            if !shown.contains(&text) {
                write!(f, ": {text}")?;
                shown = text;
            }
            next = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    #[test]
    fn a_report_tells_every_cause_once() {
        let root = Link { text: "refused", source: None };
        let echo = Link { text: "connect: refused", source: Some(Box::new(root)) };
        let top = Link { text: "cannot mount", source: Some(Box::new(echo)) };
        assert_eq!(Report(&top).to_string(), "cannot mount: connect: refused");
    }
}

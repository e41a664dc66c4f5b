//! YAML nodes with their places in a text.

use std::{collections::HashMap, iter::Peekable, ops::Range};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

/// A YAML node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    /// The place in the text, in bytes.
    pub(crate) span: Range<usize>,
    /// The content.
    pub(crate) content: Content,
}

/// The content of a node.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A text, or what other readers take as a number, a boolean or null.
    Scalar {
        /// The value, after escapes and folding.
        value: String,
        /// The notation.
        style: ScalarStyle,
        /// The indentation of a block's lines, in blanks; 0 for other notations.
        indentation: usize,
    },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the text; keys may repeat.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Returns the value of a scalar.
    pub(crate) fn scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { value, .. } => Some(value),
            Content::List(_) | Content::Map(_) => None,
        }
    }

    /// Returns whether a YAML reader takes the node as a text: it is quoted, a block, or no number, boolean or null.
    pub(crate) fn is_text(&self) -> bool {
        match &self.content {
            Content::Scalar { style: ScalarStyle::Plain, value, .. } => !is_typed(value),
            Content::Scalar { .. } => true,
            Content::List(_) | Content::Map(_) => false,
        }
    }

    /// Returns whether a YAML reader takes the node as null: it is absent, or an unquoted word for null.
    pub(crate) fn is_null(&self) -> bool {
        match &self.content {
            Content::Scalar { style: ScalarStyle::Plain, value, .. } => NULLS.contains(&value.as_str()),
            Content::Scalar { .. } | Content::List(_) | Content::Map(_) => false,
        }
    }

    /// Returns the node as the text that its author probably means: the value of a scalar, and the YAML of a list or map.
    pub(crate) fn to_text(&self) -> String {
        self.scalar().map_or_else(|| self.flow(), str::to_owned)
    }

    /// Returns the node in YAML of one line. Texts are quoted, and other scalars are as written.
    fn flow(&self) -> String {
        match &self.content {
            Content::Scalar { value, .. } if value.is_empty() && !self.is_text() => "null".to_owned(),
            // No number, boolean or null has a character that means something within a list or map.
            Content::Scalar { value, .. } if !self.is_text() => value.clone(),
            // JSON's notation of a text is one of YAML's.
            Content::Scalar { value, .. } => serde_json::Value::from(value.as_str()).to_string(),
            Content::List(items) => {
                let items: Vec<String> = items.iter().map(Self::flow).collect();
                format!("[{}]", items.join(", "))
            }
            Content::Map(entries) => {
                let entry = |(key, value): &(Self, Self)| format!("{}: {}", key.flow(), value.flow());
                let entries: Vec<String> = entries.iter().map(entry).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }

    /// Returns the items of a list; none if the node is not a list.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.content {
            Content::List(items) => items,
            Content::Scalar { .. } | Content::Map(_) => &[],
        }
    }

    /// Returns the entries of a map; none if the node is not a map.
    pub(crate) fn entries(&self) -> &[(Node, Node)] {
        match &self.content {
            Content::Map(entries) => entries,
            Content::Scalar { .. } | Content::List(_) => &[],
        }
    }

    /// Returns the first entry with this key.
    pub(crate) fn entry(&self, key: &str) -> Option<&(Node, Node)> {
        self.entries().iter().find(|(name, _)| name.scalar() == Some(key))
    }

    /// Returns the value of the first entry with this key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|(_, value)| value)
    }

    /// Returns the value of the first entry with this key, to change it.
    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        let Content::Map(entries) = &mut self.content else { return None };
        entries.iter_mut().find(|(name, _)| name.scalar() == Some(key)).map(|(_, value)| value)
    }
}

/// Returns whether kubectl's YAML reader takes a plain scalar as a number, a boolean or null. It takes a timestamp as a
/// text (<https://github.com/kubernetes-sigs/yaml/blob/master/goyaml.v2/resolve.go>).
fn is_typed(value: &str) -> bool {
    NULLS.contains(&value) || BOOLEANS.contains(&value) || SPECIAL_FLOATS.contains(&value) || is_number(value)
}

const NULLS: [&str; 5] = ["", "~", "null", "Null", "NULL"];

const BOOLEANS: [&str; 22] = [
    "y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON", "n", "N", "no", "No", "NO",
    "false", "False", "FALSE", "off", "Off", "OFF",
];

const SPECIAL_FLOATS: [&str; 12] =
    [".nan", ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF"];

fn is_number(value: &str) -> bool {
    if !value.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return false;
    }
    let value = value.replace('_', "");
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(&value);
    match unsigned.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => is_integer(&unsigned[2..], 16),
        Some("0o") => is_integer(&unsigned[2..], 8),
        Some("0b") => is_integer(&unsigned[2..], 2),
        _ => is_decimal(&value),
    }
}

fn is_integer(digits: &str, radix: u32) -> bool {
    !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))
}

/// Returns whether a value is a decimal integer or float.
fn is_decimal(value: &str) -> bool {
    // Rust also parses words such as `infinity`, and rounds to infinity what Go refuses and so takes as a text.
    value.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        && value.parse::<f64>().is_ok_and(f64::is_finite)
}

/// An iterator over the documents of a YAML text. It ends at the first syntax error.
pub(crate) struct Documents<'a> {
    events: Peekable<Parser<'a, StrInput<'a>>>,
    text: &'a str,
    failed: bool,
}

/// A text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SyntaxError {
    /// The reason.
    pub(crate) message: String,
    /// The place in the text, in bytes.
    pub(crate) offset: usize,
}

impl<'a> Documents<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self { events: Parser::new_from_str(text).peekable(), text, failed: false }
    }

    fn document(&mut self) -> Result<Option<Node>, SyntaxError> {
        while let Some((event, span)) = self.next_event()? {
            match event {
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(None),
                event => {
                    let mut builder = Builder { anchors: HashMap::new(), nodes: 0 };
                    return self.node(&mut builder, event, span).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn node(&mut self, builder: &mut Builder, event: Event<'a>, span: Span) -> Result<Node, SyntaxError> {
        let range = range(span);
        builder.count(1, range.start)?;
        let anchor = event.anchor_id().filter(|id| *id != 0);
        let node = match event {
            Event::Alias(id) => {
                let target = builder.anchors.get(&id).cloned();
                let (node, size) = target.ok_or_else(|| SyntaxError {
                    message: "unknown alias".to_owned(),
                    offset: range.start,
                })?;
                builder.count(size, range.start)?;
                return Ok(node);
            }
            Event::Scalar(value, style, ..) => {
                let (value, indentation) = (value.into_owned(), span.indent.unwrap_or_default());
                Node { span: range, content: Content::Scalar { value, style, indentation } }
            }
            Event::SequenceStart(..) => self.list(builder, range)?,
            Event::MappingStart(..) => self.map(builder, range)?,
            _ => return Err(SyntaxError { message: "expected a value".to_owned(), offset: range.start }),
        };
        if let Some(id) = anchor {
            let size = size(&node);
            builder.anchors.insert(id, (node.clone(), size));
        }
        Ok(node)
    }

    fn list(&mut self, builder: &mut Builder, mut span: Range<usize>) -> Result<Node, SyntaxError> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.expect_event()?;
            if matches!(event, Event::SequenceEnd) {
                span.end = range(at).end.max(span.start);
                return Ok(Node { span, content: Content::List(items) });
            }
            items.push(self.node(builder, event, at)?);
        }
    }

    fn map(&mut self, builder: &mut Builder, mut span: Range<usize>) -> Result<Node, SyntaxError> {
        let mut entries = Vec::new();
        loop {
            let (event, at) = self.expect_event()?;
            if matches!(event, Event::MappingEnd) {
                span.end = range(at).end.max(span.start);
                return Ok(Node { span, content: Content::Map(entries) });
            }
            let key = self.node(builder, event, at)?;
            let (event, at) = self.expect_event()?;
            entries.push((key, self.node(builder, event, at)?));
        }
    }

    fn expect_event(&mut self) -> Result<(Event<'a>, Span), SyntaxError> {
        let end = self.text.len();
        self.next_event()?
            .ok_or_else(|| SyntaxError { message: "unexpected end of the text".to_owned(), offset: end })
    }

    fn next_event(&mut self) -> Result<Option<(Event<'a>, Span)>, SyntaxError> {
        self.events.next().transpose().map_err(|error| syntax_error(&error, self.text))
    }
}

impl Iterator for Documents<'_> {
    type Item = Result<Node, SyntaxError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let document = self.document().transpose();
        self.failed = matches!(document, Some(Err(_)));
        document
    }
}

/// The state of one document.
struct Builder {
    /// Nodes with anchors, and their sizes in nodes.
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl Builder {
    fn count(&mut self, nodes: usize, offset: usize) -> Result<(), SyntaxError> {
        self.nodes += nodes;
        if self.nodes <= MAX_NODES {
            return Ok(());
        }
        Err(SyntaxError { message: format!("the document has more than {MAX_NODES} values"), offset })
    }
}

/// The most values of a document, aliases expanded. A list of every class of a large cluster has fewer.
const MAX_NODES: usize = 2_000_000;

fn size(node: &Node) -> usize {
    1 + match &node.content {
        Content::Scalar { .. } => 0,
        Content::List(items) => items.iter().map(size).sum(),
        Content::Map(entries) => entries.iter().map(|(key, value)| size(key) + size(value)).sum(),
    }
}

fn range(span: Span) -> Range<usize> {
    span.byte_range().unwrap_or_default()
}

fn syntax_error(error: &ScanError, text: &str) -> SyntaxError {
    let offset = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    SyntaxError { message: error.info().to_owned(), offset }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Node {
        Documents::of(text).next().unwrap().unwrap()
    }

    #[test]
    fn nodes_know_their_places() {
        let text = "a: 1\nlist:\n  - x\n  - {k: 'v'}\n";
        let node = one(text);
        let (key, value) = node.entry("list").unwrap();
        assert_eq!(&text[key.span.clone()], "list");
        assert_eq!(&text[value.items()[0].span.clone()], "x");
        assert_eq!(&text[value.items()[1].get("k").unwrap().span.clone()], "'v'");
    }

    #[test]
    fn documents_end_at_the_first_error() {
        let all: Vec<_> = Documents::of("a: 1\n---\nb: [\n").collect();
        assert_eq!(all.len(), 2);
        assert!(all[0].is_ok() && all[1].is_err());
        assert_eq!(Documents::of("").count(), 0);
        assert_eq!(Documents::of("---\n---\n").filter(|document| document.is_err()).count(), 0);
    }

    #[test]
    fn aliases_are_expanded_within_a_budget() {
        let node = one("a: &x [1, 2]\nb: *x\n");
        assert_eq!(node.get("b").unwrap().items().len(), 2);
        let mut bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n".to_owned();
        for level in 1..9 {
            let before = level - 1;
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{before}"); 10].join(","));
        }
        let error = Documents::of(&bomb).next().unwrap().unwrap_err();
        assert!(error.message.contains("more than"), "{error}");
    }

    #[test]
    fn lists_and_maps_become_texts_of_the_same_yaml() {
        for (value, expected) in [
            ("true", "true"),
            ("'a: b'", "a: b"),
            ("[a, 0600, \"true\", ~, 0x1, .inf]", r#"["a", 0600, "true", ~, 0x1, .inf]"#),
            ("{array: [{k: 'v, \"w\"', on: false}]}", r#"{"array": [{"k": "v, \"w\"", on: false}]}"#),
            ("\n  - |\n    k: v\n  - 0x, b]", r#"["k: v\n", "0x, b]"]"#),
        ] {
            let text = one(&format!("a: {value}")).get("a").unwrap().to_text();
            assert_eq!(text, expected, "{value}");
            if text.starts_with(['[', '{']) {
                assert_eq!(one(&text).to_text(), text, "{value}");
            }
        }
    }

    #[test]
    fn plain_scalars_have_the_types_that_kubectl_gives_them() {
        let is_text = |value: &str| one(&format!("a: {value}")).get("a").unwrap().is_text();
        let words = "~ null Null NULL yes No ON off y N True FALSE";
        let integers = "0 0644 08 +1 -1 1_000 0x1F 0X1f -0x1f 0x_1f 0o17 0b101 -0b1_0";
        let floats = "1e3 1. .5 -.5 +1.5E-3 1_0.5 .inf -.INF +.Inf .nan .NaN";
        for typed in [words, integers, floats].into_iter().flat_map(|values| values.split(' ')).chain([""]) {
            assert!(!is_text(typed), "{typed}");
        }
        let words = "web \"0644\" '~' yEs nULL tRUE infinity inf -inf nan NaN +.nan .iNF 2026-01-02 2026-01-02T03:04:05Z";
        let ids = "0b1c2d3e-0000-4000-8000-000000000002 0x1c2d3e-0000-4000-8000-000000000002 \
                   12345678-0000-4000-8000-000000000002 1e345678-0000-4000-8000-000000000002";
        let numbers = "0x 0o 0b 0b12 0o8 0xg 0x1.8p3 1e 1e999 1.2.3 1-2 _1 e3 . + \u{661}";
        for text in [words, ids, numbers].into_iter().flat_map(|values| values.split(' ')) {
            assert!(is_text(text), "{text}");
        }
    }

    #[test]
    fn only_an_unquoted_null_is_null() {
        for (value, is_null) in [
            ("", true),
            ("~", true),
            ("null", true),
            ("''", false),
            ("'null'", false),
            ("[]", false),
            ("no", false),
        ] {
            assert_eq!(one(&format!("a: {value}")).get("a").unwrap().is_null(), is_null, "{value}");
        }
    }
}

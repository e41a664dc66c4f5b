//! Parses YAML that users wrote, and explains why a text cannot be parsed.

mod line;
mod node;
mod oddity;
mod scalar;

use std::{
    cell::{Cell, RefCell},
    fmt,
    rc::Rc,
};

use serde_saphyr::{Error, NonFiniteFloatPolicy, Options};

use super::MAX_BYTES;

pub(super) use self::{
    line::{Line, Lines},
    node::{Any, Key, Kind, Node},
    oddity::Oddity,
    scalar::{Reading, Scalar},
};

/// A description of the expected YAML.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// A noun phrase: `an object's fields`.
    pub(super) name: &'static str,
    /// A sentence with an example.
    pub(super) example: &'static str,
}

/// What aliases may still add to the texts of a class, beyond what each text may have by its own length.
pub(super) struct AliasBudget {
    nodes: usize,
    /// Events that the parser copies for anchors, once more for each anchor around them.
    events: usize,
    /// Bytes of scalars.
    bytes: usize,
}

impl AliasBudget {
    /// Returns that of a class: a map of fields that a few hundred entries share.
    pub(super) fn of_class() -> Self {
        Self { nodes: SHARED_NODES, events: SHARED_NODES, bytes: SHARED_BYTES }
    }
}

/// Parses a YAML text. The fields of its maps record lists and maps in place of scalars.
///
/// # Errors
/// The parser's message on one line, with the line of the text that it refers to. The depth of the text is bounded, and
/// so is its size with each alias expanded: in proportion to the text, and what is left of `aliases`.
pub(super) fn read<T: Node>(text: &str, wanted: Wanted, aliases: &mut AliasBudget) -> Result<T, String> {
    let (own_nodes, own_bytes) = (text.len() + LEAST_NODES, 4 * text.len());
    let own_events = text.len() / 2;
    let used = Rc::new(Cell::new((0, 0, 0)));
    let options = || {
        let options = serde_saphyr::options! {
            with_snippet: false,
            // An expanded alias counts each time it is used.
            budget: serde_saphyr::budget! {
                max_depth: MAX_DEPTH,
                max_nodes: (own_nodes + aliases.nodes).min(MAX_NODES),
                max_total_scalar_bytes: (own_bytes + aliases.bytes).min(2 * MAX_BYTES),
                max_recorded_anchor_events: (own_events + aliases.events).min(MAX_NODES),
                max_recorded_anchor_bytes: (own_bytes + SHARED_BYTES).min(2 * MAX_BYTES),
                // A hundred entries may share one anchor. The bounds above count what that makes of the text.
                enforce_alias_anchor_ratio: false,
            },
        };
        let report = used.clone();
        options.with_budget_report(move |budget| {
            report.set((budget.nodes, budget.recorded_anchor_events, budget.total_scalar_bytes));
        })
    };
    let parsed = parse::<T>(text, options(), Reading::Strict).or_else(|error| match error {
        Error::Budget { .. } => Err(error),
        error => parse_again(text, options, error),
    });
    let (nodes, events, bytes) = used.get();
    aliases.nodes = aliases.nodes.saturating_sub(nodes.saturating_sub(own_nodes));
    aliases.events = aliases.events.saturating_sub(events.saturating_sub(own_events));
    aliases.bytes = aliases.bytes.saturating_sub(bytes.saturating_sub(own_bytes));
    parsed.map_err(|error| {
        if !matches!(error, Error::Budget { .. } | Error::DuplicateMappingKey { .. })
            && let Some(oddity) = Oddity::of(text)
        {
            return not_the_yaml(wanted, oddity, Some(wanted.example));
        }
        let message = error.to_string();
        let message = message.lines().next().unwrap_or_default();
        let message = message.strip_prefix("error: ").unwrap_or(message);
        // In a block, the parser's location is the start of the block.
        if message.starts_with("unexpected character")
            && let Some(oddity) = Oddity::of_control(text)
        {
            return not_the_yaml(wanted, oddity, None);
        }
        // The parser's advice addresses programmers.
        let message = [", set DuplicateKeyPolicy", "; use from_str"]
            .iter()
            .fold(message, |message, advice| message.split(advice).next().unwrap_or_default());
        let message = &message[..message.floor_char_boundary(MAX_MESSAGE)];
        let line = error.location().and_then(|location| Lines::of(text).at(location.line()));
        let line = line.map(|line| format!(": {}", line.quoted())).unwrap_or_default();
        not_the_yaml(wanted, format!("{message}{line}"), None)
    })
}

fn parse<T: Node>(text: &str, options: Options, reading: Reading<'_>) -> Result<T, Error> {
    serde_saphyr::with_deserializer_from_str_with_options(text, options, |deserializer| {
        T::read(deserializer, reading)
    })
}

/// Parses a text whose first parse ended with `error`, which stays if no list or map is in place of a scalar.
fn parse_again<T: Node>(text: &str, options: impl Fn() -> Options, error: Error) -> Result<T, Error> {
    let options = || {
        let mut options = options();
        // By kind, a text such as 1e400 is a number.
        options.non_finite_float_policy = NonFiniteFloatPolicy::PassThrough;
        options
    };
    let kinds = RefCell::default();
    parse::<T>(text, options(), Reading::Kinds(&kinds))?;
    if kinds.borrow().iter().all(Option::is_none) {
        return Err(error);
    }
    parse(text, options(), Reading::Known(&kinds))
}

/// Returns the message for a text that is valid YAML, but `what` instead of what is wanted.
pub(super) fn other_text(text: &str, what: impl fmt::Display, wanted: Wanted) -> String {
    match Oddity::of(text) {
        Some(oddity) => not_the_yaml(wanted, oddity, Some(wanted.example)),
        None => other_node(Lines::of(text).first(), what, wanted),
    }
}

/// Returns the message for a part of a text, in this line, that is `what` instead of what is wanted.
pub(super) fn other_node(line: Option<Line<'_>>, what: impl fmt::Display, wanted: Wanted) -> String {
    let line = line.map(|line| format!(" at {line}")).unwrap_or_default();
    not_the_yaml(wanted, format!("{what}{line}"), Some(wanted.example))
}

fn not_the_yaml(wanted: Wanted, cause: impl fmt::Display, example: Option<&str>) -> String {
    let example = example.map(|example| format!("; {example}")).unwrap_or_default();
    format!("is not the YAML of {}: {cause}{example}", wanted.name)
}

/// Nested lists and maps; `objects` needs three levels.
const MAX_DEPTH: usize = 16;

/// Nodes that a text may have whatever its length: `a:` is a map, a key and a null.
const LEAST_NODES: usize = 16;

/// Nodes that the texts of a class may have beyond one for each of their bytes, which only aliases can make: those of a
/// map of fields that a few hundred entries share.
const SHARED_NODES: usize = 4_000;

/// Bytes of scalars that the texts of a class may have beyond four times their own, which only aliases can make.
const SHARED_BYTES: usize = 64 << 10;

/// The most nodes of a text: 25 for each of 4,000 entries. A node of an entry takes about 200 bytes when it is parsed.
const MAX_NODES: usize = 100_000;

/// Longest message of the parser, in bytes: it may quote a key of any length.
const MAX_MESSAGE: usize = 256;

//! Points in time and durations in the forms that token sources write.

use azure_core::time::OffsetDateTime;
use serde_json::Value;
use time::{
    PrimitiveDateTime, UtcOffset,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
    parsing::Parsed,
};

/// Parses seconds: a number or a text of one, whole or not.
pub(super) fn seconds(field: &Value) -> Option<i64> {
    match field {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok().or_else(|| whole(text.trim().parse().ok()?)),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "within what a date can be, and fractions do not matter")]
fn whole(seconds: f64) -> Option<i64> {
    (seconds.abs() < 1e12).then_some(seconds as i64)
}

/// Parses a point in time: seconds since 1970, or a date.
pub(super) fn moment(field: &Value) -> Option<OffsetDateTime> {
    match seconds(field) {
        Some(seconds) => OffsetDateTime::from_unix_timestamp(seconds).ok(),
        None => date(field.as_str()?.trim()),
    }
}

/// Dates without `T`, and dates of App Service: `12/31/2030 11:59:59 PM +00:00`
/// (<https://learn.microsoft.com/azure/app-service/overview-managed-identity?tabs=http#rest-endpoint-reference>).
/// Without an offset, a date is in UTC.
const DATES: [&[BorrowedFormatItem<'_>]; 4] = [
    format_description!(
        version = 2,
        "[year]-[month]-[day][first [T] [ ]][hour]:[minute]:[second][optional [.[subsecond]]][optional [[optional [ ]][offset_hour sign:mandatory]:[offset_minute]]]"
    ),
    format_description!(
        version = 2,
        "[month padding:none]/[day padding:none]/[year] [hour repr:12 padding:none]:[minute]:[second] [period case_sensitive:false][optional [ [offset_hour sign:mandatory]:[offset_minute]]]"
    ),
    // The documentation's own example has `00:00:00 PM`.
    format_description!(
        version = 2,
        "[month padding:none]/[day padding:none]/[year] [hour repr:24 padding:none]:[minute]:[second] [period case_sensitive:false][optional [ [offset_hour sign:mandatory]:[offset_minute]]]"
    ),
    format_description!(
        version = 2,
        "[month padding:none]/[day padding:none]/[year] [hour repr:24 padding:none]:[minute]:[second][optional [ [offset_hour sign:mandatory]:[offset_minute]]]"
    ),
];

fn date(text: &str) -> Option<OffsetDateTime> {
    let dated = |format: &[BorrowedFormatItem<'_>]| {
        let mut parsed = Parsed::new();
        if !parsed.parse_items(text.as_bytes(), format).ok()?.is_empty() {
            return None;
        }
        let local = PrimitiveDateTime::try_from(parsed).ok()?;
        Some(local.assume_offset(UtcOffset::try_from(parsed).unwrap_or(UtcOffset::UTC)))
    };
    let rfc_3339 = OffsetDateTime::parse(text, &Rfc3339).ok();
    rfc_3339.or_else(|| DATES.into_iter().find_map(dated))
}

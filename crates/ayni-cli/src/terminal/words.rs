//! Amounts, times, ids and values as people read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ayni::HandlerId;
use ayni::doc::{Geometry, Position, Value};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A count with commas between the thousands: `138,398`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count and what is counted: `1 document`, `2 documents`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    let stem = what.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'o', 'u']));
    match (number, stem) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{} {stem}ies", count(number)),
        _ => format!("{} {what}s", count(number)),
    }
}

/// Bytes in the unit that suits them: `3.4 MB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1_000 {
        return format!("{number} bytes");
    }
    let mut size = number as f64 / 1e3;
    let mut units = UNITS.iter();
    let mut unit = units.next().unwrap_or(&"");
    while size >= 999.95 {
        let Some(larger) = units.next() else { break };
        (size, unit) = (size / 1e3, larger);
    }
    format!("{size:.1} {unit}")
}

/// How long something took.
pub(crate) fn duration(time: Duration) -> String {
    match time.as_millis() {
        millis @ ..1_000 => format!("{millis} ms"),
        millis @ 1_000..60_000 => format!("{:.1} s", millis as f64 / 1e3),
        millis => format!("{} min {} s", millis / 60_000, millis / 1_000 % 60),
    }
}

/// So many in that time, for each second.
pub(crate) fn rate(number: u64, time: Duration) -> String {
    format!("{}/s", count((number as f64 / time.as_secs_f64().max(1e-3)) as u64))
}

/// Now, in milliseconds since 1970.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A time in milliseconds since 1970, as far back or ahead as it is.
pub(crate) fn when(millis: i64) -> String {
    let past = now().saturating_sub(millis);
    let minutes = past.abs() / 60_000;
    let amount = match minutes {
        0 => return "just now".to_owned(),
        1..60 => format!("{minutes} min"),
        60..1_440 => format!("{} h", minutes / 60),
        1_440..2_880 if past > 0 => return "yesterday".to_owned(),
        2_880..43_200 if past > 0 => format!("{} days", minutes / 1_440),
        _ => return date(millis),
    };
    if past >= 0 { format!("{amount} ago") } else { format!("in {amount}") }
}

/// A time in milliseconds since 1970 as date and time of day here.
pub(crate) fn date(millis: i64) -> String {
    match Timestamp::from_millisecond(millis) {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => format!("{millis} ms"),
    }
}

/// The time of day here, to the second.
pub(crate) fn clock(millis: i64) -> String {
    match Timestamp::from_millisecond(millis) {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime("%H:%M:%S").to_string(),
        Err(_) => format!("{millis} ms"),
    }
}

/// A time in milliseconds since 1970 for programs (RFC 3339, UTC).
pub(crate) fn timestamp(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |time| time.to_string())
}

/// The start of an id, which is enough to tell it from the others nearly always.
pub(crate) fn short(id: impl std::fmt::Display) -> String {
    id.to_string().chars().take(8).collect()
}

/// A device's name, or the start of its id where it has none here.
pub(crate) fn device(name: &str, id: impl std::fmt::Display) -> String {
    if name.is_empty() { format!("device {}", short(id)) } else { clean(name) }
}

/// A conflict handler: `notes, version 1`.
pub(crate) fn handler(handler: &HandlerId) -> String {
    clean(&handler.to_string())
}

/// A text of others without what would steer the terminal: control characters but line breaks are left out.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|letter| *letter == '\n' || !letter.is_control()).collect()
}

/// A value on one line.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => clean(text),
        Value::Geometry(geometry) => place(geometry),
        Value::Bytes(content) => bytes(content.len() as u64),
        Value::Reference(id) => format!("→ {}", short(id)),
        other => other.to_json().to_string(),
    }
}

fn place(geometry: &Geometry) -> String {
    let kind = match geometry {
        Geometry::Point(at) => return position(at),
        Geometry::MultiPoint(_) => "points",
        Geometry::LineString(_) => "line",
        Geometry::MultiLineString(_) => "lines",
        Geometry::Polygon(_) => "area",
        Geometry::MultiPolygon(_) => "areas",
        Geometry::Collection(_) => "shapes",
    };
    let positions = geometry.positions();
    match positions.first() {
        Some(first) => format!("{kind} of {} positions from {}", positions.len(), position(first)),
        None => format!("{kind} without positions"),
    }
}

/// `13.5320° S 71.9675° W`, to about 10 metres.
fn position(at: &Position) -> String {
    let half = |degrees: f64, positive: &str, negative: &str| {
        format!("{:.4}° {}", degrees.abs(), if degrees < 0.0 { negative } else { positive })
    };
    let height = at.z.map_or(String::new(), |height| format!(" {height} m"));
    format!("{} {}{height}", half(at.y, "N", "S"), half(at.x, "E", "W"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_as_people_read_them() {
        assert_eq!([0, 999, 1_000, 138_398].map(count), ["0", "999", "1,000", "138,398"]);
        assert_eq!(counted(1, "entry"), "1 entry");
        assert_eq!(counted(2_000, "entry"), "2,000 entries");
        assert_eq!(counted(2, "key"), "2 keys");
        assert_eq!([999, 1_000, 999_949, 999_951].map(bytes), ["999 bytes", "1.0 kB", "999.9 kB", "1.0 MB"]);
        assert_eq!(duration(Duration::from_millis(61_000)), "1 min 1 s");
    }

    #[test]
    fn a_time_is_told_by_how_far_it_is() {
        const HOUR: i64 = 3_600_000;
        assert_eq!(when(now()), "just now");
        assert_eq!(when(now() - 2 * HOUR - 1_000), "2 h ago");
        assert_eq!(when(now() - 25 * HOUR), "yesterday");
        assert_eq!(when(now() + 3 * HOUR + 1_000), "in 3 h");
        assert!(when(0).starts_with("19"), "long ago is a date");
    }

    #[test]
    fn what_others_wrote_cannot_steer_the_terminal() {
        assert_eq!(value(&Value::from("a\u{1b}[31m\u{7}b\nc")), "a[31mb\nc");
        assert_eq!(device("\u{9b}2JAna", "x"), "2JAna");
    }

    #[test]
    fn a_place_is_told_by_its_sides_of_the_earth() {
        let cusco = Geometry::Point(Position::new(-71.967_52, -13.532));
        assert_eq!(value(&cusco.into()), "13.5320° S 71.9675° W");
    }
}

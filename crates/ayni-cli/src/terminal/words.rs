//! Amounts, times, ids and values as people read them.

use std::sync::atomic::{AtomicBool, Ordering};
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

/// `is` of one, `are` of several.
pub(crate) fn is_are(number: u64) -> &'static str {
    if number == 1 { "is" } else { "are" }
}

/// Some names, the first few if there are many: `Ana, Ben and 3 more`.
pub(crate) fn names(names: &[String]) -> String {
    const MOST: usize = 4;
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] if names.len() <= MOST => format!("{} and {last}", first.join(", ")),
        _ => {
            let (first, rest) = names.split_at(MOST - 1);
            format!("{} and {} more", first.join(", "), count(rest.len() as u64))
        }
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
        0 => "less than 1 ms".to_owned(),
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

/// Whether times are written out.
static EXACT: AtomicBool = AtomicBool::new(false);

/// From now on times are written out: `2026-11-22 10:42:05` in place of `2 h ago`.
pub(crate) fn write_times_out() {
    EXACT.store(true, Ordering::Relaxed);
}

/// A time in milliseconds since 1970, as far back or ahead as it is; or written out, where that was asked for.
pub(crate) fn when(millis: i64) -> String {
    if EXACT.load(Ordering::Relaxed) {
        return written(millis, "%Y-%m-%d %H:%M:%S");
    }
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
    written(millis, "%Y-%m-%d %H:%M")
}

/// The time of day here, to the second.
pub(crate) fn clock(millis: i64) -> String {
    written(millis, "%H:%M:%S")
}

fn written(millis: i64, format: &str) -> String {
    match Timestamp::from_millisecond(millis) {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime(format).to_string(),
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

/// A text of others without what would steer the terminal: of control characters, and of those that turn the direction of
/// writing for all that follows, only line breaks are left, and spaces where tabs were.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter_map(harmless).collect()
}

/// A letter as it can be shown; `None` where it would steer the terminal.
fn harmless(letter: char) -> Option<char> {
    match letter {
        '\n' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\t' => Some(' '),
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        letter => (!letter.is_control()).then_some(letter),
    }
}

/// The last thing before the terminal: a text without any control but line breaks and the styles that this program sets.
pub(crate) fn only_styles(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let length = style_length(rest).unwrap_or(0);
        match length {
            0 => shown.extend(harmless(letter)),
            _ => shown.push_str(rest.get(..length).unwrap_or_default()),
        }
        rest = rest.get(length.max(letter.len_utf8())..).unwrap_or_default();
    }
    shown
}

/// The bytes of the sequence that sets a style, where the text begins with one.
fn style_length(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("\u{1b}[")?;
    let end = inside.find(|letter: char| !letter.is_ascii_digit() && letter != ';')?;
    inside.get(end..)?.starts_with('m').then_some(2 + end + 1)
}

/// A field as it is written, without what would steer the terminal.
pub(crate) fn field(path: &impl std::fmt::Display) -> String {
    clean(&path.to_string())
}

/// A value on one line.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Text(text) => clean(text),
        Value::Geometry(geometry) => place(geometry),
        Value::Bytes(content) => bytes(content.len() as u64),
        Value::Reference(id) => format!("→ {}", short(id)),
        other => clean(&plain(other)),
    }
}

/// A value for programs that read no JSON: texts as they are and numbers as they are written, anything else as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        // As JSON the large would be objects, for the sake of programs that would round them.
        Value::Int(number) => number.to_string(),
        Value::Float(number) if number.is_nan() => "NaN".to_owned(),
        Value::Float(number) if number.is_infinite() => if *number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
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
        let all = ["Ana", "Ben", "Carla", "Chaska", "Illa"].map(str::to_owned);
        assert_eq!(names(all.get(..2).unwrap()), "Ana and Ben");
        assert_eq!(names(&all), "Ana, Ben, Carla and 2 more");
        assert_eq!([999, 1_000, 999_949, 999_951].map(bytes), ["999 bytes", "1.0 kB", "999.9 kB", "1.0 MB"]);
        assert_eq!(duration(Duration::from_millis(61_000)), "1 min 1 s");
        assert_eq!(duration(Duration::from_micros(400)), "less than 1 ms");
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
        assert_eq!(clean("a\tb \u{202e}cb\u{2028}d"), "a b cb\nd");
        assert_eq!(
            only_styles("\u{1b}[1;31mred\u{1b}[0m\u{1b}[2J\u{1b}]0;title\u{7}\u{9b}m"),
            "\u{1b}[1;31mred\u{1b}[0m[2J]0;titlem"
        );
    }

    #[test]
    fn a_place_is_told_by_its_sides_of_the_earth() {
        let cusco = Geometry::Point(Position::new(-71.967_52, -13.532));
        assert_eq!(value(&cusco.into()), "13.5320° S 71.9675° W");
    }
}

//! Moments of the past, as people write them. What is written names all of the span that it says: a day is as of its end, a
//! minute too, so that what `ayni history` lists under a minute is there as of that minute.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp, Zoned};

use crate::failure::Failure;

const EXAMPLES: &str = "write 2026-11-20, '2026-11-20 14:30', 2026-11-20T14:30:05Z, '2h ago', '3 days ago' or yesterday; a day is as of its end";

/// The moment that a text names, in milliseconds since 1970.
pub(super) fn parse(text: &str) -> Result<i64, Failure> {
    of(text, &Zoned::now())
}

/// The moment that a text names, read at `now` and in its time zone.
fn of(text: &str, now: &Zoned) -> Result<i64, Failure> {
    let text = text.trim();
    let far = || Failure::usage(format_args!("{text:?} is too far away"), EXAMPLES);
    let unclear = || Failure::usage(format_args!("{text:?} is no moment that can be told for sure"), EXAMPLES);
    if text == "yesterday" {
        return end_of_day(now.date().yesterday().map_err(|_| far())?, now.time_zone(), text);
    }
    if let Ok(span) = text.parse::<Span>() {
        if !text.ends_with("ago") {
            let what = format_args!("{text:?} says how long, not when");
            return Err(Failure::usage(what, format_args!("write '{text} ago'")));
        }
        return Ok(now.checked_add(span).map_err(|_| far())?.timestamp().as_millisecond());
    }
    if let Ok(day) = text.parse::<Date>()
        && text.len() == "2026-11-20".len()
    {
        return end_of_day(day, now.time_zone(), text);
    }
    let has_day = text.get(..10).is_some_and(|day| day.parse::<Date>().is_ok());
    if !has_day {
        let says_time = text.contains(':') && text.parse::<Time>().is_ok();
        return Err(if says_time { Failure::usage(format_args!("{text:?} says no day"), EXAMPLES) } else { unclear() });
    }
    let last = last_of(text);
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time.as_millisecond().saturating_add(last));
    }
    // A zone without an offset would be passed over.
    let time = text.parse::<DateTime>().ok().filter(|_| !text.contains('[')).ok_or_else(unclear)?;
    in_zone(time, now.time_zone(), text).map(|time| time.as_millisecond().saturating_add(last))
}

/// Milliseconds from the beginning to the last one of what a time of day says: a minute, a second, or less.
fn last_of(text: &str) -> i64 {
    // Of an offset behind it nothing is asked: `-05:00` and `+05:00` say no seconds.
    let time = text.get(11..).unwrap_or_default();
    let time = time.split(['Z', 'z', '+', '-', '[']).next().unwrap_or_default();
    match (time.matches(':').count(), time.contains('.')) {
        (_, true) => 0,
        (0 | 1, _) => 59_999,
        _ => 999,
    }
}

fn end_of_day(day: Date, zone: &TimeZone, text: &str) -> Result<i64, Failure> {
    let far = |_| Failure::usage(format_args!("{text:?} is too far away"), EXAMPLES);
    let next = day.tomorrow().map_err(far)?.to_zoned(zone.clone()).map_err(far)?;
    Ok(next.timestamp().as_millisecond().saturating_sub(1))
}

fn in_zone(time: DateTime, zone: &TimeZone, text: &str) -> Result<Timestamp, Failure> {
    let there = zone.to_ambiguous_zoned(time).unambiguous();
    Ok(there
        .map_err(|_| {
            let twice = format_args!("{text:?} came twice here, or never: the clocks were changed");
            Failure::usage(twice, "write it with its offset from UTC, as in 2026-10-25T02:30+02:00")
        })?
        .timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Option<String> {
        let now: Zoned = "2026-11-22T10:15:30.5[Europe/Madrid]".parse().unwrap();
        of(text, &now).ok().map(|millis| Timestamp::from_millisecond(millis).unwrap().to_string())
    }

    #[test]
    fn a_moment_is_the_end_of_what_is_written() {
        for (text, expected) in [
            ("2026-11-20", "2026-11-20T22:59:59.999Z"),
            ("2026-10-25", "2026-10-25T22:59:59.999Z"),
            ("2026-11-20 14:30", "2026-11-20T13:30:59.999Z"),
            ("2026-11-20T14:30:05", "2026-11-20T13:30:05.999Z"),
            ("2026-11-20T14:30:05.25", "2026-11-20T13:30:05.25Z"),
            ("2026-11-20T14:30:05Z", "2026-11-20T14:30:05.999Z"),
            ("2026-11-20T14:30-05:00", "2026-11-20T19:30:59.999Z"),
            ("yesterday", "2026-11-21T22:59:59.999Z"),
            (" 2h ago ", "2026-11-22T07:15:30.5Z"),
            ("3 days ago", "2026-11-19T09:15:30.5Z"),
            ("1 month 2 days ago", "2026-10-20T08:15:30.5Z"),
        ] {
            assert_eq!(moment(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_could_be_several_moments_is_none() {
        let unclear = ["2h", "14:30", "20.11.2026", "11/20/2026", "2026-11", "5f2c", "", "tomorrow", "2026-11-31"];
        let zones = ["2026-11-20 14:30[America/Lima]", "2026-10-25 02:30", "2026-03-29 02:30", "2026-11-20 later"];
        for text in unclear.iter().chain(&zones) {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}

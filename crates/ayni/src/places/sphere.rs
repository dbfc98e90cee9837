//! Distances on the earth as a sphere, along great circles.
//!
//! The radius is the mean one, (2a + b) / 3 of WGS 84 (Moritz, "Geodetic Reference System 1980"); distances are off by at
//! most 0.6 % for the earth being flattened. Between places they are by the haversine formula (Sinnott, "Virtues of the
//! Haversine", 1984).

use ayni_store::PlaceBox;

use super::plane::covers;
use super::{Part, Place, Shape, on_earth};

/// The mean radius of the earth, in metres.
pub(crate) const EARTH: f64 = 6_371_008.8;

/// To how many metres the distance of a line is found.
const FINE: f64 = 0.001;

/// How far a place is from the nearest place of some parts, in metres: 0 in an area. `None` without parts.
pub(crate) fn distance(from: Place, parts: &[Part]) -> Option<f64> {
    parts.iter().fold(None, |nearest, part| {
        let limit = nearest.unwrap_or(f64::INFINITY);
        Some(limit.min(distance_to_part(from, part, limit)))
    })
}

/// Exact where it is less than `limit`.
fn distance_to_part(from: Place, part: &Part, limit: f64) -> f64 {
    if to_box(from, &part.bounds) >= limit {
        return limit;
    }
    if let Shape::Area(rings) = &part.shape
        && turns_into(from, &part.bounds).any(|place| covers(rings, place))
    {
        return 0.0;
    }
    part.shape.lines().into_iter().fold(limit, |nearest, line| match line {
        [only] => nearest.min(between(from, *only)),
        line => line.windows(2).fold(nearest, |nearest, pair| match pair {
            [one, other] => to_edge(from, *one, *other, nearest),
            _ => nearest,
        }),
    })
}

/// A place at those of its longitudes, whole turns apart, that lie in a box.
fn turns_into((x, y): Place, bounds: &PlaceBox) -> impl Iterator<Item = Place> + use<> {
    let (first, last) = (((bounds.west - x) / 360.0).ceil(), ((bounds.east - x) / 360.0).floor());
    (first as i64..=last as i64).map(move |turn| (x + 360.0 * turn as f64, y))
}

/// The distance of an edge, if it is less than `nearest`, which is given otherwise. The edge is halved as long as a half may
/// come nearer than what was found.
///
/// Along a piece that spans so many radians of latitude and longitude together, the second derivative of the haversine is at
/// most half their square, so it lies at most a sixteenth of that below the less of its ends' (the error of linear
/// interpolation). Near the nearest place this leaves a few pieces of each length.
fn to_edge(from: Place, one: Place, other: Place, mut nearest: f64) -> f64 {
    let ends = (haversine(from, one), haversine(from, other));
    nearest = nearest.min(metres(ends.0)).min(metres(ends.1));
    let mut open = vec![((one, ends.0), (other, ends.1))];
    while let Some((one, other)) = open.pop() {
        let span = (other.0.0 - one.0.0).abs().to_radians() + (other.0.1 - one.0.1).abs().to_radians();
        let least = one.1.min(other.1) - span * span / 16.0;
        if metres(least) > nearest - FINE {
            continue;
        }
        let middle = ((one.0.0 + other.0.0) / 2.0, (one.0.1 + other.0.1) / 2.0);
        if middle == one.0 || middle == other.0 {
            continue;
        }
        let middle = (middle, haversine(from, middle));
        nearest = nearest.min(metres(middle.1));
        // The nearer half last, so that it comes first and what is found there spares the other.
        let (first, second) = ((one, middle), (middle, other));
        open.extend(if one.1 < other.1 { [second, first] } else { [first, second] });
    }
    nearest
}

/// The distance between two places, in metres.
pub(crate) fn between(one: Place, other: Place) -> f64 {
    metres(haversine(one, other))
}

/// The haversine of the angle between two places: exactly 0 for a place and itself, written whole turns apart or at a pole too.
fn haversine((x1, y1): Place, (x2, y2): Place) -> f64 {
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let width = |latitude: f64| if latitude.abs() < 90.0 { latitude.to_radians().cos() } else { 0.0 };
    let turn = x2 - x1;
    half(y2 - y1) + width(y1) * width(y2) * half(turn - 360.0 * (turn / 360.0).round())
}

/// The distance that a haversine stands for.
fn metres(haversine: f64) -> f64 {
    2.0 * EARTH * haversine.clamp(0.0, 1.0).sqrt().asin()
}

/// The distance from a place to the nearest place of a box, in metres.
fn to_box(from: Place, bounds: &PlaceBox) -> f64 {
    let PlaceBox { west, south, east, north } = *bounds;
    if turns_into(from, bounds).next().is_some() {
        return between(from, (from.0, from.1.clamp(south, north)));
    }
    to_meridian(from, west, south, north).min(to_meridian(from, east, south, north))
}

/// The distance from a place to the nearest of a meridian between two latitudes: where the great circle through the place
/// meets it at a right angle, or at one of the ends.
fn to_meridian(from: Place, x: f64, south: f64, north: f64) -> f64 {
    let (latitude, turn) = (from.1.to_radians(), (x - from.0).to_radians());
    let foot = latitude.sin().atan2(latitude.cos() * turn.cos()).to_degrees();
    let ends = between(from, (x, south)).min(between(from, (x, north)));
    if (south..=north).contains(&foot) { ends.min(between(from, (x, foot))) } else { ends }
}

/// Into which direction one sets out from a place to another: degrees from north, clockwise, from 0 to less than 360.
pub(crate) fn bearing((x1, y1): Place, (x2, y2): Place) -> f64 {
    let (y1, y2, turn) = (y1.to_radians(), y2.to_radians(), (x2 - x1).to_radians());
    let east = turn.sin() * y2.cos();
    let north = y1.cos() * y2.sin() - y1.sin() * y2.cos() * turn.cos();
    east.atan2(north).to_degrees().rem_euclid(360.0)
}

/// Boxes that cover all within so many metres of a place (Matuschek, "Finding Points Within a Distance of a Latitude/Longitude Using Bounding Coordinates"; with a pole inside all longitudes),
/// a hair wider than they need be.
pub(crate) fn boxes_around((x, y): Place, metres: f64) -> Vec<PlaceBox> {
    let angle = metres / EARTH * (1.0 + 1e-9) + 1e-9;
    let degrees = angle.to_degrees();
    let (south, north) = ((y - degrees).max(-90.0), (y + degrees).min(90.0));
    let narrow = angle.sin() / y.to_radians().cos();
    // With a pole inside, or past a quarter of the earth, every longitude is.
    if south <= -90.0 || north >= 90.0 || angle >= std::f64::consts::FRAC_PI_2 || narrow.is_nan() || narrow >= 1.0 {
        return vec![PlaceBox { west: -180.0, south, east: 180.0, north }];
    }
    let width = narrow.asin().to_degrees() + 1e-9;
    let west = (x - width + 180.0).rem_euclid(360.0) - 180.0;
    on_earth(PlaceBox { west, south, east: west + 2.0 * width, north })
}

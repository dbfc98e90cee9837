//! Whether shapes meet: in the plane of longitudes and latitudes, in which GeoJSON's lines are straight.
//!
//! Whether a place lies in a ring is told by counting the edges east of it (the crossing number; Shimrat, "Algorithm 112",
//! 1962), whether two edges cross by on which side of each the ends of the other lie. What only touches meets too.

use ayni_store::PlaceBox;

use super::{Part, Place, Shape, bounds_of, boxes_meet};

/// Whether any of some parts has a place in common with any of others.
pub(crate) fn meet(ones: &[Part], others: &[Part]) -> bool {
    ones.iter().any(|one| others.iter().any(|other| meet_somewhere(one, other)))
}

/// Whether two parts meet, either turned round the earth by as much as it takes.
fn meet_somewhere(one: &Part, other: &Part) -> bool {
    let first = ((one.bounds.west - other.bounds.east) / 360.0).ceil();
    let last = ((one.bounds.east - other.bounds.west) / 360.0).floor();
    let (first, last) = (first as i64, last as i64);
    (first..=last).any(|turn| match turn {
        0 => parts_meet(one, other),
        turn => parts_meet(one, &other.turned(360.0 * turn as f64)),
    })
}

fn parts_meet(one: &Part, other: &Part) -> bool {
    if !boxes_meet(&one.bounds, &other.bounds) {
        return false;
    }
    let common = PlaceBox {
        west: one.bounds.west.max(other.bounds.west),
        south: one.bounds.south.max(other.bounds.south),
        east: one.bounds.east.min(other.bounds.east),
        north: one.bounds.north.min(other.bounds.north),
    };
    edges_meet(&edges_in(&one.shape, &common), &edges_in(&other.shape, &common))
        || lies_in(&one.shape, &other.shape)
        || lies_in(&other.shape, &one.shape)
}

/// Whether a shape whose edges do not meet those of another lies within it: then any place of it does.
fn lies_in(inner: &Shape, outer: &Shape) -> bool {
    let Shape::Area(rings) = outer else { return false };
    inner.lines().first().and_then(|line| line.first()).is_some_and(|place| covers(rings, *place))
}

type Edge = (Place, Place);

/// The edges of a shape that may have places in a box. A place by itself is an edge from it to itself.
fn edges_in(shape: &Shape, common: &PlaceBox) -> Vec<Edge> {
    let mut edges = Vec::new();
    for line in shape.lines() {
        match line {
            [only] => edges.push((*only, *only)),
            line => edges.extend(line.windows(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?)))),
        }
    }
    edges.retain(|(from, to)| bounds_of([*from, *to]).is_some_and(|bounds| boxes_meet(&bounds, common)));
    edges
}

fn edges_meet(ones: &[Edge], others: &[Edge]) -> bool {
    ones.iter().any(|one| others.iter().any(|other| cross(one, other)))
}

/// Whether two edges have a place in common.
fn cross(one: &Edge, other: &Edge) -> bool {
    let (Some(around), Some(around_other)) = (bounds_of([one.0, one.1]), bounds_of([other.0, other.1])) else {
        return false;
    };
    // With overlapping boxes, edges meet exactly if neither lies wholly on one side of the other's line.
    boxes_meet(&around, &around_other)
        && side(one, other.0) * side(one, other.1) <= 0.0
        && side(other, one.0) * side(other, one.1) <= 0.0
}

/// On which side of an edge's line a place lies: the sign tells; 0 on the line.
fn side((from, to): &Edge, place: Place) -> f64 {
    ((to.0 - from.0) * (place.1 - from.1) - (to.1 - from.1) * (place.0 - from.0)).signum_or_zero()
}

trait SignumOrZero {
    fn signum_or_zero(self) -> f64;
}

impl SignumOrZero for f64 {
    fn signum_or_zero(self) -> f64 {
        if self == 0.0 { 0.0 } else { self.signum() }
    }
}

/// Whether an area, given by its outer ring and holes, covers a place, its edges too.
pub(super) fn covers(rings: &[Vec<Place>], place: Place) -> bool {
    let on_edge = |ring: &Vec<Place>| {
        ring.windows(2).any(|pair| match pair {
            [from, to] => cross(&(*from, *to), &(place, place)),
            _ => false,
        })
    };
    rings.iter().any(on_edge) || rings.iter().filter(|ring| is_inside(ring, place)).count() % 2 == 1
}

/// Whether a place that is on no edge lies inside of a ring.
fn is_inside(ring: &[Place], (x, y): Place) -> bool {
    let crossed = ring.windows(2).filter(|pair| match pair {
        [(x1, y1), (x2, y2)] => (*y1 > y) != (*y2 > y) && x < (x2 - x1) * (y - y1) / (y2 - y1) + x1,
        _ => false,
    });
    crossed.count() % 2 == 1
}

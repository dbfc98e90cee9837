//! Where geometries lie on the earth: their parts, the boxes around them, whether they meet, and how far they are.
//!
//! A geometry falls into points, lines and areas. Between two positions a line is straight in longitude and latitude, as
//! GeoJSON has it (RFC 7946, section 3.1.1), so what crosses the date line is cut there or goes on beyond 180 degrees. Every
//! part is moved so that its west is from -180 degrees to less than 180. The poles are one place at all longitudes.
//!
//! A geometry with a position beyond 90 degrees of latitude, or beyond [`TURNS`] turns, lies nowhere on earth.

mod plane;
mod sphere;
#[cfg(test)]
mod tests;

use ayni_doc::{Geometry, Position, Value};
use ayni_store::PlaceBox;

pub(crate) use plane::meet;
pub(crate) use sphere::{EARTH, bearing, boxes_around, distance};

/// How often round the earth a longitude may go.
const TURNS: f64 = 3.0;

/// A part of a geometry.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) shape: Shape,
    pub(crate) bounds: PlaceBox,
}

/// Longitude and latitude, in degrees.
pub(crate) type Place = (f64, f64);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    Point(Place),
    /// A line through at least one place.
    Line(Vec<Place>),
    /// An outer ring and holes, each closed.
    Area(Vec<Vec<Place>>),
}

/// The parts of the geometries in a value: of one, or of those in a list.
pub(crate) fn parts_of(value: &Value) -> Vec<Part> {
    match value {
        Value::Geometry(geometry) => parts(geometry),
        Value::List(items) => items.iter().filter_map(Value::as_geometry).flat_map(parts).collect(),
        _ => Vec::new(),
    }
}

/// The parts of a geometry; none if it lies nowhere.
pub(crate) fn parts(geometry: &Geometry) -> Vec<Part> {
    let mut parts = Vec::new();
    if collect(geometry, &mut parts).is_none() {
        parts.clear();
    }
    parts
}

fn collect(geometry: &Geometry, parts: &mut Vec<Part>) -> Option<()> {
    let line = |line: &[Position]| line.iter().map(place).collect::<Option<Vec<_>>>();
    let area = |rings: &[Vec<Position>]| rings.iter().map(|ring| line(ring).map(closed)).collect::<Option<Vec<_>>>();
    match geometry {
        Geometry::Point(at) => parts.extend(Part::new(Shape::Point(place(at)?))),
        Geometry::MultiPoint(places) => {
            for at in places {
                parts.extend(Part::new(Shape::Point(place(at)?)));
            }
        }
        Geometry::LineString(places) => parts.extend(Part::new(Shape::Line(line(places)?))),
        Geometry::MultiLineString(lines) => {
            for places in lines {
                parts.extend(Part::new(Shape::Line(line(places)?)));
            }
        }
        Geometry::Polygon(rings) => parts.extend(Part::new(Shape::Area(area(rings)?))),
        Geometry::MultiPolygon(areas) => {
            for rings in areas {
                parts.extend(Part::new(Shape::Area(area(rings)?)));
            }
        }
        Geometry::Collection(members) => members.iter().try_for_each(|member| collect(member, parts))?,
    }
    Some(())
}

fn place(at: &Position) -> Option<Place> {
    (at.y.abs() <= 90.0 && at.x.abs() <= 360.0 * TURNS).then_some((at.x, at.y))
}

fn closed(mut ring: Vec<Place>) -> Vec<Place> {
    if ring.first() != ring.last() {
        ring.extend(ring.first().copied());
    }
    ring
}

impl Part {
    /// `None` for a line or area without any place.
    fn new(mut shape: Shape) -> Option<Self> {
        let bounds = shape.bounds()?;
        let turn = -360.0 * ((bounds.west + 180.0) / 360.0).floor();
        if turn != 0.0 {
            shape.each_place(&mut |place| place.0 += turn);
        }
        let bounds = shape.bounds()?;
        Some(Self { shape, bounds })
    }

    /// A rectangle. Its west is from -180 to 180, and not east of its east.
    pub(crate) fn rectangle(bounds: PlaceBox) -> Self {
        let PlaceBox { west, south, east, north } = bounds;
        let ring = vec![(west, south), (east, south), (east, north), (west, north), (west, south)];
        Self { shape: Shape::Area(vec![ring]), bounds }
    }

    /// The same, so many degrees further east.
    pub(crate) fn turned(&self, degrees: f64) -> Self {
        let mut turned = self.clone();
        turned.shape.each_place(&mut |place| place.0 += degrees);
        turned.bounds.west += degrees;
        turned.bounds.east += degrees;
        turned
    }
}

impl Shape {
    /// The lines that it is made of, or that are around it.
    pub(crate) fn lines(&self) -> Vec<&[Place]> {
        match self {
            Self::Point(place) => vec![std::slice::from_ref(place)],
            Self::Line(line) => vec![line],
            Self::Area(rings) => rings.iter().map(Vec::as_slice).collect(),
        }
    }

    fn each_place(&mut self, change: &mut dyn FnMut(&mut Place)) {
        match self {
            Self::Point(place) => change(place),
            Self::Line(line) => line.iter_mut().for_each(change),
            Self::Area(rings) => rings.iter_mut().flatten().for_each(change),
        }
    }

    fn bounds(&self) -> Option<PlaceBox> {
        let lines = self.lines();
        bounds_of(lines.iter().flat_map(|line| line.iter().copied()))
    }
}

pub(crate) fn bounds_of(places: impl IntoIterator<Item = Place>) -> Option<PlaceBox> {
    places.into_iter().fold(None, |bounds: Option<PlaceBox>, (x, y)| {
        let PlaceBox { west, south, east, north } = bounds.unwrap_or(PlaceBox { west: x, south: y, east: x, north: y });
        Some(PlaceBox { west: west.min(x), south: south.min(y), east: east.max(x), north: north.max(y) })
    })
}

/// Whether two boxes have a place in common.
pub(crate) fn boxes_meet(one: &PlaceBox, other: &PlaceBox) -> bool {
    one.west <= other.east && one.east >= other.west && one.south <= other.north && one.north >= other.south
}

/// The boxes under which parts stand in an index: one for what lies in the west of the earth and one for the east, so that
/// what crosses the date line has no box round the whole earth.
pub(crate) fn boxes_of(parts: &[Part]) -> Vec<PlaceBox> {
    let mut halves: [Option<PlaceBox>; 2] = [None, None];
    for part in parts {
        for piece in on_earth(part.bounds) {
            let half = &mut halves[usize::from(piece.west + piece.east >= 0.0)];
            let joined = half.map_or(piece, |known| PlaceBox {
                west: known.west.min(piece.west),
                south: known.south.min(piece.south),
                east: known.east.max(piece.east),
                north: known.north.max(piece.north),
            });
            *half = Some(joined);
        }
    }
    halves.into_iter().flatten().collect()
}

/// A box whose west is from -180 to 180, cut at the date line.
pub(crate) fn on_earth(bounds: PlaceBox) -> Vec<PlaceBox> {
    let PlaceBox { west, east, .. } = bounds;
    if east - west >= 360.0 {
        vec![PlaceBox { west: -180.0, east: 180.0, ..bounds }]
    } else if east > 180.0 {
        vec![PlaceBox { east: 180.0, ..bounds }, PlaceBox { west: -180.0, east: east - 360.0, ..bounds }]
    } else {
        vec![bounds]
    }
}

/// The boxes to look up in an index for what meets these, which lie from -180 to 180: the date line, where they touch it, is on
/// its other side too, and the poles at all longitudes.
pub(crate) fn boxes_to_read(boxes: &[PlaceBox]) -> Vec<PlaceBox> {
    let mut all = boxes.to_vec();
    for bounds in boxes {
        if bounds.west <= -180.0 {
            all.push(PlaceBox { west: 180.0, east: 180.0, ..*bounds });
        }
        if bounds.east >= 180.0 {
            all.push(PlaceBox { west: -180.0, east: -180.0, ..*bounds });
        }
    }
    all.extend(poles_of(boxes));
    all
}

/// The poles that boxes touch, at all longitudes.
pub(crate) fn poles_of(boxes: &[PlaceBox]) -> Vec<PlaceBox> {
    let around = |y: f64| PlaceBox { west: -180.0, south: y, east: 180.0, north: y };
    let north = boxes.iter().any(|bounds| bounds.north >= 90.0).then(|| around(90.0));
    let south = boxes.iter().any(|bounds| bounds.south <= -90.0).then(|| around(-90.0));
    north.into_iter().chain(south).collect()
}

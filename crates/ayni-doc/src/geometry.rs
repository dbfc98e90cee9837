//! Shapes on the earth: the geometries of GeoJSON (RFC 7946).

/// A place: longitude and latitude in degrees (WGS 84), perhaps with a height in metres. All are finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Position {
    /// Longitude.
    pub x: f64,
    /// Latitude.
    pub y: f64,
    /// Height.
    pub z: Option<f64>,
}

/// A GeoJSON geometry. All its positions have heights or none has.
#[derive(Debug, Clone, PartialEq)]
pub enum Geometry {
    /// One place.
    Point(Position),
    /// Places.
    MultiPoint(Vec<Position>),
    /// A line through places.
    LineString(Vec<Position>),
    /// Lines.
    MultiLineString(Vec<Vec<Position>>),
    /// An area: its outer ring, then its holes.
    Polygon(Vec<Vec<Position>>),
    /// Areas.
    MultiPolygon(Vec<Vec<Vec<Position>>>),
    /// Geometries of any kind.
    Collection(Vec<Geometry>),
}

impl Eq for Geometry {}

impl Position {
    /// A place without height.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, z: None }
    }

    /// Its two or three ordinates.
    pub(crate) fn ordinates(&self) -> impl Iterator<Item = f64> {
        [self.x, self.y].into_iter().chain(self.z)
    }
}

impl Geometry {
    /// All its positions, in order.
    pub fn positions(&self) -> Vec<Position> {
        let mut found = Vec::new();
        self.each_position(&mut |position| found.push(*position));
        found
    }

    /// The least box around it: west, south, east, north; `None` if it has no position.
    pub fn bounds(&self) -> Option<[f64; 4]> {
        let mut bounds: Option<[f64; 4]> = None;
        self.each_position(&mut |Position { x, y, .. }| {
            let [west, south, east, north] = bounds.unwrap_or([*x, *y, *x, *y]);
            bounds = Some([west.min(*x), south.min(*y), east.max(*x), north.max(*y)]);
        });
        bounds
    }

    /// How many collections stand inside each other.
    pub fn depth(&self) -> usize {
        match self {
            Self::Collection(members) => 1 + members.iter().map(Self::depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    pub(crate) fn each_position(&self, visit: &mut impl FnMut(&Position)) {
        match self {
            Self::Point(position) => visit(position),
            Self::MultiPoint(line) | Self::LineString(line) => line.iter().for_each(visit),
            Self::MultiLineString(lines) | Self::Polygon(lines) => lines.iter().flatten().for_each(visit),
            Self::MultiPolygon(areas) => areas.iter().flatten().flatten().for_each(visit),
            Self::Collection(members) => {
                let visit: &mut dyn FnMut(&Position) = visit;
                for member in members {
                    member.each_position(&mut |position| visit(position));
                }
            }
        }
    }
}

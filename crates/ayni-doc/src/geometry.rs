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

    /// Whether any of its own positions has a height; those of a collection's members are their own.
    pub(crate) fn has_heights(&self) -> bool {
        let mut any = false;
        if !matches!(self, Self::Collection(_)) {
            self.each_position(&mut |position| any |= position.z.is_some());
        }
        any
    }

    /// Whether it can be written: all ordinates finite, and all positions with heights or none.
    pub(crate) fn is_sound(&self) -> bool {
        if let Self::Collection(members) = self {
            return members.iter().all(Self::is_sound);
        }
        let heights = self.has_heights();
        let mut sound = true;
        self.each_position(&mut |Position { x, y, z }| {
            sound &= x.is_finite() && y.is_finite() && z.is_some() == heights && z.is_none_or(f64::is_finite);
        });
        sound
    }

    /// The number of its kind in formats.
    pub(crate) fn kind(&self) -> u8 {
        match self {
            Self::Point(_) => 0,
            Self::MultiPoint(_) => 1,
            Self::LineString(_) => 2,
            Self::MultiLineString(_) => 3,
            Self::Polygon(_) => 4,
            Self::MultiPolygon(_) => 5,
            Self::Collection(_) => 6,
        }
    }

    pub(crate) fn each_position(&self, visit: &mut dyn FnMut(&Position)) {
        match self {
            Self::Point(position) => visit(position),
            Self::MultiPoint(line) | Self::LineString(line) => line.iter().for_each(visit),
            Self::MultiLineString(lines) | Self::Polygon(lines) => lines.iter().flatten().for_each(visit),
            Self::MultiPolygon(areas) => areas.iter().flatten().flatten().for_each(visit),
            Self::Collection(members) => members.iter().for_each(|member| member.each_position(visit)),
        }
    }
}

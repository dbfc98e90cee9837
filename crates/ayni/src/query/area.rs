//! Areas: where on the earth what is looked for must lie.

use std::fmt;
use std::str::FromStr;

use ayni_doc::{Geometry, Position, Value};
use ayni_store::PlaceBox;
use thiserror::Error;

use crate::places::{Part, bearing, boxes_around, boxes_to_read, distance, meet, on_earth, parts, parts_of, poles_of};

/// Where on the earth what is looked for must lie: what has a place in common with the area counts, wholly inside or not.
///
/// ```
/// use ayni::query::Area;
/// use ayni_doc::{Geometry, Position};
///
/// let cusco = Geometry::Point(Position::new(-71.9675, -13.532)).into();
/// assert!("-73,-14,-71,-13".parse::<Area>()?.contains(&cusco)); // west, south, east, north
/// let near_puno = Area::near(Position::new(-70.0199, -15.8402), 400_000.0)?;
/// assert!(near_puno.contains(&cusco));
/// assert_eq!(near_puno.metres_to(&cusco).map(f64::round), Some(331_289.0));
/// # Ok::<(), ayni::query::AreaError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Near {
        place: Position,
        metres: f64,
    },
    /// What is within a box or a shape: its parts, and boxes round them.
    Shape {
        parts: Vec<Part>,
        boxes: Vec<PlaceBox>,
        written: String,
    },
}

/// An area that there is not.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum AreaError {
    /// Text that is no box.
    #[error("{0:?} is no box: write west,south,east,north in degrees, as in -73.5,-14,-71,-13")]
    Form(String),
    /// A latitude beyond the poles.
    #[error("a latitude of {0} degrees: it lies between -90 (south) and 90 (north)")]
    Latitude(f64),
    /// A longitude that no place has.
    #[error("a longitude of {0} degrees: it lies between -180 (west) and 180 (east)")]
    Longitude(f64),
    /// A box that ends south of where it begins.
    #[error("a box from latitude {0} up to {1}: the southern one comes first")]
    UpsideDown(f64, f64),
    /// A distance that is none.
    #[error("a distance of {0} metres: it must be 0 or more")]
    Metres(f64),
    /// A shape without any place on earth.
    #[error("the shape has no place on earth: it needs positions with latitudes between -90 and 90")]
    Nowhere,
}

impl Area {
    /// A box, in degrees. Where its west is greater than its east it crosses the date line. One that reaches a pole has it at
    /// every longitude.
    ///
    /// # Errors
    /// [`AreaError`] for latitudes beyond 90 or longitudes beyond 180 degrees, and a south north of the north.
    pub fn within(west: f64, south: f64, east: f64, north: f64) -> Result<Self, AreaError> {
        [south, north].into_iter().try_for_each(latitude)?;
        [west, east].into_iter().try_for_each(longitude)?;
        if south > north {
            return Err(AreaError::UpsideDown(south, north));
        }
        let end = if west > east { east + 360.0 } else { east };
        let boxes = on_earth(PlaceBox { west, south, east: end, north });
        let parts = boxes.iter().copied().chain(poles_of(&boxes)).map(Part::rectangle).collect();
        let written = format!("{west},{south},{east},{north}");
        Ok(Self { kind: Kind::Shape { parts, boxes: boxes_to_read(&boxes), written } })
    }

    /// What is at most so many metres from a place, along a great circle of a sphere with the earth's mean radius. Of a line
    /// the nearest place counts, and to an area with the place inside the distance is 0. [`f64::INFINITY`]: however far.
    ///
    /// # Errors
    /// [`AreaError`] for a latitude beyond 90 or a longitude beyond 180 degrees, and a distance below 0.
    pub fn near(place: Position, metres: f64) -> Result<Self, AreaError> {
        latitude(place.y)?;
        longitude(place.x)?;
        if metres.is_nan() || metres < 0.0 {
            return Err(AreaError::Metres(metres));
        }
        Ok(Self::round(place, metres))
    }

    /// The same, of a place and a distance that were looked at.
    pub(crate) fn round(place: Position, metres: f64) -> Self {
        Self { kind: Kind::Near { place, metres } }
    }

    /// What has a place in common with a geometry. Its lines are straight in longitude and latitude, as in GeoJSON; one that
    /// crosses the date line is cut there, or goes on beyond 180 degrees.
    ///
    /// # Errors
    /// [`AreaError::Nowhere`] for a geometry without positions, or with one beyond the poles.
    pub fn shape(geometry: &Geometry) -> Result<Self, AreaError> {
        let parts = parts(geometry);
        if parts.is_empty() {
            return Err(AreaError::Nowhere);
        }
        let boxes: Vec<PlaceBox> = parts.iter().flat_map(|part| on_earth(part.bounds)).collect();
        Ok(Self { kind: Kind::Shape { parts, boxes: boxes_to_read(&boxes), written: "the shape".to_owned() } })
    }

    /// Whether a value has a place in it: a geometry, or a list of them.
    pub fn contains(&self, value: &Value) -> bool {
        match &self.kind {
            Kind::Near { metres, .. } => self.metres_to(value).is_some_and(|distance| distance <= *metres),
            Kind::Shape { parts, .. } => meet(parts, &parts_of(value)),
        }
    }

    /// How far the nearest place of a value is from that of an area made with [`Area::near`], in metres, whether that is near
    /// enough or not. `None` for other areas, and for a value without a place.
    pub fn metres_to(&self, value: &Value) -> Option<f64> {
        let place = self.place()?;
        distance((place.x, place.y), &parts_of(value))
    }

    /// The place that an area made with [`Area::near`] is about.
    pub fn place(&self) -> Option<Position> {
        match &self.kind {
            Kind::Near { place, .. } => Some(*place),
            Kind::Shape { .. } => None,
        }
    }

    /// The boxes to look up in an index.
    pub(crate) fn boxes(&self) -> Vec<PlaceBox> {
        match &self.kind {
            Kind::Near { place, metres } => boxes_to_read(&boxes_around((place.x, place.y), *metres)),
            Kind::Shape { boxes, .. } => boxes.clone(),
        }
    }

    /// The place that it is about, and how far it reaches.
    pub(crate) fn reach(&self) -> Option<(Position, f64)> {
        match &self.kind {
            Kind::Near { place, metres } => Some((*place, *metres)),
            Kind::Shape { .. } => None,
        }
    }
}

/// Into which direction one sets out from a place to another along a great circle: degrees from north, clockwise.
pub fn direction(from: Position, to: Position) -> f64 {
    bearing((from.x, from.y), (to.x, to.y))
}

fn latitude(degrees: f64) -> Result<(), AreaError> {
    if degrees.abs() <= 90.0 { Ok(()) } else { Err(AreaError::Latitude(degrees)) }
}

fn longitude(degrees: f64) -> Result<(), AreaError> {
    if degrees.abs() <= 180.0 { Ok(()) } else { Err(AreaError::Longitude(degrees)) }
}

impl FromStr for Area {
    type Err = AreaError;

    /// A box: west, south, east and north in degrees, between commas.
    fn from_str(text: &str) -> Result<Self, AreaError> {
        let form = || AreaError::Form(text.to_owned());
        let degrees = text.split(',').map(|part| part.trim().parse::<f64>().ok()).collect::<Option<Vec<_>>>();
        match degrees.as_deref() {
            Some([west, south, east, north]) => Self::within(*west, *south, *east, *north),
            _ => Err(form()),
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Near { place, metres } => write!(f, "{metres} m round {},{}", place.y, place.x),
            Kind::Shape { written, .. } => f.write_str(written),
        }
    }
}

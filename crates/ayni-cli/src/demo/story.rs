//! What happens to which places, and what must come of it.

use super::orders::Edit;

/// The devices, in the order in which they come on.
pub(super) const DEVICES: [&str; 3] = ["Ana", "Ben", "Chaska"];
/// The first of [`DEVICES`].
pub(super) const ANA: usize = 0;
/// The second.
pub(super) const BEN: usize = 1;
/// The third.
pub(super) const CHASKA: usize = 2;

/// A place, as it is in the data.
pub(super) struct Place {
    /// Its number at GeoNames.
    pub(super) number: &'static str,
    pub(super) name: &'static str,
}

pub(super) const CUSCO: Place = Place { number: "3941584", name: "Cusco" };
pub(super) const PUNO: Place = Place { number: "3931276", name: "Puno" };
pub(super) const JULIACA: Place = Place { number: "3937513", name: "Juliaca" };
pub(super) const AREQUIPA: Place = Place { number: "3947322", name: "Arequipa" };

/// The numbers of the places that something happens to.
pub(super) const PLACES_IN_IT: [&str; 4] = [CUSCO.number, PUNO.number, JULIACA.number, AREQUIPA.number];
/// The names of the places that are new.
pub(super) const NEW: [&str; 3] = ["Qollqanpata", "Amantani Pata", "Illa Wasi"];

pub(super) const POPULATION: &str = "population";
pub(super) const ALTITUDE: &str = "altitude";

/// The population that Ana gives Cusco.
pub(super) const CUSCO_POPULATION: i64 = 428_450;
/// The altitude that Ben gives Cusco, in metres.
pub(super) const CUSCO_ALTITUDE: i64 = 3_399;
/// The populations that Ben and Chaska give Puno without having seen each other's.
pub(super) const PUNO_POPULATIONS: [i64; 2] = [128_637, 141_064];
/// The altitude that Chaska gives Juliaca while Ana deletes it, in metres.
pub(super) const JULIACA_ALTITUDE: i64 = 3_825;
/// The population that Chaska gives Arequipa, on a clock that says 2031.
pub(super) const AREQUIPA_MISTAKE: i64 = 8_411_300;
/// The population that Ben, who saw that, gives Arequipa.
pub(super) const AREQUIPA_POPULATION: i64 = 1_008_290;

/// What Chaska does while everyone is connected and her clock is wrong.
pub(super) fn mistake() -> Edit {
    set(&AREQUIPA, POPULATION, AREQUIPA_MISTAKE)
}

/// What each device does while it is alone.
pub(super) fn alone() -> [Vec<Edit>; 3] {
    [
        vec![
            set(&CUSCO, POPULATION, CUSCO_POPULATION),
            Edit::Delete { place: JULIACA.number.to_owned() },
            create(NEW[ANA], -71.9772, -13.5128),
        ],
        vec![
            set(&CUSCO, ALTITUDE, CUSCO_ALTITUDE),
            set(&PUNO, POPULATION, PUNO_POPULATIONS[0]),
            set(&AREQUIPA, POPULATION, AREQUIPA_POPULATION),
            create(NEW[BEN], -69.7161, -15.6633),
        ],
        vec![
            set(&PUNO, POPULATION, PUNO_POPULATIONS[1]),
            set(&JULIACA, ALTITUDE, JULIACA_ALTITUDE),
            create(NEW[CHASKA], -72.2629, -13.2583),
        ],
    ]
}

fn set(place: &Place, field: &str, number: i64) -> Edit {
    Edit::Set { place: place.number.to_owned(), field: field.to_owned(), number }
}

fn create(name: &str, longitude: f64, latitude: f64) -> Edit {
    Edit::Create { name: name.to_owned(), population: 12, longitude, latitude }
}

/// The name of a place that something happens to.
pub(super) fn name_of(number: &str) -> &'static str {
    [CUSCO, PUNO, JULIACA, AREQUIPA].into_iter().find(|place| place.number == number).map_or("", |place| place.name)
}

//! Who is in a project, decided alike everywhere.

#[path = "membership/world.rs"]
mod world;

#[path = "membership/arrival.rs"]
mod arrival;
#[path = "membership/counting.rs"]
mod counting;
#[path = "membership/fences.rs"]
mod fences;
#[path = "membership/formats.rs"]
mod formats;
#[path = "membership/frozen.rs"]
mod frozen;
#[path = "membership/garbage.rs"]
mod garbage;
#[path = "membership/joining.rs"]
mod joining;
#[path = "membership/keys.rs"]
mod keys;
#[path = "membership/ranks.rs"]
mod ranks;
#[path = "membership/removal.rs"]
mod removal;
#[path = "membership/rights.rs"]
mod rights;

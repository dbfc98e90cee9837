//! Finding documents by where they lie, in an index of places.

use ayni_doc::Position;
use ayni_store::{DocumentRef, IndexRow, PlaceBox, Snapshot};

use crate::error::Error;
use crate::places::EARTH;
use crate::query::Area;
use crate::query::condition::Order;
use crate::query::found::Found;

/// How far it is looked first for the few that are nearest: metres.
const FIRST_REACH: f64 = 1_000.0;

/// Reads from an index the documents that lie in an area. Where a few that are nearest are asked for, it looks ever further
/// until there are enough.
pub(super) fn read_index(
    store: &Snapshot<'_>,
    index: IndexRow,
    area: &Area,
    found: &mut Found<'_>,
) -> Result<(), Error> {
    match (area.reach(), found.most()) {
        (Some((place, metres)), Some(most)) if found.query.order() == Order::Distance => {
            look_ever_further(store, index, (place, metres), most, found)
        }
        _ => take_in_boxes(store, index, &area.boxes(), found),
    }
}

fn look_ever_further(
    store: &Snapshot<'_>,
    index: IndexRow,
    (place, metres): (Position, f64),
    most: usize,
    found: &mut Found<'_>,
) -> Result<(), Error> {
    found.cost.ordered = true;
    let furthest = metres.min(EARTH * std::f64::consts::PI);
    let mut reach = FIRST_REACH;
    loop {
        let all = reach >= furthest;
        // The last time to the full distance, so that nothing is left out by a hair.
        let around = Area::round(place, if all { metres } else { reach });
        found.clear();
        take_in_boxes(store, index, &around.boxes(), found)?;
        if all || found.up_to(reach) >= most {
            return Ok(());
        }
        reach *= 4.0;
    }
}

fn take_in_boxes(
    store: &Snapshot<'_>,
    index: IndexRow,
    boxes: &[PlaceBox],
    found: &mut Found<'_>,
) -> Result<(), Error> {
    found.cost.runs += boxes.len();
    for row in store.documents_in_boxes(index, boxes)? {
        found.cost.keys += 1;
        let Some(document) = store.document(row)? else { continue };
        let ayni_store::Document { row, id, flags, heads, body, .. } = document;
        found.take(&DocumentRef { row, id, flags, heads, body: &body })?;
    }
    Ok(())
}

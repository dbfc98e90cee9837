//! Panics of the code under test, taken for what they are: broken promises.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static WATCHING: Cell<bool> = const { Cell::new(false) };
    static TEXT: RefCell<Option<String>> = const { RefCell::new(None) };
}
static HOOKED: Once = Once::new();

/// Runs something; the text of a panic in it, also of one that was caught inside.
pub(crate) fn caught<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    HOOKED.call_once(hook);
    WATCHING.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    WATCHING.set(false);
    match (result, TEXT.take()) {
        (Ok(result), None) => Ok(result),
        (_, text) => Err(text.unwrap_or_default()),
    }
}

/// Panics that are watched for are kept and not printed.
fn hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| match WATCHING.get() {
        true => TEXT.set(Some(info.to_string())),
        false => before(info),
    }));
}

//! The shortest story of a failure that can be found: steps are taken out as long as what is left still breaks a promise
//! (delta debugging: Zeller and Hildebrandt, 2002).

use std::time::{Duration, Instant};

use crate::action::Step;
use crate::run::{Ended, run};

/// Takes steps out of a plan that fails, as long as the same promise is broken without them, for so long at the most.
/// Gives what is left, and how it ends.
pub fn shortest(seed: u64, steps: &[Step], failed: Ended, at_most: Duration) -> (Vec<Step>, Ended) {
    let begun = Instant::now();
    let promise = failed.broken.as_ref().map(|broken| broken.promise);
    let mut best = (steps[..failed.steps.min(steps.len())].to_vec(), failed);
    let mut size = best.0.len().div_ceil(2);
    while size > 0 {
        let mut start = 0;
        while start < best.0.len() {
            if begun.elapsed() > at_most {
                return best;
            }
            let end = (start + size).min(best.0.len());
            let fewer: Vec<Step> = best.0[..start].iter().chain(&best.0[end..]).copied().collect();
            let ended = run(seed, &fewer);
            match ended.broken.as_ref().map(|broken| broken.promise) == promise {
                true => best = (fewer, ended),
                false => start = end,
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    best
}

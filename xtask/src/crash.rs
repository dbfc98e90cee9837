//! `cargo xtask crash`: the crash test of the real program, longer than in the tests.

use crate::run::cargo;
use anyhow::{Context, Result, bail};

pub(crate) fn crash(arguments: &[String]) -> Result<()> {
    let (mut crashes, mut seed) = (500_u64, 1_u64);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let number = match argument.as_str() {
            "--crashes" => &mut crashes,
            "--seed" => &mut seed,
            other => bail!("`cargo xtask crash` knows no '{other}': --crashes N, --seed N"),
        };
        let given = rest.next().with_context(|| format!("{argument} wants a number"))?;
        *number = given.parse().with_context(|| format!("'{given}' is no number"))?;
    }
    cargo(&["test", "--package", "ayni-cli", "--test", "crash", "--", "--nocapture", "killed_again"])
        .env("AYNI_CRASHES", crashes.to_string())
        .env("AYNI_CRASH_SEED", seed.to_string())
        .run()
}

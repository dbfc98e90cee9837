//! What the store promises, tested through its public face, over real files, and over files that fail.

mod compacting;
mod damage;
mod durability;
mod ending;
mod faulty_vfs;
mod opening;
mod searching;
mod support;
mod writing;

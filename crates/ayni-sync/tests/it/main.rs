//! What sync promises, over links in memory and a toy database.

mod attack;
mod cut;
mod forks;
mod frozen;
mod hostile;
mod leaving;
mod limits;
mod meeting;
mod patience;
mod privacy;
mod progress;
mod receipts;
mod toy;
mod world;

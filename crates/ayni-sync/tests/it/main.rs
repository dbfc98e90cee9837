//! What sync promises, over links in memory and a toy database.

mod cut;
mod forks;
mod frozen;
mod hostile;
mod meeting;
mod privacy;
mod receipts;
mod toy;
mod world;

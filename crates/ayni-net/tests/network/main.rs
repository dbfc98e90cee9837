//! Networks over real sockets: on the loopback, against peers that misbehave, and between hosts in
//! network namespaces.

mod fixture;
mod hostile;
mod lan;
mod meeting;
mod namespaces;

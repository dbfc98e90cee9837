//! The baseline's network: one QUIC connection on this machine, on which every message comes straight back.

use anyhow::{Context, Result};
use iroh::endpoint::{RecvStream, SendStream, presets};
use iroh::{Endpoint, EndpointAddr, RelayMode};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const ALPN: &[u8] = b"ayni-bench-echo";

/// Two endpoints, one stream between them, and the threads that serve it.
pub struct Echo {
    runtime: Runtime,
    send: SendStream,
    receive: RecvStream,
    endpoints: [Endpoint; 2],
}

impl Echo {
    /// Connects.
    ///
    /// # Errors
    /// When a socket cannot be bound on this machine.
    pub fn connect() -> Result<Self> {
        let runtime = Runtime::new()?;
        let (send, receive, endpoints) = runtime.block_on(async {
            let (near, far) = (endpoint().await?, endpoint().await?);
            let port = far.bound_sockets().iter().find(|bound| bound.is_ipv4()).context("no IPv4 socket")?.port();
            let address = EndpointAddr::new(far.id()).with_ip_addr((Ipv4Addr::LOCALHOST, port).into());
            tokio::spawn(answer(far.clone()));
            let connection = near.connect(address, ALPN).await?;
            let (send, receive) = connection.open_bi().await?;
            anyhow::Ok((send, receive, [near, far]))
        })?;
        Ok(Self { runtime, send, receive, endpoints })
    }

    /// Sends a message of `bytes` and waits until all of it has come back.
    ///
    /// # Errors
    /// When the connection broke.
    pub fn round_trip(&mut self, bytes: usize) -> Result<Duration> {
        let message = vec![7; bytes];
        let mut back = vec![0; bytes];
        let started = Instant::now();
        self.runtime.block_on(async {
            self.send.write_all(&message).await?;
            self.receive.read_exact(&mut back).await?;
            anyhow::Ok(())
        })?;
        Ok(started.elapsed())
    }

    /// Says goodbye, so that nothing of it runs on beside the next measurement.
    pub fn close(self) {
        self.runtime.block_on(async {
            for endpoint in &self.endpoints {
                endpoint.close().await;
            }
        });
    }
}

async fn endpoint() -> Result<Endpoint> {
    let builder = Endpoint::builder(presets::Minimal).relay_mode(RelayMode::Disabled).alpns(vec![ALPN.to_vec()]);
    Ok(builder.bind().await?)
}

/// Sends back what comes, until the other side goes.
async fn answer(endpoint: Endpoint) -> Result<()> {
    let connection = endpoint.accept().await.context("closed before anyone came")?.await?;
    let (mut send, mut receive) = connection.accept_bi().await?;
    tokio::io::copy(&mut receive, &mut send).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_comes_back() -> Result<()> {
        let mut echo = Echo::connect()?;
        assert!(echo.round_trip(300)? < Duration::from_secs(5));
        echo.close();
        Ok(())
    }
}

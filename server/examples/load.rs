//! A load for the webhook receiver: `load PORT SECONDS RATE FILE`, where a rate of 0 is "as fast as it is answered".
//! The numbers of the deliveries that were accepted go to FILE, the figures to standard output. Used by
//! `cargo xtask bench webhooks`.

#![expect(clippy::print_stdout, reason = "its answer")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep_until},
};

const CONNECTIONS: u32 = 32;

/// Of the size of a real one. The number in it makes it one of its own; nothing in it can be asked about.
const BODY: &str = include_str!("delivery.json");

fn request(n: u64, port: u16) -> Vec<u8> {
    let body = BODY.trim().replace("n0", &format!("n{n}"));
    format!(
        "POST /hooks/toss-payments HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n\
         user-agent: TossPayments\r\ntosspayments-webhook-transmission-time: 2024-02-13T12:18:14+09:00\r\n\
         tosspayments-webhook-transmission-retried-count: 0\r\n\
         tosspayments-webhook-transmission-id: whtrans_{n}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// One request and its answer; whether it was a 200.
async fn post(stream: &mut TcpStream, n: u64, port: u16) -> std::io::Result<bool> {
    stream.write_all(&request(n, port)).await?;
    let mut answer = Vec::with_capacity(512);
    while !answer.windows(4).any(|w| w == b"\r\n\r\n") {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}

#[derive(Default)]
struct Sum {
    accepted: Vec<u64>,
    refused: u64,
    latencies: Vec<Duration>,
}

/// A latency counts from when the request should have left, so that a stall is not hidden by the requests it holds up.
async fn connection(k: u32, port: u16, until: Instant, rate: f64, next: Arc<AtomicU64>) -> Sum {
    let mut sum = Sum::default();
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return sum };
    drop(stream.set_nodelay(true));
    let step =
        if rate > 0.0 { Duration::from_secs_f64(f64::from(CONNECTIONS) / rate) } else { Duration::ZERO };
    let mut due = Instant::now() + step * k / CONNECTIONS;
    while due < until && Instant::now() < until {
        if rate > 0.0 {
            sleep_until(due).await;
        } else {
            due = Instant::now();
        }
        let n = next.fetch_add(1, Ordering::Relaxed);
        match post(&mut stream, n, port).await {
            Ok(true) => {
                sum.accepted.push(n);
                sum.latencies.push(due.elapsed());
            }
            Ok(false) => sum.refused += 1,
            // The server is gone.
            Err(_) => break,
        }
        due += step;
    }
    sum
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, port, seconds, rate, file] = arguments.as_slice() else {
        anyhow::bail!("load PORT SECONDS RATE FILE");
    };
    let (port, rate): (u16, f64) = (port.parse()?, rate.parse()?);
    let begun = Instant::now();
    let until = begun + Duration::from_secs(seconds.parse()?);
    let (next, all) = (Arc::new(AtomicU64::new(1)), Arc::new(Mutex::new(Sum::default())));
    let mut connections = tokio::task::JoinSet::new();
    for k in 0..CONNECTIONS {
        connections.spawn(connection(k, port, until, rate, Arc::clone(&next)));
    }
    while let Some(sum) = connections.join_next().await {
        let sum = sum?;
        let mut all = all.lock().map_err(|_| anyhow::anyhow!("a connection panicked"))?;
        all.accepted.extend(sum.accepted);
        all.latencies.extend(sum.latencies);
        all.refused += sum.refused;
    }
    let took = begun.elapsed().as_secs_f64();
    let mut all = all.lock().map_err(|_| anyhow::anyhow!("a connection panicked"))?;
    all.latencies.sort();
    let at = |percent: usize| {
        let index = (all.latencies.len() * percent / 100).min(all.latencies.len().saturating_sub(1));
        all.latencies.get(index).copied().unwrap_or_default().as_secs_f64() * 1000.0
    };
    println!("{} {} {took:.3} {:.2} {:.2}", all.accepted.len(), all.refused, at(50), at(99));
    let lines: Vec<String> = all.accepted.iter().map(u64::to_string).collect();
    std::fs::write(file, lines.join("\n")).context("the file cannot be written")?;
    Ok(())
}

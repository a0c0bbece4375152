//! What has to get through: the addresses of Toss's documents, held against what this machine resolves and reaches now
//! and against what our allow-list lets in.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use futures::future::join_all;
use ipnet::IpNet;
use toss::{apps_in_toss, payments::webhook::SOURCE_ADDRESSES};

use crate::Backoffice;

/// A page waits this long at most.
const PATIENCE: Duration = Duration::from_millis(1500);

/// A host that we call.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub url: String,
    /// As Toss documents them; none for a host that is not Toss's.
    pub documented: Vec<IpAddr>,
    /// What this machine resolves the name to.
    pub resolved: Vec<IpAddr>,
    /// How long a connection took, or why there was none.
    pub reached: Result<Duration, String>,
}

impl Outgoing {
    /// Resolved to something that Toss does not document.
    pub fn is_elsewhere(&self) -> bool {
        !self.documented.is_empty() && self.resolved.iter().any(|ip| !self.documented.contains(ip))
    }
}

/// An address or range that Toss calls us from.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// `toss_payments` or `apps_in_toss`
    pub from: &'static str,
    pub range: IpNet,
    /// Nothing where no address is asked: an unlink callback proves itself by its password.
    pub is_let_in: Option<bool>,
}

/// What our list of addresses says to each. Everybody is let in where nothing is listed.
pub fn incoming(allowed: &[IpNet]) -> Vec<Incoming> {
    let payments = SOURCE_ADDRESSES.iter().filter_map(|text| text.parse::<IpAddr>().ok()).map(IpNet::from);
    let apps = apps_in_toss::SOURCE_RANGES.iter().filter_map(|text| text.parse::<IpNet>().ok());
    let is_let_in = |range: &IpNet| allowed.is_empty() || allowed.iter().any(|net| net.contains(range));
    payments
        .map(|range| Incoming { from: "toss_payments", range, is_let_in: Some(is_let_in(&range)) })
        .chain(apps.map(|range| Incoming { from: "apps_in_toss", range, is_let_in: None }))
        .collect()
}

async fn reach(url: String, documented: &[&str]) -> Outgoing {
    let documented = documented.iter().filter_map(|text| text.parse().ok()).collect();
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", &url));
    let host = rest.split('/').next().unwrap_or_default();
    let host = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
        host.to_owned()
    } else {
        format!("{host}:{}", if scheme == "http" { 80 } else { 443 })
    };
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host(host)).await;
    let addresses: Vec<_> = match found {
        Ok(Ok(addresses)) => addresses.collect(),
        Ok(Err(error)) => {
            return Outgoing { url, documented, resolved: Vec::new(), reached: Err(error.to_string()) };
        }
        Err(_) => {
            let why = "no name server answered".to_owned();
            return Outgoing { url, documented, resolved: Vec::new(), reached: Err(why) };
        }
    };
    let begun = Instant::now();
    let reached = match tokio::time::timeout(PATIENCE, tokio::net::TcpStream::connect(&addresses[..])).await {
        Ok(Ok(_)) => Ok(begun.elapsed()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} ms", PATIENCE.as_millis())),
    };
    let mut resolved: Vec<IpAddr> = addresses.iter().map(std::net::SocketAddr::ip).collect();
    resolved.dedup();
    Outgoing { url, documented, resolved, reached }
}

/// Resolves and calls every host that we are set up with, now.
pub async fn outgoing(backoffice: &Backoffice) -> Vec<Outgoing> {
    let mut hosts = vec![(backoffice.toss.url().to_owned(), &[][..])];
    if let Some(apps) = &backoffice.apps_in_toss {
        let known = |url: &str, official: &str, addresses: &'static [&'static str]| {
            (url.to_owned(), if url == official { addresses } else { &[] })
        };
        let (url, pay_url) = (apps.client.url(), apps.client.pay_url());
        hosts.push(known(url, apps_in_toss::OFFICIAL_URL, &apps_in_toss::ADDRESSES));
        hosts.push(known(pay_url, apps_in_toss::OFFICIAL_PAY_URL, &apps_in_toss::PAY_ADDRESSES));
    }
    join_all(hosts.into_iter().map(|(url, documented)| reach(url, documented))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_judges_whom_it_is_asked_about() {
        assert!(incoming(&[]).iter().all(|row| row.is_let_in != Some(false)));
        let listed: IpNet = SOURCE_ADDRESSES[0].parse::<IpAddr>().unwrap().into();
        let rows = incoming(&[listed, "106.249.5.0/24".parse().unwrap()]);
        for row in rows.iter().filter(|row| row.from == "toss_payments") {
            assert_eq!(row.is_let_in, Some(row.range == listed), "{}", row.range);
        }
        let apps: Vec<_> = rows.iter().filter(|row| row.from == "apps_in_toss").collect();
        assert!(apps.len() == 6 && apps.iter().all(|row| row.is_let_in.is_none()));
    }
}

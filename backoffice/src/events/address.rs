//! Where events may be sent. What somebody of the staff types as an address must not become a request of ours to our own network:
//! every address that a name resolves to is looked at, at the moment of connecting, and no redirect is followed.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};

/// How long a receiver may take, as Standard Webhooks proposes.
const PATIENCE: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(5);

/// Networks that are not the internet (IANA's special-purpose registries).
const INSIDE: [&str; 27] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/96",
    // What an IPv4 address can hide in.
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fe80::/9",
    "ff00::/8",
];

/// Why an address cannot be sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("this is no address: write https://host/path")]
    Url,
    #[error("only https leaves the house")]
    NotEncrypted,
    #[error("a name or password in an address would stand in logs")]
    Credentials,
    #[error("this address is inside our own network")]
    Inside,
}

/// The way outside.
#[derive(Clone)]
pub struct Outside {
    /// By TLS, to the internet and to networks of our own that are allowed.
    sealed: reqwest::Client,
    /// Without, to those networks of our own alone.
    clear: reqwest::Client,
    allowed: Arc<[IpNet]>,
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outside").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

impl Outside {
    /// `allowed`: networks of our own that may be sent to all the same, and without TLS.
    ///
    /// # Errors
    /// No client can be made: this machine has no root certificates, for example.
    pub fn new(allowed: &[IpNet]) -> Result<Self, reqwest::Error> {
        let allowed: Arc<[IpNet]> = allowed.into();
        let client = |is_sealed| {
            reqwest::Client::builder()
                .user_agent(concat!("Jangbu/", env!("CARGO_PKG_VERSION")))
                .timeout(PATIENCE)
                .connect_timeout(CONNECT)
                .redirect(redirect::Policy::none())
                // A proxy of the environment would resolve names by itself.
                .no_proxy()
                .pool_idle_timeout(Duration::from_secs(20))
                .dns_resolver(Arc::new(Looked { allowed: Arc::clone(&allowed), is_sealed }))
                .build()
        };
        Ok(Self { sealed: client(true)?, clear: client(false)?, allowed })
    }

    /// What can be said of an address before it is connected to.
    pub fn check(&self, text: &str) -> Result<Url, Unfit> {
        let url = Url::parse(text.trim()).map_err(|_| Unfit::Url)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(Unfit::Url);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Unfit::Credentials);
        }
        // A name is looked at when it has been resolved; an address that is written out is never resolved.
        let written = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
        if written.is_some_and(|ip| !may_reach(ip, &self.allowed)) {
            return Err(Unfit::Inside);
        }
        let is_own = written.map_or(!self.allowed.is_empty(), |ip| is_allowed(ip, &self.allowed));
        if url.scheme() == "http" && !is_own {
            return Err(Unfit::NotEncrypted);
        }
        Ok(url)
    }

    pub(super) fn post(&self, url: Url) -> reqwest::RequestBuilder {
        if url.scheme() == "https" { self.sealed.post(url) } else { self.clear.post(url) }
    }
}

fn plain(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    }
}

fn is_allowed(ip: IpAddr, allowed: &[IpNet]) -> bool {
    let ip = plain(ip);
    allowed.iter().any(|net| net.contains(&ip))
}

fn is_inside(ip: IpAddr) -> bool {
    let ip = plain(ip);
    let inside = INSIDE.iter().filter_map(|net| net.parse::<IpNet>().ok()).any(|net| net.contains(&ip));
    inside || ip == IpAddr::V6(Ipv6Addr::LOCALHOST)
}

fn may_reach(ip: IpAddr, allowed: &[IpNet]) -> bool {
    is_allowed(ip, allowed) || !is_inside(ip)
}

/// Resolves names, and forgets what they must not resolve to.
struct Looked {
    allowed: Arc<[IpNet]>,
    is_sealed: bool,
}

impl Resolve for Looked {
    fn resolve(&self, name: Name) -> Resolving {
        let (allowed, is_sealed) = (Arc::clone(&self.allowed), self.is_sealed);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let is_fit = |ip| if is_sealed { may_reach(ip, &allowed) } else { is_allowed(ip, &allowed) };
            let fit: Vec<SocketAddr> = found.filter(|address| is_fit(address.ip())).collect();
            if fit.is_empty() {
                return Err(Box::<dyn std::error::Error + Send + Sync>::from(Unfit::Inside));
            }
            Ok(Box::new(fit.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_network_is_not_reached_in_any_way_of_writing_it() {
        for text in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.100.100.200",
            "0.0.0.0",
            "::1",
            "::",
            "fe80::1",
            "fec0::1",
            "fd00:ec2::254",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:0:4136:e378::1",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
        ] {
            assert!(is_inside(text.parse().unwrap()), "{text}");
        }
        for text in ["1.1.1.1", "211.45.10.1", "2606:4700::1111", "2404:6800:4004:80a::200e"] {
            assert!(!is_inside(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn an_address_is_looked_at_before_anything_is_sent() {
        drop(rustls::crypto::ring::default_provider().install_default());
        let outside = Outside::new(&[]).unwrap();
        for (text, why) in [
            ("https://127.0.0.1/hook", Unfit::Inside),
            ("https://[::1]/hook", Unfit::Inside),
            ("https://[::ffff:10.0.0.1]/hook", Unfit::Inside),
            // The forms that browsers read as 127.0.0.1.
            ("https://0x7f.1/hook", Unfit::Inside),
            ("https://2130706433/hook", Unfit::Inside),
            ("https://127.1/hook", Unfit::Inside),
            ("http://shop.example/hook", Unfit::NotEncrypted),
            ("https://user:pw@shop.example/hook", Unfit::Credentials),
            ("ftp://shop.example/hook", Unfit::Url),
            ("file:///etc/passwd", Unfit::Url),
            ("shop.example", Unfit::Url),
        ] {
            assert_eq!(outside.check(text).unwrap_err(), why, "{text}");
        }
        outside.check("https://shop.example/hook").unwrap();
        let own = Outside::new(&["127.0.0.0/8".parse().unwrap()]).unwrap();
        own.check("http://127.0.0.1:9/hook").unwrap();
        assert_eq!(own.check("http://10.0.0.1/hook").unwrap_err(), Unfit::Inside);
        // A name is judged by what it resolves to.
        let error = outside.post("https://localhost/".parse().unwrap()).send().await.unwrap_err();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(next) = cause.source() {
            cause = next;
        }
        assert_eq!(cause.to_string(), Unfit::Inside.to_string());
    }
}

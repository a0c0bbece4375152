//! How often one address may come to a door. Coarse, and in this process only: who guesses passwords meets a limit in the
//! database, whoever floods us meets this one first.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use app::context::Mode;
use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};
use uuid::Uuid;

use crate::{Jangbu, authenticate::address};

/// After so many visits who has not come for a while is forgotten, so that memory follows the visits of a moment and not of a year.
const VISITS: u32 = 1024;

/// One for each door.
#[derive(Debug)]
pub struct Quotas {
    pub api: Door,
    pub hooks: Door,
    pub search: Door,
    pub entry: Door,
    pub keys: Keys,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            // A shop sells and asks from one address. A hundred calls a second are some thirty sales a second.
            api: Door::new("api", Duration::from_millis(10), 1000),
            // Whom nobody has listed (hooks.rs). Were it Toss, from an address that is new, it would post again what was refused.
            hooks: Door::new("hooks", Duration::from_millis(50), 500),
            // The palette asks while somebody types; an office of many has one address.
            search: Door::new("search", Duration::from_millis(50), 100),
            // One a second, and a whole office at nine o'clock.
            entry: Door::new("entry", Duration::from_secs(1), 60),
            keys: Keys::default(),
        }
    }
}

#[derive(Debug)]
pub struct Door {
    name: &'static str,
    limiter: DefaultKeyedRateLimiter<IpAddr>,
    visits: AtomicU32,
}

impl Door {
    /// One visit in each `period`, and `burst` at once after a pause.
    pub fn new(name: &'static str, period: Duration, burst: u32) -> Self {
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(period).unwrap_or(Quota::per_second(burst)).allow_burst(burst);
        Self { name, limiter: RateLimiter::keyed(quota), visits: AtomicU32::new(0) }
    }

    fn visit(&self, ip: IpAddr) -> Result<(), Wait> {
        if self.visits.fetch_add(1, Ordering::Relaxed) % VISITS == VISITS - 1 {
            self.limiter.retain_recent();
        }
        self.limiter
            .check_key(&visitor(ip))
            .map_err(|until| Wait(until.wait_time_from(self.limiter.clock().now())))
    }
}

/// How often a key may call, where somebody has said so; in this process only, as at the doors.
#[derive(Debug, Default)]
pub struct Keys {
    limiters: Mutex<HashMap<Uuid, (i32, Arc<DefaultDirectRateLimiter>)>>,
}

impl Keys {
    pub(crate) fn visit(&self, key: Uuid, per_minute: Option<i32>) -> Result<(), Wait> {
        let limit = per_minute.and_then(|limit| Some((limit, NonZeroU32::new(u32::try_from(limit).ok()?)?)));
        let Some((limit, quota)) = limit else { return Ok(()) };
        let limiter = {
            let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
            let of_key = limiters
                .entry(key)
                .or_insert_with(|| (0, Arc::new(RateLimiter::direct(Quota::per_minute(quota)))));
            // Somebody has set another limit.
            if of_key.0 != limit {
                *of_key = (limit, Arc::new(RateLimiter::direct(Quota::per_minute(quota))));
            }
            Arc::clone(&of_key.1)
        };
        limiter.check().map_err(|until| {
            metrics::counter!("jangbu_requests_refused_total", "door" => "key").increment(1);
            Wait(until.wait_time_from(limiter.clock().now()))
        })
    }
}

/// Whoever has IPv6 has 2^64 addresses.
fn visitor(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
    }
}

/// How long until the next visit.
#[derive(Debug)]
pub(crate) struct Wait(Duration);

impl Wait {
    /// The refusal in the words of the door, as 429 with `Retry-After`.
    pub(crate) fn answer(&self, refusal: impl IntoResponse) -> Response {
        let mut response = refusal.into_response();
        *response.status_mut() = StatusCode::TOO_MANY_REQUESTS;
        let seconds = self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        response
    }
}

/// Whether the request may come in at this door.
pub(crate) fn visit(jangbu: &Jangbu, door: &Door, request: &Request) -> Result<(), Wait> {
    // A host that does not say who asks has to limit it itself.
    let Some(ip) = address(&jangbu.settings, request) else { return Ok(()) };
    // Rehearsals and benchmarks on one machine.
    if jangbu.settings.mode == Mode::Sandbox && ip.is_loopback() {
        return Ok(());
    }
    door.visit(ip).inspect_err(|_| {
        metrics::counter!("jangbu_requests_refused_total", "door" => door.name).increment(1);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_its_own_quota_and_a_network_of_ipv6_is_one() {
        let door = Door::new("test", Duration::from_secs(3600), 2);
        for n in 1..=2 {
            assert!(door.visit(ip("203.0.113.1")).is_ok(), "{n}");
            assert!(door.visit(ip(&format!("2001:db8:0:7::{n}"))).is_ok(), "{n}");
        }
        assert!(door.visit(ip("203.0.113.1")).is_err_and(|Wait(long)| long <= Duration::from_secs(3600)));
        assert!(door.visit(ip("2001:db8:0:7:1:2:3:4")).is_err());
        assert!(door.visit(ip("203.0.113.2")).is_ok());
        assert!(door.visit(ip("2001:db8:0:8::1")).is_ok());
    }

    #[test]
    fn who_has_not_come_for_a_while_is_forgotten() {
        let door = Door::new("test", Duration::from_nanos(1), 1);
        for n in 0..10 * VISITS {
            assert!(door.visit(IpAddr::from(n.to_be_bytes())).is_ok());
        }
        assert!(door.limiter.len() <= VISITS as usize + 1, "{}", door.limiter.len());
    }
}

//! Two processes and one Lease: never both.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gamepipe_operator::controller::leader::{Elector, LeaseSettings};
use gamepipe_service::Shutdown;
use gamepipe_service::clock::{Clock, SharedClock};
use tokio::time::{Instant, sleep};

use crate::api::call::Call;
use crate::api::{FakeApi, NAMESPACE};

/// A clock that goes with the runtime's.
#[derive(Debug)]
struct PausedClock(Instant);

impl Clock for PausedClock {
    fn now_micros(&self) -> i64 {
        1_800_000_000_000_000 + i64::try_from(self.0.elapsed().as_micros()).unwrap()
    }

    fn seed(&self) -> u64 {
        7
    }
}

fn clock() -> SharedClock {
    Arc::new(PausedClock(Instant::now()))
}

fn elector(api: &FakeApi, identity: &str, clock: &SharedClock) -> Elector {
    let settings = LeaseSettings {
        namespace: NAMESPACE.to_owned(),
        name: "gamepipe-operator".to_owned(),
        identity: identity.to_owned(),
    };
    Elector::new(api.client(), settings, SharedClock::clone(clock))
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_at_once_when_the_lease_is_given_back() {
    let api = FakeApi::new();
    let clock = clock();
    let (mut one, mut two) = (elector(&api, "one", &clock), elector(&api, "two", &clock));
    let stop = Shutdown::new();
    assert!(one.acquire(&stop).await);
    let began = Instant::now();
    let releasing = async {
        sleep(Duration::from_secs(5)).await;
        one.release().await;
    };
    let (_, won) = tokio::join!(releasing, two.acquire(&stop));
    assert!(won);
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn a_standby_takes_over_when_the_leader_is_silent_and_not_before() {
    let api = FakeApi::new();
    let clock = clock();
    let (mut one, mut two) = (elector(&api, "one", &clock), elector(&api, "two", &clock));
    let stop = Shutdown::new();
    assert!(one.acquire(&stop).await);
    let began = Instant::now();
    assert!(two.acquire(&stop).await);
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(15) && took < Duration::from_secs(20),
        "{took:?}"
    );
    // The one that slept learns it at its next try.
    one.keep().await;
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_can_not_renew_stops_before_another_may_begin() {
    let api = FakeApi::new();
    let mut one = elector(&api, "one", &clock());
    assert!(one.acquire(&Shutdown::new()).await);
    api.fail(|call: &Call| (call.place.resource == "leases").then_some(500));
    let began = Instant::now();
    one.keep().await;
    assert!(
        began.elapsed() <= Duration::from_secs(9),
        "{:?}",
        began.elapsed()
    );
}

/// A process that works while it leads and counts how many do.
async fn work(
    api: FakeApi,
    identity: String,
    clock: SharedClock,
    working: Arc<AtomicUsize>,
    turns: Arc<AtomicUsize>,
) {
    let stop = Shutdown::new();
    loop {
        let mut elector = elector(&api, &identity, &clock);
        elector.acquire(&stop).await;
        assert_eq!(
            working.fetch_add(1, Ordering::SeqCst),
            0,
            "{identity} leads while another does"
        );
        turns.fetch_add(1, Ordering::SeqCst);
        elector.keep().await;
        working.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_never_two_leaders_whatever_the_api_server_refuses() {
    let api = FakeApi::new();
    // Refuses calls in bursts: the same ones in each run.
    let mut seed: u64 = 20_261_122;
    println!("seed {seed}");
    let mut burst = 0;
    api.fail(move |_| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        if burst == 0 && (seed >> 33).is_multiple_of(20) {
            burst = (seed >> 40) % 30;
        }
        burst = u64::saturating_sub(burst, 1);
        (burst > 0).then_some(if seed >> 63 == 0 { 500 } else { 409 })
    });
    let clock = clock();
    let (working, turns) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let one = tokio::spawn(work(
        api.clone(),
        "one".to_owned(),
        SharedClock::clone(&clock),
        Arc::clone(&working),
        Arc::clone(&turns),
    ));
    let two = tokio::spawn(work(
        api,
        "two".to_owned(),
        clock,
        working,
        Arc::clone(&turns),
    ));
    tokio::select! {
        // Either ends only by a panic.
        ended = one => ended.unwrap(),
        ended = two => ended.unwrap(),
        () = sleep(Duration::from_secs(4 * 3600)) => {}
    }
    assert!(turns.load(Ordering::SeqCst) > 10, "the Lease changed hands");
}

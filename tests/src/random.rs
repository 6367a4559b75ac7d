//! Seeded randomness of tests: the seed is printed, so that a failure can be replayed.

/// The variable that sets the seed.
pub const SEED_VARIABLE: &str = "GAMEPIPE_TEST_SEED";

/// SplitMix64 (Steele, Lea, Flood 2014): tiny and good enough to choose moments and players.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// From `GAMEPIPE_TEST_SEED`, or from the process id; prints which.
    pub fn from_environment(test: &str) -> Self {
        let seed = std::env::var(SEED_VARIABLE)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        eprintln!("{test}: replay with {SEED_VARIABLE}={seed}");
        Self(seed)
    }

    /// From a fixed seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for a thread.
    pub fn fork(&mut self) -> Self {
        Self(self.bits())
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.bits() % end.max(1)
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = usize::try_from(self.below(items.len() as u64)).unwrap_or(0);
        &items[index]
    }
}

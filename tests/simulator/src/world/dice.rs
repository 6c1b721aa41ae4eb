//! Chance that depends on nothing but the seed and what it is asked about.

use rand::Rng as _;
use rand_pcg::Pcg64Mcg;

/// A stream of numbers for one record and one purpose.
pub struct Dice(Pcg64Mcg);

/// One number for (seed, purpose, n), well mixed. Finaliser: splitmix64.
#[inline]
pub fn mix(seed: u64, purpose: u64, n: u64) -> u64 {
    let mut z =
        seed ^ purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ n.wrapping_mul(0xd134_2543_de82_ef95);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Dice {
    #[inline]
    pub fn new(seed: u64, purpose: u64, n: u64) -> Dice {
        let a = mix(seed, purpose, n);
        let b = mix(seed ^ 0x5bd1_e995, purpose, n);
        let mut dice = Dice(Pcg64Mcg::new((u128::from(a) << 64) | u128::from(b)));
        // The first step of this generator still shows its state.
        dice.0.next_u64();
        dice
    }

    /// A number below `n`; 0 when `n` is 0.
    #[inline]
    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u64
    }

    /// A number from `low` to `high`, both included.
    #[inline]
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low + 1).max(1) as u64) as i64
    }

    /// True in `n` of a thousand cases.
    #[inline]
    pub fn chance(&mut self, n: u64) -> bool {
        self.below(1000) < n
    }

    #[inline]
    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// One of `from`, each with its weight.
    pub fn weighted<T: Copy>(&mut self, from: &[(T, u32)]) -> T {
        let total: u32 = from.iter().map(|(_, weight)| weight).sum();
        let mut at = self.below(u64::from(total)) as u32;
        for (value, weight) in from {
            if at < *weight {
                return *value;
            }
            at -= weight;
        }
        from[0].0
    }

    /// A number below `n`, small ones far more often.
    #[inline]
    pub fn skewed(&mut self, n: u64) -> u64 {
        let n = n.max(1);
        let (a, b) = (self.below(n), self.below(n));
        (a * (b + 1) / n).min(n - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_answer() {
        let roll = |seed, purpose, n| {
            let mut dice = Dice::new(seed, purpose, n);
            (0..8).map(|_| dice.below(1_000_000)).collect::<Vec<_>>()
        };
        assert_eq!(roll(1, 2, 3), roll(1, 2, 3));
        assert_ne!(roll(1, 2, 3), roll(1, 2, 4));
        assert_ne!(roll(1, 2, 3), roll(1, 3, 3));
    }

    #[test]
    fn chance_is_about_right() {
        let hits = (0..10_000)
            .filter(|&n| Dice::new(7, 1, n).chance(250))
            .count();
        assert!((2_200..2_800).contains(&hits), "{hits}");
    }
}

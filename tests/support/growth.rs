//! Whether a series of samples grows.

use std::time::Duration;

/// Returns by how much a value grew from the middle of the time to its end, as the series shows it; negative if it fell.
///
/// The first half is left out: caches fill, and the allocator takes what it keeps. The slope is the median of the slopes
/// between all pairs of samples (Theil and Sen), so a few peaks do not decide it.
pub fn growth(samples: &[(Duration, u64)]) -> f64 {
    let (Some((first, _)), Some((last, _))) = (samples.first(), samples.last()) else { return 0.0 };
    let middle = *first + (*last - *first) / 2;
    let half: Vec<(f64, f64)> = samples
        .iter()
        .filter(|(at, _)| *at >= middle)
        .map(|(at, value)| (at.as_secs_f64(), *value as f64))
        .collect();
    let mut slopes: Vec<f64> = half
        .iter()
        .enumerate()
        .flat_map(|(index, (from, before))| {
            half[index + 1..].iter().map(move |(to, after)| (after - before) / (to - from))
        })
        .filter(|slope| slope.is_finite())
        .collect();
    if slopes.is_empty() {
        return 0.0;
    }
    let median = slopes.len() / 2;
    let (_, slope, _) = slopes.select_nth_unstable_by(median, f64::total_cmp);
    *slope * (*last - middle).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES: u64 = 4;

    /// Returns a sample for each second, with noise that is the same in each run.
    fn series(value: impl Fn(f64) -> f64) -> Vec<(Duration, u64)> {
        let mut noise = 1_u32;
        let sample = |second| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f64::from(noise >> 16) / 65_536.0 - 0.5;
            (Duration::from_secs(second), (value(second as f64) + noise * MIB) as u64)
        };
        (0..MINUTES * 60).map(sample).collect()
    }

    const MIB: f64 = 1_048_576.0;

    #[test]
    fn level_memory_does_not_grow_whatever_it_did_before() {
        for level in [
            series(|_| 20.0 * MIB),
            // Level since the second minute.
            series(|second| 15.0 * MIB + (second / 110.0).min(1.0) * 8.0 * MIB),
            series(|second| 20.0 * MIB + if second as u64 % 20 < 3 { 5.0 * MIB } else { 0.0 }),
        ] {
            assert!(growth(&level).abs() < 0.5 * MIB, "{} MiB", growth(&level) / MIB);
        }
    }

    #[test]
    fn a_leak_grows_by_what_it_leaks() {
        let leak = series(|second| 20.0 * MIB + second / 60.0 * MIB);
        let grown = growth(&leak) / MIB;
        assert!((1.5..2.5).contains(&grown), "{grown} MiB in two minutes");
        let peaks = series(|second| {
            20.0 * MIB + second / 60.0 * MIB + if second as u64 % 20 < 3 { 5.0 * MIB } else { 0.0 }
        });
        assert!((1.5..2.5).contains(&(growth(&peaks) / MIB)));
        assert!(growth(&series(|second| 40.0 * MIB - second / 60.0 * MIB)) < 0.0);
    }

    #[test]
    fn too_few_samples_show_no_growth() {
        assert_eq!(growth(&[]), 0.0);
        assert_eq!(growth(&[(Duration::ZERO, 7)]), 0.0);
        assert_eq!(growth(&[(Duration::ZERO, 7), (Duration::ZERO, 9)]), 0.0);
    }
}

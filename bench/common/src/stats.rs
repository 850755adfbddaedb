//! Medians, quartiles, and ratios between samples of the same round, also as text.

/// What many samples come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub count: usize,
    pub least: f64,
    pub lower_quartile: f64,
    pub median: f64,
    pub upper_quartile: f64,
}

/// None of no samples.
pub fn summary(mut samples: Vec<f64>) -> Option<Summary> {
    samples.sort_by(f64::total_cmp);
    let least = *samples.first()?;
    let at = |part: f64| {
        let place = part * (samples.len() - 1) as f64;
        let (below, above) = (samples[place.floor() as usize], samples[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    Some(Summary {
        count: samples.len(),
        least,
        lower_quartile: at(0.25),
        median: at(0.5),
        upper_quartile: at(0.75),
    })
}

/// The samples of the rounds that have one.
pub fn clean(rounds: &[Option<f64>]) -> Vec<f64> {
    rounds.iter().flatten().copied().collect()
}

/// `ours` by `theirs`, of every round in which both have a sample: what drifts from round to round cancels out.
pub fn paired_ratios(ours: &[Option<f64>], theirs: &[Option<f64>]) -> Vec<f64> {
    let pairs = ours.iter().zip(theirs);
    pairs.filter_map(|(ours, theirs)| Some((*ours)? / (*theirs)?)).collect()
}

/// Median and quartiles.
pub fn ratio_text(ratio: &Summary) -> String {
    let Summary { median, lower_quartile, upper_quartile, .. } = ratio;
    let [median, low, high] = [median, lower_quartile, upper_quartile].map(|n| three_digits(*n));
    format!("{median} [{low}–{high}]")
}

/// Three significant digits, and every digit before the point.
pub fn three_digits(number: f64) -> String {
    let before_point = number.abs().max(1e-9).log10().floor() as i32 + 1;
    let decimals = usize::try_from(3 - before_point).unwrap_or(0).min(7);
    format!("{number:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_knows_order_but_not_the_order_of_arrival() {
        let found = summary(vec![5.0, 1.0, 4.0, 2.0, 3.0]).unwrap();
        let quartiles = [found.least, found.lower_quartile, found.median, found.upper_quartile];
        assert_eq!((found.count, quartiles), (5, [1.0, 2.0, 3.0, 4.0]));
        assert_eq!(summary(vec![1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(summary(vec![7.0]).unwrap().upper_quartile, 7.0);
        assert_eq!(summary(Vec::new()), None);
    }

    #[test]
    fn only_samples_of_one_round_make_a_ratio() {
        let ours = [Some(1.0), None, Some(3.0), Some(8.0)];
        let theirs = [Some(2.0), Some(5.0), None, Some(2.0)];
        assert_eq!(paired_ratios(&ours, &theirs), [0.5, 4.0]);
        assert_eq!(clean(&ours), [1.0, 3.0, 8.0]);
    }

    #[test]
    fn numbers_have_three_digits() {
        let cases = [
            (0.00734, "0.00734"),
            (0.0357, "0.0357"),
            (0.5, "0.500"),
            (1.0, "1.00"),
            (27.84, "27.8"),
            (400.4, "400"),
            (20_342.3, "20342"),
            (0.000_012_34, "0.0000123"),
        ];
        for (number, expected) in cases {
            assert_eq!(three_digits(number), expected);
        }
    }
}

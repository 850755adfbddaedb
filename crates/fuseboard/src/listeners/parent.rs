//! Under which name a circuit counts.

/// The name under which metrics and limits know a circuit: a keyed circuit's parent, so that their number is bounded.
///
/// The key of `payments[eu-1]` never holds a bracket: core writes one as `%5B`.
pub(super) fn parent(circuit: &str) -> &str {
    let keyed = circuit.strip_suffix(']').and_then(|open| open.rsplit_once('['));
    keyed.map_or(circuit, |(parent, _)| if parent.is_empty() { circuit } else { parent })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyed_circuits_count_under_their_parents_name() {
        for (circuit, expected) in [
            ("payments", "payments"),
            ("payments@eu", "payments@eu"),
            ("payments[eu-1]", "payments"),
            ("payments[*]", "payments"),
            ("a[b][c%5Bd]", "a[b]"),
            ("payments[", "payments["),
            ("[x]", "[x]"),
        ] {
            assert_eq!(parent(circuit), expected, "{circuit}");
        }
    }
}

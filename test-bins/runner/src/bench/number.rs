//! Numbers and words as all outputs show them.

use super::measured::Goal;

/// A number with three digits, or more before the point.
pub fn short(value: f64) -> String {
    let decimals = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    format!("{value:.decimals$}")
}

/// `1 thread`, `2 threads`.
pub fn threads(threads: u32) -> String {
    if threads == 1 { "1 thread".into() } else { format!("{threads} threads") }
}

/// A goal in words: what was measured, and what was wanted.
pub fn goal(goal: &Goal) -> Option<String> {
    let (measured, at_most) = (short(goal.measured?), short(goal.at_most));
    let what = format!("{}, {}", goal.contender, threads(goal.threads));
    Some(match &goal.peer {
        Some(peer) => format!("{what}: {measured}x {peer}, at most {at_most}x"),
        None => format!("{what}: {measured} ns, at most {at_most} ns"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_are_left() {
        let all = [0.0, 0.974, 9.994, 9.996, 12.34, 99.94, 99.96, 1234.4].map(short);
        assert_eq!(all, ["0.00", "0.97", "9.99", "10.0", "12.3", "99.9", "100", "1234"]);
    }

    #[test]
    fn goals_name_what_was_measured_and_wanted() {
        let mut one =
            Goal { contender: "a".into(), threads: 2, peer: Some("b".into()), at_most: 0.2, measured: Some(0.108) };
        assert_eq!(goal(&one).as_deref(), Some("a, 2 threads: 0.11x b, at most 0.20x"));
        one.peer = None;
        assert_eq!(goal(&one).as_deref(), Some("a, 2 threads: 0.11 ns, at most 0.20 ns"));
        one.measured = None;
        assert_eq!(goal(&one), None);
    }
}

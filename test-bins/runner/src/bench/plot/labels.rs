//! Labels that do not cover each other.

/// The least distance between two labels.
const DISTANCE: f64 = 17.0;

/// Places between `top` and `bottom` as near to the wanted ones as their order and distance allow.
pub fn spread(wanted: &[f64], top: f64, bottom: f64) -> Vec<f64> {
    let mut order: Vec<_> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]));
    // Labels that touch form a block around the mean of what they want.
    let mut blocks: Vec<(f64, usize)> = Vec::new();
    for &index in &order {
        blocks.push((wanted[index], 1));
        while let [.., (above, over), (below, under)] = blocks[..] {
            let half = |count: usize| (count - 1) as f64 / 2.0 * DISTANCE;
            if below - half(under) - (above + half(over)) >= DISTANCE {
                break;
            }
            let count = over + under;
            blocks.truncate(blocks.len() - 2);
            blocks.push(((above * over as f64 + below * under as f64) / count as f64, count));
        }
    }
    let places = blocks.into_iter().flat_map(|(middle, count)| {
        (0..count).map(move |nth| middle + (nth as f64 - (count - 1) as f64 / 2.0) * DISTANCE)
    });
    let mut all = vec![0.0; wanted.len()];
    let mut least = top;
    for (&index, place) in order.iter().zip(places) {
        all[index] = place.max(least);
        least = all[index] + DISTANCE;
    }
    let mut most = bottom;
    for &index in order.iter().rev() {
        all[index] = all[index].min(most);
        most = all[index] - DISTANCE;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_keep_their_order_and_distance() {
        assert_eq!(spread(&[200.0, 100.0], 0.0, 300.0), [200.0, 100.0]);
        assert_eq!(spread(&[100.0, 100.0], 0.0, 300.0), [100.0 - DISTANCE / 2.0, 100.0 + DISTANCE / 2.0]);
        let many = [299.0, 298.0, 297.0, 150.0, 1.0, 0.0, 0.0];
        let spread = spread(&many, 0.0, 300.0);
        let mut sorted = spread.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|pair| pair[1] - pair[0] >= DISTANCE - 1e-9), "{sorted:?}");
        assert!(sorted[0] >= 0.0 && sorted[6] <= 300.0, "{sorted:?}");
        assert!(spread[0] > spread[1] && spread[1] > spread[2] && spread[3] == 150.0, "{spread:?}");
    }
}

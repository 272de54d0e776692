//! Boundaries of sections.

/// Where something new begins: the boundaries of sections, as row numbers, 0 and the number of rows
/// included.
///
/// A checkerboard of `reach` rows to each side slides along the diagonal of the rows' self-similarity;
/// it answers where what came before is alike in itself, what follows too, and the two are not alike
/// (Foote, "Automatic audio segmentation using a measure of audio novelty", 2000). Sections are at
/// least `shortest` rows long.
pub fn section_boundaries(rows: &[f32], width: usize, reach: usize, shortest: usize) -> Vec<usize> {
    let rows: Vec<&[f32]> = rows.chunks_exact(width.max(1)).collect();
    let count = rows.len();
    let mut boundaries = vec![0];
    if reach > 0 && count >= 2 * shortest.max(1) {
        boundaries.extend(peaks(&novelty(&rows, reach), shortest.max(1)));
    }
    boundaries.push(count);
    boundaries.dedup();
    boundaries
}

/// The checkerboard's answer at the boundary before each row.
fn novelty(rows: &[&[f32]], reach: usize) -> Vec<f32> {
    let count = rows.len();
    let distance = |a: usize, b: usize| -> f32 {
        rows[a].iter().zip(rows[b]).map(|(a, b)| (a - b) * (a - b)).sum()
    };
    let scale = {
        let step = (count / 64).max(1);
        let places: Vec<usize> = (0..count).step_by(step).collect();
        let mut sum = 0.0;
        for (index, a) in places.iter().enumerate() {
            sum += places[index + 1..].iter().map(|b| distance(*a, *b)).sum::<f32>();
        }
        let pairs = places.len() * (places.len().max(1) - 1) / 2;
        (sum / pairs.max(1) as f32).max(f32::MIN_POSITIVE)
    };
    // Only the band along the diagonal is ever looked at.
    let band = 2 * reach;
    let alike: Vec<f32> =
        (0..count)
            .flat_map(|a| {
                (0..band).map(move |gap| {
                    if a + gap < count { (-distance(a, a + gap) / scale).exp() } else { 0.0 }
                })
            })
            .collect();
    let similarity = |a: usize, b: usize| alike[a.min(b) * band + a.abs_diff(b)];
    let bell: Vec<f32> =
        (0..reach).map(|at| (-2.0 * ((at as f32 + 0.5) / reach as f32).powi(2)).exp()).collect();
    (0..count)
        .map(|centre| {
            let mut sum = 0.0;
            let mut weights = 0.0;
            let (before, after) = (reach.min(centre), reach.min(count - centre));
            for i in 0..before {
                for j in 0..after {
                    let weight = bell[i] * bell[j];
                    let (past, future) = (centre - 1 - i, centre + j);
                    let past_too = centre.checked_sub(1 + j).unwrap_or(past);
                    let future_too = (centre + i).min(count - 1);
                    sum += weight
                        * (0.5 * similarity(past, past_too) + 0.5 * similarity(future, future_too)
                            - similarity(past, future));
                    weights += weight;
                }
            }
            // Near the ends there is little to compare: what is found there counts less.
            let share = (before.min(after) as f32 / reach as f32).min(1.0);
            if weights > 0.0 { share * sum / weights } else { 0.0 }
        })
        .collect()
}

/// The highest places, each `shortest` rows away from the others and from the ends.
fn peaks(novelty: &[f32], shortest: usize) -> Vec<usize> {
    let mean = novelty.iter().sum::<f32>() / novelty.len() as f32;
    let squares = novelty.iter().map(|n| (n - mean) * (n - mean)).sum::<f32>();
    let least = mean + 0.3 * (squares / novelty.len() as f32).sqrt();
    let mut order: Vec<usize> = (shortest..novelty.len().saturating_sub(shortest)).collect();
    order.sort_by(|a, b| novelty[*b].total_cmp(&novelty[*a]));
    let mut chosen: Vec<usize> = Vec::new();
    for place in order {
        let is_far = chosen.iter().all(|other| other.abs_diff(place) >= shortest);
        if novelty[place] > least && is_far {
            chosen.push(place);
        }
    }
    chosen.sort_unstable();
    chosen
}

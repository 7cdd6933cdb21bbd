use super::*;

const ALL: [Quant; 2] = [Quant::Q8_0, Quant::Q4];

/// `n` repeatable values between -1 and 1.
fn values(n: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9u32;
    let next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32 * 2.0 - 1.0
    };
    std::iter::repeat_with(next).take(n).collect()
}

fn encoded(quant: Quant, row: usize, values: &[f32]) -> Vec<u8> {
    let mut part = vec![0; quant.bytes(values.len() / row, row)];
    quant.encode(row, &mut part, |i, to| to.copy_from_slice(&values[i * row..][..row]));
    part
}

/// Scales and elements of a part.
fn decoded(quant: Quant, row: usize, part: &[u8]) -> (Vec<u16>, Vec<f32>) {
    let rows = part.len() / quant.bytes(1, row);
    let blocks = row.div_ceil(BLOCK);
    let (quants, scales) = part.split_at(rows * blocks * quant.quant_bytes());
    let scales: Vec<u16> = scales.chunks(2).map(|b| u16::from_le_bytes([b[0], b[1]])).collect();
    let mut values = vec![f32::NAN; rows * row];
    let parts = quants.chunks(blocks * quant.quant_bytes()).zip(scales.chunks(blocks * quant.scales()));
    for (values, (quants, scales)) in values.chunks_mut(row).zip(parts) {
        quant.decode(quants, scales, values);
    }
    (scales, values)
}

fn back(quant: Quant, row: usize, values: &[f32]) -> Vec<f32> {
    decoded(quant, row, &encoded(quant, row, values)).1
}

#[test]
fn errors_stay_within_the_bound_of_the_format_for_whole_and_odd_rows() {
    for row in [1, 15, 17, 31, 32, 33, 64, 100] {
        let values = values(7 * row);
        for (values, back) in values.chunks(row).zip(back(Quant::Q8_0, row, &values).chunks(row)) {
            for (values, back) in values.chunks(BLOCK).zip(back.chunks(BLOCK)) {
                let d = values.iter().fold(0.0f32, |a, v| a.max(v.abs())) / 127.0;
                assert!(
                    values.iter().zip(back).all(|(v, b)| (v - b).abs() <= 0.57 * d),
                    "{values:?} {back:?}"
                );
            }
        }
        for (values, back) in values.chunks(row).zip(back(Quant::Q4, row, &values).chunks(row)) {
            // The last block's zeros count as weights.
            for (values, back) in values.chunks(BLOCK).zip(back.chunks(BLOCK)) {
                let padded = (values.len() < BLOCK).then_some(0.0);
                let all = || values.iter().copied().chain(padded);
                let range = all().fold(f32::MIN, f32::max) - all().fold(f32::MAX, f32::min);
                // A block of even noise: no better than half a step for all, no worse than a step and a half for one.
                let squares: f32 = values.iter().zip(back).map(|(v, b)| (v - b) * (v - b)).sum();
                let step = range / 15.0;
                assert!(squares <= BLOCK as f32 * step * step / 4.0, "{values:?} {back:?}");
                assert!(values.iter().zip(back).all(|(v, b)| (v - b).abs() <= 1.51 * step));
            }
        }
    }
}

#[test]
fn a_part_is_all_quants_then_all_scales() {
    let mut row = vec![0.0; 40];
    (row[0], row[16], row[39]) = (127.0, -3.0, 254.0);
    let part = encoded(Quant::Q8_0, 40, &[row.clone(), row.clone()].concat());
    assert_eq!(part.len(), 2 * 2 * 34);
    assert_eq!((part[0], part[16] as i8, part[39], part[64], part[40]), (127, -3, 127, 127, 0));
    assert_eq!(part[128..132], [f16::from_f32(1.0).to_le_bytes(), f16::from_f32(2.0).to_le_bytes()].concat());
    // Nibbles: 0 to 15 twice, with a step of one from -5 on.
    let row: Vec<f32> = (0..32).map(|i| (i % 16) as f32 - 5.0).collect();
    let part = encoded(Quant::Q4, 32, &row);
    assert_eq!(part[..16], (0..16).map(|i| i | i << 4).collect::<Vec<u8>>());
    assert_eq!(part[16..], [f16::from_f32(1.0).to_le_bytes(), f16::from_f32(-5.0).to_le_bytes()].concat());
}

#[test]
fn what_a_zero_point_format_holds_is_held_exactly() {
    let (d, zero) = (0.03125, 11.0);
    let row: Vec<f32> = (0..32).map(|i| d * ((i * 7 % 16) as f32 - zero)).collect();
    assert_eq!(back(Quant::Q4, 32, &row), row);
}

#[test]
fn zeros_of_both_signs_and_equal_weights_come_back() {
    for quant in ALL {
        assert_eq!(back(quant, 33, &[0.0; 33]), [0.0; 33]);
        assert_eq!(back(quant, 32, &[-0.0; 32]), [0.0; 32]);
        for equal in [0.5, -3.0, 0.02] {
            let back = back(quant, 64, &[equal; 64]);
            // Half precision has eleven bits.
            assert!(
                back.iter().all(|b| (b - equal).abs() <= equal.abs() / 2048.0),
                "{quant:?} {equal}: {back:?}"
            );
        }
    }
}

#[test]
fn extremes_stay_finite_and_in_order() {
    for quant in ALL {
        for largest in [f32::MAX, 1e6, 1e-7, f32::MIN_POSITIVE, f32::INFINITY] {
            let mut row = values(32);
            row.iter_mut().for_each(|v| *v *= 1e-3);
            (row[3], row[4]) = (largest, -largest);
            let (scales, back) = decoded(quant, 32, &encoded(quant, 32, &row));
            assert!(scales.iter().all(|&s| f16::from_bits(s).is_finite()), "{quant:?} {largest}");
            assert!(back.iter().all(|v| v.is_finite()), "{quant:?} {largest}: {back:?}");
            assert!(back[3] >= back[4], "{quant:?} {largest}");
        }
        let mut row = values(32);
        row[7] = f32::NAN;
        assert!(back(quant, 32, &row).iter().all(|v| v.is_finite()), "{quant:?}");
    }
}

#[test]
fn the_search_is_better_than_the_range_alone() {
    // Weights as they are: most near the middle, few outside; then nearly normal ones.
    let products = values(4 * 32 * 400).chunks(4).map(|v| v.iter().product()).collect();
    let sums = values(12 * 32 * 400).chunks(12).map(|v| v.iter().sum()).collect();
    for (values, share) in [(products, 0.85), (sums, 0.835)] {
        let values: Vec<f32> = values;
        let error =
            |back: &[f32]| -> f64 { back.iter().zip(&values).map(|(a, b)| f64::from(a - b).powi(2)).sum() };
        let mut plain = Vec::new();
        for block in values.chunks(BLOCK) {
            let (low, high) = block.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
            let d = (high - low) / 15.0;
            plain.extend(block.iter().map(|v| ((v - low) / d).round() * d + low));
        }
        let (ours, plain) = (error(&back(Quant::Q4, BLOCK, &values)), error(&plain));
        assert!(ours < share * plain, "{} of the plain error", ours / plain);
    }
}

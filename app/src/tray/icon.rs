//! The icon, drawn for each thing that goes on: shapes that differ without colour too.

use ksni::Icon;

use super::Sign;

/// Sides of the pictures, in pixels: for plain screens and for those with twice the dots.
const SIDES: [i32; 2] = [24, 48];
/// Each pixel is looked at in so many places along its side.
const FINENESS: i32 = 4;

/// The icon in all sizes.
pub(super) fn icon(sign: Sign) -> Vec<Icon> {
    SIDES.into_iter().map(|side| Icon { width: side, height: side, data: pixels(sign, side) }).collect()
}

/// Pixels with alpha, red, green and blue.
fn pixels(sign: Sign, side: i32) -> Vec<u8> {
    let [red, green, blue] = color(sign);
    let place = |at: i32| 2.0 * (at as f32 + 0.5) / (side * FINENESS) as f32 - 1.0;
    let mut data = Vec::with_capacity((side * side * 4) as usize);
    for y in 0..side {
        for x in 0..side {
            let spots = (0..FINENESS * FINENESS).filter(|spot| {
                let (dx, dy) = (spot % FINENESS, spot / FINENESS);
                is_inked(sign, place(x * FINENESS + dx), place(y * FINENESS + dy))
            });
            let alpha = spots.count() as i32 * 255 / (FINENESS * FINENESS);
            data.extend([alpha as u8, red, green, blue]);
        }
    }
    data
}

/// Readable on dark and on light panels.
fn color(sign: Sign) -> [u8; 3] {
    match sign {
        Sign::Idle => [128, 150, 150],
        Sign::Listening => [222, 92, 62],
        Sign::Thinking => [200, 152, 40],
        Sign::Speaking => [64, 160, 156],
    }
}

/// Whether there is colour at this place; the icon reaches from -1 to 1.
fn is_inked(sign: Sign, x: f32, y: f32) -> bool {
    let radius = x.hypot(y);
    let ring = (0.7..0.92).contains(&radius);
    match sign {
        Sign::Idle => ring,
        Sign::Listening => radius < 0.92,
        Sign::Thinking => ring || radius < 0.3,
        // Three bars, the middle one the highest.
        Sign::Speaking => {
            let bar = |middle: f32, height: f32| (x - middle).abs() < 0.17 && y.abs() < height;
            bar(-0.6, 0.45) || bar(0.0, 0.92) || bar(0.6, 0.45)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sign_has_a_shape_of_its_own() {
        let shape = |sign: Sign| {
            let icons = icon(sign);
            for icon in &icons {
                assert_eq!(icon.data.len() as i32, icon.width * icon.height * 4);
            }
            icons[0].data.chunks(4).map(|pixel| pixel[0] > 127).collect::<Vec<_>>()
        };
        let shapes = [Sign::Idle, Sign::Listening, Sign::Thinking, Sign::Speaking].map(shape);
        for (i, one) in shapes.iter().enumerate() {
            assert!(one.iter().any(|inked| *inked));
            for other in &shapes[..i] {
                let differing = one.iter().zip(other).filter(|(a, b)| a != b).count();
                assert!(differing > 20, "{differing}");
            }
        }
    }
}

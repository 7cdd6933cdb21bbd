use super::*;
use crate::kernels::testing::random;

struct Exp;

impl Function for Exp {
    #[inline(always)]
    fn of<L: Lanes>(&self, l: L, x: L::V) -> L::V {
        exp(l, x)
    }
}

struct Sine {
    pitch: f32,
}

impl Function for Sine {
    #[inline(always)]
    fn of<L: Lanes>(&self, l: L, x: L::V) -> L::V {
        sine_squared(l, l.mul(x, l.splat(self.pitch)))
    }
}

/// Everything that the lanes compute of the same numbers.
struct All<'a> {
    x: &'a [f32],
}

impl Work for All<'_> {
    type Out = Vec<f32>;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Vec<f32> {
        let mut out = vec![sum(l, self.x), sum_squares(l, self.x, 0.25), largest(l, self.x)];
        let mut exponentials = self.x.to_vec();
        map(l, &mut exponentials, Exp);
        let mut sines = self.x.to_vec();
        map(l, &mut sines, Sine { pitch: 50.0 });
        out.extend(exponentials);
        out.extend(sines);
        if let Some((four, _)) = self.x.split_first_chunk::<64>() {
            let four = four.as_chunks::<16>().0;
            let four = [l.load(&four[0]), l.load(&four[1]), l.load(&four[2]), l.load(&four[3])];
            assert_eq!(l.sum4(four), four.map(|v| l.sum(v)));
        }
        out
    }
}

/// One function of many arguments.
struct Each<'a> {
    x: &'a [f32],
    sine: bool,
}

impl Work for Each<'_> {
    type Out = Vec<f32>;

    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Vec<f32> {
        let mut out = self.x.to_vec();
        if self.sine {
            map(l, &mut out, Sine { pitch: 1.0 });
        } else {
            map(l, &mut out, Exp);
        }
        out
    }
}

#[test]
fn wide_instructions_agree_bit_for_bit() {
    for n in [0, 1, 5, 16, 31, 64, 100] {
        let x = random(n, 3);
        let bits = |isa| run_on(isa, All { x: &x }).into_iter().map(f32::to_bits).collect::<Vec<_>>();
        for isa in Isa::available() {
            if isa.set() != Set::Portable {
                assert_eq!(bits(isa), bits(Isa::best()), "{isa:?} of {n}");
            }
        }
    }
}

#[test]
fn sums_follow_the_lane_order() {
    let x = random(53, 4);
    let mut lanes = [0.0f32; 16];
    x.iter().enumerate().for_each(|(i, v)| lanes[i % 16] += v);
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    for isa in Isa::available() {
        assert_eq!(run_on(isa, All { x: &x })[0], lanes[0], "{isa:?}");
    }
}

#[test]
fn exponentials_are_within_two_units() {
    let mut x: Vec<f32> = (-870..880).map(|i| i as f32 * 0.1 + 0.013).collect();
    x.extend(random(1000, 5));
    x.extend([0.0, -0.0, 1e-30, -86.99]);
    for isa in Isa::available() {
        for (x, got) in x.iter().zip(run_on(isa, Each { x: &x, sine: false })) {
            let want = f64::from(*x).exp();
            assert!((f64::from(got) - want).abs() <= 2e-7 * want, "{isa:?} e^{x}: {got}, want {want}");
        }
        let special = [f32::NEG_INFINITY, -87.1, f32::NAN, f32::INFINITY];
        let got = run_on(isa, Each { x: &special, sine: false });
        assert!(got[0] == 0.0 && got[1] == 0.0 && got[2].is_nan() && got[3] > 1e38, "{isa:?} {got:?}");
    }
}

#[test]
fn squared_sines_hold_to_ten_thousand() {
    let mut x: Vec<f32> = (-50_000..50_000).map(|i| i as f32 * 0.2 + 0.000_3).collect();
    x.extend(random(1000, 6));
    x.extend((-3000..3000).map(|i| (f64::from(i) * std::f64::consts::FRAC_PI_2) as f32));
    for isa in Isa::available() {
        for (x, got) in x.iter().zip(run_on(isa, Each { x: &x, sine: true })) {
            let want = f64::from(*x).sin().powi(2);
            assert!((f64::from(got) - want).abs() <= 4e-7, "{isa:?} sin² {x}: {got}, want {want}");
        }
        let far = [1e9, -1e30, f32::INFINITY, f32::NAN];
        let got = run_on(isa, Each { x: &far, sine: true });
        assert!(got[..2].iter().all(|v| (0.0..=1.01).contains(v)) && got[3].is_nan(), "{isa:?} {got:?}");
    }
}
